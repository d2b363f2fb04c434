"""The order of a chat at unlucky moments: clocks differ, people is away, what others had joined begins anew."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.chassis.database import Database
from services.pipeline import migrations
from services.pipeline.adapters.store import SqlStore
from services.pipeline.budget import Amount, Limit, Need, Scope, Unit, Window
from services.pipeline.gate import Pace
from services.pipeline.model import Checkpoint, Disposition, Draft, Message, Steer, Turn, Usage
from services.pipeline.ports import Admission, Person
from tests.integration.pipeline.test_store import ACCOUNT, BOB, QUEUED, Clock, asked
from tests.support.store import place, rows

UNKNOWN = Admission(Disposition.QUEUED, Person())
BY_BOB = Admission(Disposition.QUEUED, BOB)
CHAT = 8


class Replica(SqlStore):
    """A store with a clock of its own."""

    def __init__(self, database: Database, pace: Pace, ahead: float) -> None:
        self.clock = Clock()
        self.clock.now += ahead
        super().__init__(database, pace, self.clock)

    async def answer(self) -> list[int]:
        """Answer what may be answered; the numbers of the messages."""
        turns = await self.claim(None, 10)
        for turn in turns:
            await self.finish(turn, [Draft("x")], Usage())
        return [turn.message.message_id for turn in turns]


@pytest.fixture
async def replicas(tmp_path: Path) -> AsyncIterator[tuple[Replica, Replica]]:
    """The first one's clock is half a second ahead."""
    async with Database.open(place(tmp_path, "pipeline"), migrations) as database:
        yield Replica(database, Pace(60, 2), 0.5), Replica(database, Pace(60, 2), 0.0)


@pytest.mark.parametrize("second", [QUEUED, BY_BOB, UNKNOWN], ids=["the same", "another", "unknown"])
async def test_clocks_that_differ_change_no_order(replicas: tuple[Replica, Replica], second: Admission) -> None:
    ahead, behind = replicas
    await ahead.accept(asked(1), QUEUED)
    await behind.accept(asked(2), second)
    assert await behind.answer() == []
    behind.clock.now += 1
    assert [await behind.answer() for _ in range(2)] == [[1], [2]]


async def test_who_is_not_known_for_a_moment_does_not_overtake_what_was_written_too_fast(
    replicas: tuple[Replica, Replica],
) -> None:
    store, _ = replicas
    for number in range(1, 5):
        await store.accept(asked(number), QUEUED)
    await store.accept(asked(5), UNKNOWN)
    answered = []
    for _ in range(20):
        answered += await store.answer()
        store.clock.now += 0.5
    assert answered == [1, 2, 3, 4, 5]


async def test_what_waits_its_time_is_not_overtaken_by_joining_either(replicas: tuple[Replica, Replica]) -> None:
    store, _ = replicas
    await store.set_steering(ACCOUNT, CHAT, on=True)
    for number in range(1, 4):
        await store.accept(asked(number), QUEUED)
    await store.accept(asked(4), UNKNOWN)
    (turn,) = await store.claim(None, 1)
    assert [found.message.message_id for found in await store.joining(turn)] == [2]
    store.clock.now += 60
    assert [found.message.message_id for found in await store.joining(turn)] == [2, 3, 4]


async def joined(store: Replica, message: Message) -> Turn:
    """A turn that another has joined, handed over after its first step."""
    await store.set_steering(ACCOUNT, CHAT, on=True)
    await store.accept(message, QUEUED)
    (turn,) = await store.claim(None, 1)
    await store.accept(asked(message.message_id + 1, text="second"), QUEUED)
    (other,) = await store.joining(turn)
    await store.add_checkpoint(turn, Checkpoint(1, b"x", Usage(), (Steer.name(other.turn_id, 0),)))
    await store.release(turn)
    return turn


async def test_what_had_joined_is_told_to_the_run_of_the_new_wording(replicas: tuple[Replica, Replica]) -> None:
    store, _ = replicas
    question = asked(1, text="first")
    await joined(store, question)
    await store.edit(replace(question, text="other", version=1))
    (turn,) = await store.claim(None, 1)
    assert turn.message.text == "other"
    assert [found.message.text for found in await store.joining(turn)] == ["second"]
    assert await store.answer() == []
    assert await store.finish(turn, [Draft("x")], Usage())
    assert await store.answer() == [2]


async def test_what_joins_leaves_nothing_reserved(replicas: tuple[Replica, Replica], tmp_path: Path) -> None:
    store, _ = replicas
    await store.accept(asked(2), QUEUED)
    (later,) = await store.claim(None, 1)
    limit = Limit(Scope.PERSON, Window.DAY, Unit.TOKENS, 1000)
    assert await store.reserve(later, Need(Amount(100, 0), (limit,))) is None
    await store.release(later)
    await store.accept(asked(1), QUEUED)
    (turn,) = await store.claim(None, 1)
    await store.finish(turn, [Draft("x")], Usage(), steer_ids=[Steer.name(later.turn_id, 0)])
    assert rows(place(tmp_path, "pipeline"), "SELECT * FROM reservations") == []
    assert next(amount for scope, _, amount in await store.used(asked(2)) if scope is Scope.PERSON).tokens == 100
