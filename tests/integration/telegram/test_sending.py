"""Each part reaches the person once, whatever breaks in between."""

import asyncio
import itertools
from typing import Any

import pytest

from services.chassis import client
from services.telegram import __main__ as main
from services.telegram import deliver
from services.telegram.adapters import client as telethon_client
from services.testdc.faults import DROP_AFTER, DROP_BEFORE, SWALLOW, Fault, delay, error, flood, slow_send
from services.testdc.model import Account
from tests.integration.telegram.scene import Scene, break_once, metric, quiet
from tests.support.process import CREDENTIAL
from tests.support.sandbox import until
from valor.common.v1 import common_pb2 as common
from valor.pipeline.v1 import pipeline_pb2 as pb
from valor.pipeline.v1 import pipeline_pb2_grpc as rpc

SEND = "messages.sendMessage"
MODES = ("returns_first", "duplicate", "forgotten")
FAULTS: dict[str, Fault] = {
    "drop_after": DROP_AFTER,
    "drop_before": DROP_BEFORE,
    "swallow": SWALLOW,
    "slow_send": slow_send(0.2),
    "delay": delay(0.2),
    "INTERNAL": error(500, "INTERNAL"),
    "RPC_CALL_FAIL": error(500, "RPC_CALL_FAIL"),
    "Timeout": error(-503, "Timeout"),
}


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telethon_client, "PATIENCE", 0.4)
    monkeypatch.setattr(main, "GRACE", 0.05)


def sends(scene: Scene) -> int:
    """How often the service asked for a message to be sent."""
    return scene.dc.world.calls.counts[SEND]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.usefixtures("_impatient")
async def test_a_part_arrives_once_whatever_happens_to_its_call(
    scene: Scene, anna: Account, mode: Any, fault: str
) -> None:
    """Covers F9, F10, F19, F54."""
    scene.dc.world.limits.random_ids = mode
    async with scene.telegram():
        scene.dc.faults.add(SEND, FAULTS[fault])
        assert await scene.delivered(scene.pipeline.send(anna.id, "once")) == [1]
        scene.dc.kill_connections()  # what the library still holds it would make again on a new connection
        assert await scene.delivered(scene.pipeline.send(anna.id, "after")) == [2]
        assert scene.seen(anna) == ["once", "after"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["private", "basic", "supergroup"])
@pytest.mark.usefixtures("_impatient")
async def test_a_part_that_arrived_before_is_found_and_not_sent_again(
    scene: Scene, anna: Account, kind: Any, mode: Any
) -> None:
    """Covers F3, F9, F41."""
    scene.dc.world.limits.random_ids = mode
    chat = anna if kind == "private" else scene.dc.world.add_group("Team", anna, scene.bot, kind=kind)
    async with scene.telegram():
        scene.say(anna, "hello", scene.bot if kind == "private" else chat)
        await scene.received(chat.id, "hello")
        scene.pipeline.go.clear()
        part = scene.pipeline.send(chat.id, "once")
        await until(lambda: sends(scene) == 1)
    scene.pipeline.go.set()
    async with scene.telegram():
        (message_id,) = await scene.delivered(part)
        again = scene.pipeline.send(chat.id, "next")
        assert await scene.delivered(again) == [int(message_id) + 1]
    assert sends(scene) == 2
    assert scene.seen(anna, scene.bot if kind == "private" else chat) == ["once", "next"]


