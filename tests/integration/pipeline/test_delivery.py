"""Answers on their way out: handed out by state, received once, in order."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from services.chassis.client import translated
from services.chassis.errors import LostOwnership, NotFound, Unavailable
from services.pipeline import failures, follow, stage
from services.pipeline.adapters.store import parts
from services.pipeline.split import UNITS
from services.pipeline.units import width
from tests.integration.pipeline.house import ADA, GROUP, MEMBERS, House, message, until
from tests.support.scripted_agent import Act, echo, hang
from tests.support.store import SERVER
from valor.pipeline.v1 import pipeline_pb2 as pb

LONG = "\n\n".join(f"Paragraph {number}: " + "many words " * 25 for number in range(180))
"""About 53,000 characters."""


async def long_answer(act: Act) -> str:
    return LONG


async def next_part(stream: Any, kind: "pb.PartKind.ValueType" = pb.PART_KIND_TEXT) -> pb.Part:
    """The next part of a stream, signs and drafts left out."""
    with translated():
        while True:
            event: pb.FollowResponse = await stream.read()
            if event.HasField("part") and event.part.kind == kind:
                return event.part


async def test_a_long_answer_arrives_whole_and_in_order(house: House) -> None:
    """F42, F107."""
    house.agent.script = long_answer
    turn = await house.ask("tell me everything")
    texts = house.channel.texts()
    assert len(texts) > len(LONG) // UNITS
    assert all(len(text) <= UNITS for text in texts)
    assert "".join(texts).split() == LONG.split()
    assert list(turn.answer_message_ids) == [post.message_id for post in house.channel.posts]


async def test_whatever_speaks_and_however_long_no_part_is_too_long_for_telegram(house: House) -> None:
    """F40. Answers, commands, what is promised, lists of it, refusals."""
    dice = random.Random(40)

    def fuzz(most: int) -> str:
        letters = dice.choice(["word ", "x", "🙂", "e\u0301", "*", "`<", "a\n\n"])
        return (letters * most)[: dice.randrange(1, most)]

    async def answer(act: Act) -> str:
        return fuzz(30_000)

    house.agent.script = answer
    asked = [fuzz(40_000) for _ in range(15)]
    asked += [
        f"/{name} {fuzz(4_000)}" for name in ("help", "usage", "cancel", "timezone", "steer", "remind", "nothing")
    ]
    asked += [f"/remind in 1 day {'🙂' * dice.randrange(900, 990)}" for _ in range(20)]
    asked += [f"/every day at 9:00 {fuzz(900)}" for _ in range(5)]
    asked += [f"/remind in 1 second {fuzz(900)}", "/promises", "/usage", "/status"]
    for number, text in enumerate(asked, start=1):
        await house.pipeline.submit(message(text, number=number))
    await house.pipeline.until(len(asked), "done")
    await until(lambda: any(text.startswith("Reminder: ") for text in house.channel.texts()))
    assert len(house.channel.parts()) > len(asked)
    assert [part.text for part in house.channel.parts() if not 0 < width(part.text) <= UNITS] == []


async def test_a_part_is_handed_out_when_the_one_before_it_was_received(house: House) -> None:
    """F8, F42."""
    await house.unfollow()
    house.agent.script = long_answer
    await house.pipeline.submit(message())
    await house.pipeline.until(1, "answering")
    stream = house.pipeline.follow()
    first = await next_part(stream)
    other = house.pipeline.follow()
    assert (await next_part(other)).part_id == first.part_id
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await next_part(other)
    stream = house.pipeline.follow()
    await next_part(stream)
    await house.pipeline.record(first.part_id, 1001)
    second = await next_part(stream)
    assert int(second.part_id) == int(first.part_id) + 1
    assert (await house.pipeline.turn(1)).state == pb.TURN_STATE_ANSWERING


async def test_only_what_was_due_when_the_stream_opened_is_possibly_sent(house: House) -> None:
    await house.unfollow()
    for chat in MEMBERS[:3]:
        await house.pipeline.submit(message("hello", chat=chat))
        await house.pipeline.until(1, "answering", chat)
    stream = house.pipeline.follow()
    due = [await next_part(stream) for _ in range(3)]
    await house.pipeline.submit(message("later"))
    later = await next_part(stream)
    await house.pipeline.submit(message("next", chat=MEMBERS[0], number=2))
    await house.pipeline.until(2, "answering", MEMBERS[0])
    await house.pipeline.record(due[0].part_id, 1001)
    following = await next_part(stream)
    assert [part.possibly_sent for part in due] == [True] * 3
    assert [(part.text, part.possibly_sent) for part in (later, following)] == [
        ("answer to later", False),
        ("answer to next", False),
    ]
    again = house.pipeline.follow()
    assert {(await next_part(again)).random_id for _ in range(4)} == {
        part.random_id for part in (*due[1:], later, following)
    }


async def test_a_newer_stream_ends_the_older(house: House) -> None:
    await house.unfollow()
    older = house.pipeline.follow()
    await house.pipeline.submit(message())
    assert (await next_part(older)).text == "answer to hello"
    newer = house.pipeline.follow()
    with pytest.raises(LostOwnership) as error:
        await next_part(older)
    assert error.value.reason == "FOLLOWED_ELSEWHERE"
    assert (await next_part(newer)).text == "answer to hello"


async def test_streams_of_different_accounts_know_nothing_of_each_other(house: House) -> None:
    """F80."""
    other = message("hello")
    other.account.account_id = 4
    await house.pipeline.submit(other)
    await house.ask("hello")
    assert [part.text for part in house.channel.parts()] == ["answer to hello"]
    assert house.rows("SELECT COUNT(*) FROM parts WHERE receipt_id IS NULL") == [1]


async def test_streams_cut_a_hundred_times_lose_nothing_and_double_nothing(house: House) -> None:
    """F43."""

    async def three_parts(act: Act) -> str:
        return f"{act.question} " + "word " * 2000

    dice = random.Random(1)
    house.agent.script = three_parts
    for number in range(1, 6):
        for chat in MEMBERS[:20]:
            await house.pipeline.submit(message(f"{number}", chat=chat, number=number))
    for _ in range(100):
        await asyncio.sleep(dice.random() * 0.02)  # at any moment
        await house.unfollow()
        house.follow()
    for chat in MEMBERS[:20]:
        await house.pipeline.until(5, "done", chat)
        said = " ".join(house.channel.texts(chat)).split()
        assert said == " ".join(f"{number} " + "word " * 2000 for number in range(1, 6)).split()
    assert house.channel.blind == []


async def test_what_is_written_while_nobody_follows_is_sent_later(house: House) -> None:
    """F37."""
    await house.unfollow()
    for number in range(1, 51):
        await house.pipeline.submit(message(f"{number}", number=number))
    await house.pipeline.until(50, "answering")
    house.follow()
    await house.pipeline.until(50, "done")
    assert house.channel.texts() == [f"answer to {number}" for number in range(1, 51)]


async def test_what_is_fleeting_is_not_kept_for_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "TYPING_AFTER", 0.0)
    monkeypatch.setattr(stage, "TYPING_AGAIN", 1000.0)
    monkeypatch.setattr(stage, "TICK", 0.001)
    show_here, shown = follow.Followers.show_here, list[Any]()

    def note(followers: follow.Followers, event: Any) -> bool:
        shown.append(event)
        return show_here(followers, event)

    monkeypatch.setattr(follow.Followers, "show_here", note)
    async with House(tmp_path).open() as house:
        await house.unfollow()
        house.agent.script = hang
        early = await house.pipeline.submit(message())
        await until(lambda: len(shown) == 1 + bool(SERVER))  # on a server it goes round by all replicas
        house.agent.script = echo
        house.follow()
        await house.ask("hello", chat=MEMBERS[0])
        assert early.turn_id not in {event.typing.turn_id for event in house.channel.events}


async def test_a_part_that_is_refused_frees_its_lane_and_the_person_is_told(house: House) -> None:
    """F8, F27. Nothing is sent that would look like success."""
    house.agent.on("hello", long_answer)
    refused: list[str] = []

    def refuse(part: pb.Part) -> str:
        if len(house.channel.posts) == 1 and not refused:
            refused.append(part.part_id)
        return "MESSAGE_TOO_LONG" if part.part_id in refused else ""

    house.channel.refuse = refuse
    await house.pipeline.submit(message("hello"))
    turn = await house.pipeline.until(1, "failed")
    await house.ask("next", number=2)
    texts = house.channel.texts()
    assert texts[-2:] == [failures.WORDS["UNDELIVERABLE"], "answer to next"]
    assert len(house.channel.parts()) == len({part.part_id for part in house.channel.parts()})
    assert turn.reason == "UNDELIVERABLE"
    assert house.channel.parts(pb.PART_KIND_REACTION) == []
    letters = (await house.pipeline.dead()).dead_letters
    assert [(letter.reason, letter.cause) for letter in letters] == [("UNDELIVERABLE", "MESSAGE_TOO_LONG")]


async def test_a_chat_that_refuses_everything_is_left_alone(house: House) -> None:
    house.channel.refuse = lambda _: "USER_IS_BLOCKED"
    await house.pipeline.submit(message("hello"))
    turn = await house.pipeline.until(1, "failed")
    await until(lambda: house.rows("SELECT id FROM parts WHERE error IS NULL") == [])
    assert len(house.channel.parts()) == 2
    assert (await house.pipeline.turn(1)).settled
    assert list(turn.answer_message_ids) == []
    assert house.rows("SELECT message FROM chat_history WHERE direction = 'out'") == []


async def test_an_outcome_recorded_again_changes_nothing(house: House) -> None:
    """F10."""
    turn = await house.ask("hello")
    part = house.channel.parts()[0]
    await house.pipeline.record(part.part_id, 77)
    await house.pipeline.record(part.part_id, error="TOO_LATE")
    assert await house.pipeline.turn(1) == turn


async def test_the_outcome_of_an_unknown_part_is_taken_without_effect(house: House) -> None:
    await house.pipeline.record("999", 77)
    await house.ask("hello")


async def test_an_unknown_turn_is_not_found(house: House) -> None:
    with pytest.raises(NotFound):
        await house.pipeline.turn(1)


@pytest.mark.parametrize("outcome", ["unanswered", "refused"])
async def test_a_reaction_never_holds_up_an_answer(house: House, outcome: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """F27, F94."""
    monkeypatch.setattr(stage, "WORKING_AFTER", 0.0)
    await house.unfollow()
    house.agent.script = hang
    await house.pipeline.submit(message())
    stream = house.pipeline.follow()
    reaction = await next_part(stream, pb.PART_KIND_REACTION)
    assert (reaction.text, reaction.target_message_id) == (stage.SEEN, 1)
    if outcome == "refused":
        await house.pipeline.record(reaction.part_id, error="REACTION_INVALID")
    house.agent.script = echo
    await house.pipeline.edit(message(), "good evening")
    part = await next_part(stream)
    await house.pipeline.record(part.part_id, 1001)
    turn = await house.pipeline.turn(1)
    assert (turn.state, turn.settled) == (pb.TURN_STATE_DONE, True)


async def test_a_reaction_that_replaces_one_still_being_sent_is_sent_too(house: House) -> None:
    """F94."""

    async def react(act: Act) -> str:
        await act.host("react", {"emoji": "👍"})
        await until(lambda: house.channel.reactions[ADA, 1] == ["👍"])
        await act.host("react", {"emoji": "🦄"})
        return "done"

    house.channel.go.clear()
    house.agent.script = react
    await house.pipeline.submit(message())
    await until(lambda: house.channel.reactions[ADA, 1])
    house.channel.go.set()
    await until(lambda: house.channel.reactions[ADA, 1] == ["👍", "🦄"])
    await house.pipeline.until(1, "done")


async def test_the_agents_reaction_outlasts_ours(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def react(act: Act) -> str:
        await act.host("react", {"emoji": "👍"})
        await asyncio.sleep(0.08)
        return "done"

    monkeypatch.setattr(stage, "WORKING_AFTER", 0.05)
    monkeypatch.setattr(stage, "TICK", 0.005)
    house.agent.script = react
    await house.ask("hello")
    assert house.channel.reactions[ADA, 1] == ["👍"]


async def test_a_missed_wake_up_delays_a_part_by_one_poll_at_most_however_busy_the_stream_is(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F29."""
    monkeypatch.setattr(follow, "POLL", 0.2)
    monkeypatch.setattr(follow.Followers, "look_at", lambda *_: None)
    monkeypatch.setattr(stage, "DRAFT_AFTER", 0.0)
    monkeypatch.setattr(stage, "DRAFT_AGAIN", 0.01)
    monkeypatch.setattr(stage, "TICK", 0.005)

    async def talk(act: Act) -> None:
        while True:
            await act.say("and so on ")
            await asyncio.sleep(0.01)

    house.agent.on("talk", talk)
    await house.pipeline.submit(message("talk", chat=MEMBERS[0]))
    await until(lambda: len(house.channel.events) > 5)
    await house.ask("hello")


@pytest.mark.parametrize("error", ["read", "deliver"])
async def test_a_database_that_fails_for_a_moment_loses_no_part(
    house: House, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = {"due": 3, "deliver": 3}
    name = "due" if error == "read" else "deliver"
    real = getattr(parts.PartTable, name)

    async def fails(self: parts.PartTable, *arguments: Any) -> Any:
        if broken[name]:
            broken[name] -= 1
            raise Unavailable("The database refused.", reason="DATABASE_REFUSED")
        return await real(self, *arguments)

    monkeypatch.setattr(parts.PartTable, name, fails)
    await house.ask("hello")
    assert house.channel.texts() == ["answer to hello"]
    assert broken[name] == 0


async def test_topics_are_lanes_of_their_own_for_parts_too(house: House) -> None:
    """F17, F87."""
    await house.unfollow()
    for topic in (1, 2):
        request = message(f"@valor_bot in {topic}", chat=GROUP, topic=topic, number=topic)
        await house.pipeline.submit(request)
        await house.pipeline.until(topic, "answering", GROUP)
    stream = house.pipeline.follow()
    found = [await next_part(stream), await next_part(stream)]
    assert [(part.address.topic_id, part.text) for part in found] == [(1, "answer to in 1"), (2, "answer to in 2")]
