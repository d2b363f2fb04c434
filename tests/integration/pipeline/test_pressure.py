"""More than can be worked on: what is refused for now, who comes first, and what people are told."""

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from services.chassis.database import Database
from services.chassis.errors import Exhausted, ValorError
from services.pipeline import absence, failures, migrations
from services.pipeline.adapters.store import SqlStore
from services.pipeline.gate import Pace
from services.pipeline.model import Account, Address, ChatType, Disposition, Draft, Message, Role, Sender, Usage
from services.pipeline.ports import Admission, Person
from tests.integration.pipeline.house import ADA, GROUP, MEMBERS, House, message, until
from tests.support.scripted_agent import Act, echo, fails, hang
from valor.pipeline.v1 import pipeline_pb2 as pb

BOB, EVE, *_ = MEMBERS


async def insist(house: House, request: pb.SubmitMessageRequest) -> None:
    """Submit as a channel does: again when it is said to."""
    while True:
        try:
            await house.pipeline.submit(request)
        except Exhausted:
            await asyncio.sleep(0.01)
        else:
            return


# -- too much waits ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("bound", "reason"), [({"waiting_person": 3}, "PERSON_QUEUE_FULL"), ({"waiting_total": 3}, "QUEUE_FULL")]
)
async def test_what_there_is_no_room_for_comes_again_and_nothing_is_lost(
    tmp_path: Path, bound: dict[str, int], reason: str
) -> None:
    """F37."""
    async with House(tmp_path, **bound).open() as house:
        go = asyncio.Event()

        async def wait(act: Act) -> str:
            await go.wait()
            return act.question

        house.agent.script = wait
        await house.pipeline.submit(message("1", number=1))
        await until(house.agent.running)
        for number in (2, 3, 4):
            await house.pipeline.submit(message(f"{number}", number=number))
        with pytest.raises(Exhausted) as full:
            await house.pipeline.submit(message("5", number=5))
        assert (full.value.reason, full.value.retry_after) == (reason, 1.0)
        repeat = await house.pipeline.submit(message("4", number=4))
        assert repeat.disposition == pb.DISPOSITION_QUEUED
        later = asyncio.gather(*(insist(house, message(f"{number}", number=number)) for number in (5,)))
        go.set()
        await later
        await insist(house, message("6", number=6))
        await house.pipeline.until(6, "done")
        assert house.channel.texts() == ["1", "2", "3", "4", "5", "6"]


async def test_one_person_s_full_queue_is_nobody_else_s(tmp_path: Path) -> None:
    async with House(tmp_path, waiting_person=1).open() as house:
        house.agent.on("hello", hang)
        for number in (1, 2):
            await house.pipeline.submit(message("hello", number=number))
            await until(house.agent.running)
        with pytest.raises(Exhausted):
            await house.pipeline.submit(message("hello", number=3))
        house.agent.on("hi", echo)
        await house.ask("hi", chat=BOB)
        stopped = await house.pipeline.submit(message("/stop", number=4))
        assert stopped.disposition == pb.DISPOSITION_ACTED
        await house.pipeline.submit(message("/help", number=5))
        await house.pipeline.until(5, "done")


async def test_a_flood_of_a_thousand_slows_only_the_one_who_floods(tmp_path: Path) -> None:
    """F37: another person's wait, measured before and during the flood."""
    async with House(tmp_path, rate_per_minute=60, capacity=2).open() as house:
        await house.ask("hello", chat=BOB)
        flood = [message(f"{number}", number=number) for number in range(1, 1001)]
        await asyncio.gather(*(house.pipeline.submit(request) for request in flood))
        waits = []
        for number in range(2, 7):
            began = time.monotonic()
            await house.ask("hello", chat=BOB, number=number)
            waits.append(time.monotonic() - began)
        assert sorted(waits)[2] < 1.0
        assert (await house.pipeline.queue()).waiting > 900


# -- who comes first ---------------------------------------------------------------------------------------------------
ACCOUNT = Account("telegram", 42, "valor_bot")
CASES = {
    "the oldest first where nobody was served": ([], ["a1", "b1", "c1"], ["a", "b", "c"]),
    "served longest ago first, however old the others are": (["a1", "b1"], ["a2", "b2", "c1"], ["c", "a", "b"]),
    "a chat that floods waits behind one that was served before it": (["b1", "a1"], ["a2", "b2"], ["b", "a"]),
    "one turn of each chat before a second of any": ([], ["g1", "g2", "g3", "a1", "b1"], ["g", "a", "b", "g", "g"]),
    "topics of a chat share its turn": (["g1", "a1"], ["g2", "g3", "a2", "b1"], ["b", "g", "a", "g"]),
}