async def test_a_part_that_was_handed_out_and_never_sent_is_sent_after_looking(scene: Scene, anna: Account) -> None:
    scene.dc.world.limits.random_ids = "forgotten"
    part = scene.pipeline.send(anna.id, "late")
    async with scene.telegram():
        assert await scene.delivered(part) == [1]
    assert scene.seen(anna) == ["late"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.usefixtures("_impatient")
async def test_a_long_answer_arrives_whole_and_in_order_with_a_fault_at_every_part(
    scene: Scene, anna: Account, bob: Account, mode: Any
) -> None:
    """Covers F42."""
    scene.dc.world.limits.random_ids = mode
    faults = itertools.cycle([DROP_AFTER, error(500, "INTERNAL"), DROP_BEFORE, slow_send(0.05)])
    texts = [f"{number:2}" + "x" * 4000 for number in range(13)]
    async with scene.telegram():
        for _ in texts:
            scene.dc.faults.add(SEND, next(faults))
        parts = [scene.pipeline.send(person.id, text) for text in texts for person in (anna, bob)]
        await scene.delivered(*parts)
    assert scene.seen(anna) == texts
    assert scene.seen(bob) == texts


@pytest.mark.parametrize(
    ("table", "fault"), [("wait", flood(1)), ("sent", DROP_AFTER), ("sent", DROP_BEFORE), ("access_hash", delay(0.01))]
)
async def test_tables_that_are_away_while_a_part_is_sent_are_no_verdict_on_it(
    scene: Scene, anna: Account, monkeypatch: pytest.MonkeyPatch, table: str, fault: Fault
) -> None:
    """Covers F9."""
    scene.dc.world.limits.random_ids = "forgotten"
    async with scene.telegram():
        broken = break_once(monkeypatch, table)
        scene.dc.faults.add(SEND, fault)
        assert await scene.delivered(scene.pipeline.send(anna.id, "once")) == [1]
        assert broken == []
        assert scene.seen(anna) == ["once"]


async def test_a_part_that_arrived_before_is_found_while_a_persons_queue_is_full(
    scene: Scene, anna: Account, bob: Account
) -> None:
    """Covers F9: which random ids became messages is known before what stands beside them is kept."""
    scene.dc.world.limits.random_ids = "forgotten"
    async with scene.telegram():
        scene.pipeline.crowded = {anna.id}
        scene.say(anna, "too much")
        scene.dc.faults.add(SEND, DROP_AFTER)
        assert await scene.delivered(scene.pipeline.send(bob.id, "once")) == [2]
        assert scene.seen(bob) == ["once"]


REFUSALS = [(400, "USER_IS_BLOCKED"), (403, "CHAT_WRITE_FORBIDDEN"), (400, "PEER_ID_INVALID"), (400, "TOPIC_DELETED")]
NOT_THE_LOGIN = [(406, "PRIVACY_PREMIUM_REQUIRED"), (406, "TOPIC_CLOSED"), (400, "A_WORD_OF_TOMORROW")]


@pytest.mark.parametrize(("code", "reason"), [*REFUSALS, *NOT_THE_LOGIN])
async def test_what_is_refused_for_good_is_recorded_and_frees_the_lane(
    scene: Scene, anna: Account, code: int, reason: str
) -> None:
    """Covers F8."""
    async with scene.telegram() as vitals:
        scene.dc.faults.add(SEND, error(code, reason))
        first, second = scene.pipeline.send(anna.id, "first"), scene.pipeline.send(anna.id, "second")
        assert await scene.delivered(first, second) == [reason, 1]
        assert sends(scene) == 2
        assert vitals.said == [False, True]  # it is no matter of the login


@pytest.mark.parametrize(
    ("text", "reason"), [("x" * 4097, "MESSAGE_TOO_LONG"), (" ", "MESSAGE_EMPTY"), ("lone \ufffd", 1)]
)
async def test_texts_that_telegram_does_not_take_are_refused_by_its_own_word(
    scene: Scene, anna: Account, text: str, reason: Any
) -> None:
    async with scene.telegram():
        assert await scene.delivered(scene.pipeline.send(anna.id, text)) == [reason]


async def test_a_person_who_blocked_the_bot_holds_up_nobody(scene: Scene, anna: Account, bob: Account) -> None:
    scene.dc.world.block(anna, scene.bot)
    async with scene.telegram():
        refused = [scene.pipeline.send(anna.id, "no"), scene.pipeline.send(anna.id, "no again")]
        sent = scene.pipeline.send(bob.id, "yes")
        assert await scene.delivered(*refused, sent) == ["USER_IS_BLOCKED", "USER_IS_BLOCKED", 1]


@pytest.mark.parametrize("mode", ["refused", "dropped"])
async def test_a_reply_to_a_deleted_message_goes_out_without_the_reply(scene: Scene, anna: Account, mode: Any) -> None:
    scene.dc.world.limits.reply_to_deleted = mode
    async with scene.telegram():
        question = scene.say(anna, "question")
        part = scene.pipeline.send(anna.id, "answer", reply_to_message_id=question.message_id(scene.bot.id))
        assert await scene.delivered(part) == [2]
        scene.dc.world.delete(anna, question)
        late = scene.pipeline.send(anna.id, "late answer", reply_to_message_id=question.message_id(scene.bot.id))
        assert await scene.delivered(late) == [3]
        shown = scene.dc.world.view(anna, scene.bot).messages[-1]
    assert (shown.text, shown.reply_to) == ("late answer", None)


async def test_a_reply_is_shown_as_one(scene: Scene, anna: Account) -> None:
    async with scene.telegram():
        question = scene.say(anna, "question")
        part = scene.pipeline.send(anna.id, "answer", reply_to_message_id=question.message_id(scene.bot.id))
        await scene.delivered(part)
        assert scene.dc.world.view(anna, scene.bot).messages[-1].reply_to == question.message_id(anna.id)


def span(kind: str, offset: int, length: int, value: str = "") -> common.Entity:
    return common.Entity(type=kind, offset=offset, length=length, value=value)


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (span("bold", 0, 2), {"type": "Bold"}),
        (span("italic", 0, 2), {"type": "Italic"}),
        (span("underline", 0, 2), {"type": "Underline"}),
        (span("strikethrough", 0, 2), {"type": "Strike"}),
        (span("spoiler", 0, 2), {"type": "Spoiler"}),
        (span("code", 0, 2), {"type": "Code"}),
        (span("pre", 0, 2, "python"), {"type": "Pre", "language": "python"}),
        (span("text_link", 0, 2, "https://a.b/"), {"type": "TextUrl", "url": "https://a.b/"}),
        (span("blockquote", 0, 2), {"type": "Blockquote", "collapsed": False}),
        (span("expandable_blockquote", 0, 2), {"type": "Blockquote", "collapsed": True}),
    ],
)
async def test_entities_arrive_as_they_were_meant_counted_in_utf16_units(
    scene: Scene, anna: Account, sent: common.Entity, shown: dict[str, Any]
) -> None:
    """Covers F107."""
    async with scene.telegram():
        part = scene.pipeline.send(anna.id, "😀 👍x", entities=[sent, span(sent.type, 5, 1, sent.value)])
        await scene.delivered(part)
        (seen,) = scene.dc.world.view(anna, scene.bot).messages
    assert seen.entities == [{**shown, "offset": 0, "length": 2}, {**shown, "offset": 5, "length": 1}]


