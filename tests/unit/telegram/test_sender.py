"""Parts as Telegram takes them."""

import datetime as dt
from typing import Any

import pytest
from telethon import types as t

from services.telegram.adapters.sender import TelegramSender, entities, input_peer, message_id
from services.telegram.model import Away, Draft, Entity, Part, PartKind

WHEN = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("chat_id", "expected"),
    [
        (8, t.InputPeerUser(8, 99)),
        (2**52, t.InputPeerUser(2**52, 99)),
        (-4, t.InputPeerChat(4)),
        (-999_999_999_999, t.InputPeerChat(999_999_999_999)),
        (-1_000_000_000_005, t.InputPeerChannel(5, 99)),
        (-1_002_000_000_001, t.InputPeerChannel(2_000_000_001, 99)),
    ],
)
def test_a_chat_is_named_as_telegram_wants_it(chat_id: int, expected: Any) -> None:
    """Covers F6."""
    assert input_peer(chat_id, 99).to_dict() == expected.to_dict()


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (Entity("bold", 1, 2), t.MessageEntityBold(1, 2)),
        (Entity("strikethrough", 1, 2), t.MessageEntityStrike(1, 2)),
        (Entity("pre", 1, 2, "c"), t.MessageEntityPre(1, 2, "c")),
        (Entity("pre", 1, 2), t.MessageEntityPre(1, 2, "")),
        (Entity("text_link", 1, 2, "https://a"), t.MessageEntityTextUrl(1, 2, "https://a")),
        (Entity("expandable_blockquote", 1, 2), t.MessageEntityBlockquote(1, 2, collapsed=True)),
    ],
)
def test_entities_are_made_one_by_one(span: Entity, expected: Any) -> None:
    (made,) = entities([span])
    assert made.to_dict() == expected.to_dict()


def test_entities_that_telegram_does_not_take_are_left_out() -> None:
    assert entities([Entity("hologram", 0, 1), Entity("text_mention", 0, 1, "8")]) == []


def updates(*what: Any) -> Any:
    return t.Updates([*what], [], [], WHEN, 0)


@pytest.mark.parametrize(
    "answer",
    [
        t.UpdateShortSentMessage(7, 11, 1, WHEN, out=True),
        updates(t.UpdateMessageID(7, 777)),
        updates(t.UpdateMessageID(6, 666), t.UpdateMessageID(7, 777), t.UpdateChannel(5)),
    ],
)
def test_a_send_tells_the_id_of_its_message(answer: Any) -> None:
    assert message_id(answer, 777) == 7


@pytest.mark.parametrize("answer", [updates(), updates(t.UpdateMessageID(6, 666)), t.UpdatesTooLong()])
def test_an_answer_that_names_no_message_leaves_it_unknown(answer: Any) -> None:
    """Covers F9: sent, id unknown."""
    with pytest.raises(Away):
        message_id(answer, 777)


class Requests:
    """A client that keeps what it is asked, and a store that learns keys."""

    def __init__(self) -> None:
        self.made: list[Any] = []
        self.keys: dict[int, int] = {}

    async def ask(self, request: Any) -> Any:
        self.made.append(request)
        return updates(t.UpdateMessageID(7, 777))

    async def access_hash(self, chat_id: int) -> int:
        return self.keys.get(chat_id, 0)


def part(chat_id: int) -> Part:
    return Part("p1", "1", chat_id, 0, PartKind.TEXT, "hi", (), 777, reply_to=0, target=0, possibly_sent=False)


async def test_the_key_of_a_chat_is_used_as_soon_as_it_is_known_and_kept_from_then_on() -> None:
    requests = Requests()
    sender = TelegramSender(requests, requests)  # type: ignore[arg-type]
    for key in (0, 50, 51):
        requests.keys[-1_000_000_000_005] = key
        await sender.send(part(-1_000_000_000_005))
    assert [request.peer.access_hash for request in requests.made] == [0, 50, 50]


async def test_peers_in_memory_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Covers F74."""
    monkeypatch.setattr("services.telegram.adapters.sender.PEERS", 10)
    requests = Requests()
    sender = TelegramSender(requests, requests)  # type: ignore[arg-type]
    for chat in range(1, 100):
        requests.keys[chat] = 5
        await sender.send(part(chat))
        assert len(sender._peers) <= 10


async def test_the_drafts_of_a_turn_have_one_id_that_is_never_0() -> None:
    requests = Requests()
    sender = TelegramSender(requests, requests)  # type: ignore[arg-type]
    for turn in ("0", "", "12", "12", "x" * 99):
        await sender.show(Draft(turn, 8, 0, "text", 0))
    ids = [request.action.random_id for request in requests.made]
    assert all(0 < number < 2**63 for number in ids)
    assert ids[2] == ids[3]
    assert len(set(ids)) == 4