@pytest.mark.parametrize("named", [False, True], ids=["all", "named lanes"])
@pytest.mark.parametrize(("served", "waiting", "order"), CASES.values(), ids=CASES)
async def test_chats_share_fairly_when_there_is_not_room_for_all(
    tmp_path: Path, served: list[str], waiting: list[str], order: list[str], *, named: bool
) -> None:
    clock = SimpleNamespace(now=1000.0)
    async with Database.open(tmp_path / "pipeline.db", migrations) as database:
        store = SqlStore(database, Pace(6000, 6000), lambda: clock.now)

        async def ask(name: str) -> Message:
            clock.now += 1
            number = int(clock.now)
            chat = Address(-100 if name[0] == "g" else ord(name[0]), int(name[1]) if name[0] == "g" else 0)
            asked = Message(ACCOUNT, chat, ChatType.SUPERGROUP, number, Sender(8, "Ada"), name)
            await store.accept(asked, Admission(Disposition.QUEUED, Person("1", Role.MEMBER)))
            return asked

        for name in served:
            await ask(name)
            (turn,) = await store.claim(None, 1)
            await store.finish(turn, [Draft("done")], Usage())
        lanes = [(await ask(name)).lane for name in waiting]
        found = []
        while turns := await store.claim(lanes if named else None, 1):
            clock.now += 1
            found.append(turns[0].message.text[0])
            await store.finish(turns[0], [Draft("done")], Usage())
        assert found == order


async def test_with_room_for_one_everybody_gets_their_turn_in_between(tmp_path: Path) -> None:
    """A supergroup whose topics are all busy does not keep a private chat waiting."""
    async with House(tmp_path, capacity=1).open() as house:
        go = asyncio.Event()

        async def wait(act: Act) -> str:
            await go.wait()
            return act.question

        house.agent.script = wait
        for topic in range(1, 31):
            await house.pipeline.submit(message(f"@valor_bot {topic}", chat=GROUP, topic=topic, number=topic))
        for chat in (BOB, EVE):
            await house.pipeline.submit(message("hello", chat=chat))
        go.set()
        for topic in range(1, 31):
            await house.pipeline.until(topic, "done", GROUP)
        questions = [act.question for act in house.agent.acts]
        assert max(questions.index("hello"), len(questions) - 1 - questions[::-1].index("hello")) < 5


# -- a model at its limits ---------------------------------------------------------------------------------------------
def limited(seconds: float) -> ValorError:
    return Exhausted("slow down", reason="MODEL_RATE_LIMITED", retry_after=seconds)


async def test_who_waits_for_a_model_at_its_limits_is_told_once_and_order_is_kept(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "NOTABLE", 0.01)
    house.agent.on("1", *[fails(limited(0.02))] * 3, echo)
    house.agent.on("2", fails(limited(0.02)), echo)
    for number in (1, 2):
        await house.pipeline.submit(message(f"{number}", number=number))
    turn = await house.pipeline.until(2, "done")
    assert house.channel.texts() == [failures.WAITING, "answer to 1", "answer to 2"]
    assert len((await house.pipeline.turn(1)).answer_message_ids) == len(turn.answer_message_ids) == 1


async def test_nobody_is_told_of_a_moment(house: House) -> None:
    house.agent.on("hello", fails(limited(0.01)), echo)
    await house.ask("hello")
    assert house.channel.texts() == ["answer to hello"]


async def test_in_a_group_it_is_told_to_the_one_who_asked_in_their_topic(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "NOTABLE", 0.01)
    house.agent.on("hello", fails(limited(0.02)), echo)
    await house.ask("@valor_bot hello", chat=GROUP, user=ADA, number=7, topic=3)
    assert [(post.texts[0], post.address, post.reply_to) for post in house.channel.posts] == [
        (failures.WAITING, (GROUP, 3), 7),
        ("answer to hello", (GROUP, 3), 7),
    ]


# -- no agent ----------------------------------------------------------------------------------------------------------
async def test_when_no_agent_can_be_reached_for_long_the_person_is_told_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F30. Whoever waits behind is not told again; all are answered when an agent is back, in order."""
    monkeypatch.setattr(absence, "LONG", 0.2)
    await house.agents.stop()
    for number in (1, 2):
        await house.pipeline.submit(message(f"{number}", number=number))
    await until(house.channel.texts)
    await asyncio.sleep(0.5)  # that nothing more is said can only be waited for
    assert house.channel.texts() == [failures.NOBODY]
    await house.agents.start()
    await house.pipeline.until(2, "done")
    assert house.channel.texts() == [failures.NOBODY, "answer to 1", "answer to 2"]


async def test_who_cannot_be_answered_for_want_of_an_agent_is_told_so(tmp_path: Path) -> None:
    """F30."""
    async with House(tmp_path, turn_seconds=0.2).open() as house:
        await house.agents.stop()
        await house.pipeline.submit(message())
        assert (await house.pipeline.until(1, "failed")).reason == failures.NO_AGENT
        await until(house.channel.texts)
        assert house.channel.texts() == [failures.WORDS[failures.NO_AGENT]]