async def test_an_entity_nobody_knows_is_left_out_and_the_text_goes_out(scene: Scene, anna: Account) -> None:
    async with scene.telegram():
        part = scene.pipeline.send(anna.id, "text", entities=[span("hologram", 0, 2), span("bold", 2, 2)])
        assert await scene.delivered(part) == [1]
        (seen,) = scene.dc.world.view(anna, scene.bot).messages
    assert [entity["type"] for entity in seen.entities] == ["Bold"]


async def test_a_receipt_is_given_until_the_pipeline_has_it(scene: Scene, anna: Account, bob: Account) -> None:
    async with scene.telegram():
        scene.pipeline.refuse = lambda _: False
        scene.pipeline.away = True
        part = scene.pipeline.send(anna.id, "one")
        await until(lambda: scene.pipeline.calls["RecordDelivery"] > 5)
        assert scene.seen(anna) == ["one"]
        scene.pipeline.away = False
        assert await scene.delivered(part) == [1]
        await scene.delivered(scene.pipeline.send(bob.id, "two"))
        assert len(scene.pipeline.records[part]) == 1
        assert sends(scene) == 2


async def test_a_receipt_that_the_pipeline_will_never_take_is_let_go(scene: Scene, anna: Account) -> None:
    async with scene.telegram():
        scene.pipeline.refuse = lambda request: isinstance(request, pb.RecordDeliveryRequest)
        scene.pipeline.send(anna.id, "one")
        await until(lambda: scene.pipeline.calls["RecordDelivery"] == 1)
        await until(lambda: metric("telegram_pending_parts") == 0)


async def test_a_stream_that_is_cut_a_hundred_times_loses_and_doubles_nothing(
    scene: Scene, anna: Account, bob: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver, "PAUSES", (0.001,))
    texts = [str(number) for number in range(30)]
    async with scene.telegram():
        parts = [scene.pipeline.send(person.id, text) for text in texts for person in (anna, bob)]
        for _ in range(100):
            opened = scene.pipeline.calls["Follow"]
            scene.pipeline.cut()
            await until(lambda opened=opened: scene.pipeline.calls["Follow"] > opened)  # type: ignore[misc]
        await scene.delivered(*parts)
    assert (scene.seen(anna), scene.seen(bob)) == (texts, texts)
    assert all(len({record.message_id for record in scene.pipeline.records[part]}) == 1 for part in parts)
    assert sends(scene) == len(parts)


async def test_the_account_takes_its_stream_back_from_another_follower(scene: Scene, anna: Account) -> None:
    async with scene.telegram(), client.connect(scene.place.address, CREDENTIAL) as caller:
        stub = rpc.PipelineServiceStub(caller.channel)
        other = stub.Follow(pb.FollowRequest(), metadata=caller.metadata())
        reading = asyncio.ensure_future(other.read())
        await until(lambda: scene.pipeline.calls["Follow"] == 3)
        part = scene.pipeline.send(anna.id, "mine")
        assert await scene.delivered(part) == [1]
        await asyncio.wait([reading])
        reading.exception()


async def test_a_chat_that_nobody_knows_is_refused_and_known_ones_go_on(scene: Scene, anna: Account) -> None:
    group = scene.dc.world.add_group("Secret", anna)
    async with scene.telegram():
        unknown = scene.pipeline.send(group.id, "hello?")
        known = scene.pipeline.send(anna.id, "hello")
        outcomes = await scene.delivered(unknown, known)
        assert outcomes[1] == 1
        assert str(outcomes[0]).isupper()


async def test_what_a_chat_is_called_by_is_learnt_even_after_a_refusal(scene: Scene, anna: Account) -> None:
    """A part that came too early must not make the account unable to speak in a supergroup for ever."""
    group = scene.dc.world.add_group("Team", anna)
    async with scene.telegram():
        assert isinstance((await scene.delivered(scene.pipeline.send(group.id, "too early")))[0], str)
        scene.dc.world.join(scene.bot, group)
        scene.say(anna, "hello", group)
        await scene.received(group.id, "hello")
        assert await scene.delivered(scene.pipeline.send(group.id, "hi")) == [2]


async def test_a_stop_waits_for_what_is_on_its_way_and_for_its_receipt(scene: Scene, anna: Account) -> None:
    async with scene.telegram():
        scene.dc.faults.add(SEND, delay(0.3))
        part = scene.pipeline.send(anna.id, "last words")
        await until(lambda: sends(scene) == 1)
    assert scene.pipeline.outcome(part) == 1
    await quiet(0)
