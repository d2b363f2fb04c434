"""Turns given to runners: begun once, stopped when they are void, handed over at the end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from typing import cast

import pytest

from services.chassis.errors import LostOwnership, Unavailable
from services.pipeline import dispatch
from services.pipeline.dispatch import Dispatcher
from services.pipeline.model import Queue, Turn
from services.pipeline.ports import Turns
from tests.unit.pipeline.messages import turn


class Desk:
    """Turns that wait to be claimed, and a runner that takes until it is let."""

    def __init__(self) -> None:
        self.waiting: list[Turn] = []
        self.released: list[str] = []
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.go = asyncio.Event()
        self.while_claiming: list[str] = []
        self.away = 0
        self.lost: set[str] = set()
        self.kept: set[str] = set()
        self.reclaimed = 0
        self.admitted = True
        self.dispatcher = Dispatcher(cast("Turns", self), self.run, 10, lambda: self.admitted)

    async def claim(self, _lanes: Iterable[str] | None, limit: int) -> list[Turn]:
        if self.away:
            self.away -= 1
            raise Unavailable("The disk is full.")
        claimed, self.waiting = self.waiting[:limit], self.waiting[limit:]
        for run in self.while_claiming:
            self.dispatcher.revoke(run)
        await asyncio.sleep(0)
        return claimed

    async def release(self, turn: Turn) -> None:
        if self.away:
            self.away -= 1
            raise Unavailable("The disk is full.")
        self.released.append(turn.run)

    async def keep(self, running: AbstractSet[str]) -> set[str]:
        if self.away:
            self.away -= 1
            raise Unavailable("The database is away.")
        self.kept = set(running)
        return self.kept - self.lost

    async def reclaim(self) -> int:
        self.reclaimed += 1
        return 0

    async def queue(self) -> Queue:
        if self.away:
            raise Unavailable("The disk is full.")
        return Queue()

    async def run(self, turn: Turn) -> None:
        self.begun.append(turn.run)
        try:
            await self.go.wait()
        finally:
            self.ended.append(turn.run)

    def offer(self, *turns: Turn) -> None:
        self.waiting += turns
        for one in turns:
            self.dispatcher.look_at(one.message.lane)

    @asynccontextmanager
    async def open(self, *, polls: bool = False, every: float = 0) -> "AsyncIterator[Desk]":
        loops = [asyncio.create_task(self.dispatcher.claim())]
        if polls:
            loops.append(asyncio.create_task(self.dispatcher.poll()))
        if every:
            loops.append(asyncio.create_task(self.dispatcher.beat(every)))
        yield self
        await self.dispatcher.stop(0.01)
        for loop in loops:
            loop.cancel()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def test_a_turn_runs_and_is_stopped_when_it_is_revoked() -> None:
    async with Desk().open() as desk:
        desk.offer(turn(1))
        await settle()
        assert desk.begun == ["1:1"]
        desk.dispatcher.revoke("1:1")
        await settle()
        assert desk.ended == desk.released == ["1:1"]


async def test_a_run_that_is_revoked_while_it_is_being_claimed_never_begins() -> None:
    async with Desk().open() as desk:
        desk.while_claiming = ["1:1", "2:1"]
        desk.offer(turn(1), turn(2), turn(3))
        await settle()
        assert desk.begun == ["3:1"]


async def test_a_run_that_is_revoked_before_its_first_step_leaves_its_place_to_others() -> None:
    async with Desk().open(every=0.001) as desk:
        desk.dispatcher._capacity = 1
        desk.offer(turn(1))
        while "1:1" not in desk.dispatcher._tasks:
            await asyncio.sleep(0)
        desk.dispatcher.revoke("1:1")
        desk.offer(turn(2))
        await until(lambda: desk.begun == ["2:1"])
        await until(lambda: desk.kept == {"2:1"})


async def test_a_revocation_of_an_old_run_does_not_touch_the_next_run_of_the_turn() -> None:
    async with Desk().open() as desk:
        desk.offer(turn(1, fence=1))
        await settle()
        desk.dispatcher.revoke("1:1")
        desk.offer(turn(1, fence=2))
        await settle()
        desk.dispatcher.revoke("1:1")
        await settle()
        assert desk.begun == ["1:1", "1:2"]
        assert desk.ended == ["1:1"]


async def test_two_runs_of_a_turn_may_overlap_while_the_old_one_unwinds() -> None:
    async with Desk().open() as desk:
        desk.offer(turn(1, fence=1), turn(1, fence=2))
        await settle()
        desk.dispatcher.revoke("1:1")
        await settle()
        assert desk.ended == ["1:1"]
        desk.go.set()
        await settle()
        assert desk.ended == ["1:1", "1:2"]


@pytest.mark.parametrize("polls", [False, True])
async def test_at_the_end_what_runs_is_handed_over_and_nothing_begins(*, polls: bool) -> None:
    """F62."""
    async with Desk().open(polls=polls) as desk:
        desk.offer(turn(1))
        await settle()
    desk.offer(turn(2))
    await settle()
    assert (desk.begun, desk.released) == (["1:1"], ["1:1"])


async def test_what_is_claimed_at_the_very_end_is_handed_over_too() -> None:
    """F62."""
    async with Desk().open() as desk:
        desk.offer(turn(1))
        while desk.waiting:
            await asyncio.sleep(0)
    assert desk.begun == desk.released


async def test_a_database_that_is_away_costs_nothing_but_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "POLL", 0.01)
    async with Desk().open(polls=True) as desk:
        desk.away = 4
        desk.offer(turn(1))
        await until(lambda: desk.begun == ["1:1"])
        desk.away = 2
        desk.dispatcher.revoke("1:1")
        await until(lambda: desk.released == ["1:1"])


@pytest.mark.parametrize(
    ("error", "released"), [(LostOwnership("not ours"), []), (Unavailable("away"), ["1:1"])], ids=["lost", "away"]
)
async def test_how_a_run_ends_decides_whether_it_is_handed_over(error: Exception, released: list[str]) -> None:
    async with Desk().open() as desk:

        async def fail(turn: Turn) -> None:
            raise error

        desk.dispatcher._run = fail
        desk.offer(turn(1))
        await settle()
        assert desk.released == released


@pytest.mark.parametrize("polls", [False, True])
async def test_while_no_work_is_admitted_nothing_begins_and_what_runs_goes_on(
    monkeypatch: pytest.MonkeyPatch, *, polls: bool
) -> None:
    monkeypatch.setattr(dispatch, "POLL", 0.001)
    async with Desk().open(polls=polls) as desk:
        desk.offer(turn(1))
        await until(lambda: desk.begun == ["1:1"])
        desk.admitted = False
        desk.offer(turn(2))
        await settle()
        assert (desk.begun, desk.ended) == (["1:1"], [])
        desk.admitted = True
        desk.dispatcher.look_at(turn(2).message.lane)
        await until(lambda: desk.begun == ["1:1", "2:1"])


async def test_a_run_that_lost_its_lease_is_stopped_and_the_others_go_on() -> None:
    """F7."""
    async with Desk().open(every=0.001) as desk:
        first, second = turn(1), turn(2)
        desk.away = 0
        desk.offer(first, second)
        await until(lambda: len(desk.begun) == 2)
        desk.away = 3
        desk.lost.add(first.run)
        await until(lambda: bool(desk.ended))
        assert desk.ended == [first.run]
        await until(lambda: desk.reclaimed > 3)
        assert desk.ended == [first.run]
