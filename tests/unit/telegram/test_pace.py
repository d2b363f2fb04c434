"""Who may call when."""

import asyncio
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.telegram import pace as pace_module
from services.telegram.pace import Pace, Rank
from tests.unit.telegram.stubs import StubStore


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Callers:
    """Calls that last until they are told to end."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.begun: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def call(self, name: str, rank: Rank = Rank.FINAL, method: str = "send", chat: int = 8) -> None:
        self._ends[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._call(name, rank, method, chat))
        await asyncio.sleep(0)

    async def _call(self, name: str, rank: Rank, method: str, chat: int) -> None:
        async with self.pace.slot(rank, method, chat):
            self.begun.append(name)
            await self._ends[name].wait()

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await asyncio.wait([self._tasks[name]])
        await asyncio.sleep(0)

    async def cancel(self, name: str) -> None:
        self._tasks[name].cancel()
        await asyncio.wait([self._tasks[name]])
        await asyncio.sleep(0)


@pytest.fixture
def _one_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace_module, "SLOTS", 1)


@pytest.mark.usefixtures("_one_slot")
async def test_finals_go_before_previews_before_signs_and_each_kind_in_its_order() -> None:
    """Covers F47."""
    callers = Callers(Pace(StubStore()))
    await callers.call("first", Rank.SIGN)
    for rank in (Rank.SIGN, Rank.PREVIEW, Rank.FINAL):
        for number in (1, 2):
            await callers.call(f"{rank.name} {number}", rank)
    for _ in range(7):
        await callers.end(callers.begun[-1])
    assert callers.begun[1:] == ["FINAL 1", "FINAL 2", "PREVIEW 1", "PREVIEW 2", "SIGN 1", "SIGN 2"]


async def test_no_more_calls_than_slots_are_under_way() -> None:
    callers = Callers(Pace(StubStore()))
    for number in range(pace_module.SLOTS + 5):
        await callers.call(str(number))
    assert len(callers.begun) == pace_module.SLOTS
    for number in range(pace_module.SLOTS + 5):
        await callers.end(str(number))
    assert len(callers.begun) == pace_module.SLOTS + 5


@given(st.lists(st.tuples(st.sampled_from(["call", "end", "cancel"]), st.integers(0, 9)), max_size=40))
@settings(deadline=None)
def test_whoever_leaves_or_is_cancelled_leaks_no_slot(steps: list[tuple[str, int]]) -> None:
    async def scenario() -> None:
        pace = Pace(StubStore())
        pace._free = 2
        callers = Callers(pace)
        for step, (what, number) in enumerate(steps):
            name, known = f"{step}", sorted(callers._tasks)
            if what == "call":
                await callers.call(name, Rank(number % 3))
            elif known and what == "end" and known[number % len(known)] in callers.begun:
                await callers.end(known[number % len(known)])
            elif known and what == "cancel":
                await callers.cancel(known[number % len(known)])
            under_way = [name for name in callers.begun if not callers._tasks[name].done()]
            assert len(under_way) <= 2
        for name in list(callers._tasks):
            await callers.cancel(name)
        assert pace._free == 2
        assert not [place for _, _, place in pace._queue if not place.done()]

    asyncio.run(scenario())


async def test_a_caller_cancelled_at_the_moment_of_its_turn_passes_it_on() -> None:
    callers = Callers(Pace(StubStore()))
    callers.pace._free = 1
    for name in ("first", "second", "third"):
        await callers.call(name)
    callers._ends["first"].set()
    await asyncio.sleep(0)  # the place is the second one's now, which does not know it yet
    await callers.cancel("second")
    await asyncio.sleep(0)
    assert callers.begun == ["first", "third"]
    await callers.end("third")
    assert callers.pace._free == 1


async def test_a_wait_is_for_one_method_and_chat_and_is_kept() -> None:
    """Covers F46, F48."""
    store, clock = StubStore(), Clock()
    pace = Pace(store, clock)
    await pace.flood("send", 8, 40)
    assert [pace.flooded(*key) for key in (("send", 8), ("send", 9), ("edit", 8))] == [40, 0, 0]
    assert store.floods == {("send", 8): 1040.0}
    later = Pace(store, clock)
    await later.load()
    clock.now += 39
    assert later.flooded("send", 8) == 1
    clock.now += 1
    assert later.flooded("send", 8) == 0


async def test_waits_that_are_over_are_forgotten() -> None:
    clock = Clock()
    pace = Pace(StubStore(), clock)
    for chat in range(100):
        await pace.flood("send", chat, 5)
        clock.now += 1
    assert len(pace._waits) <= 6


async def test_a_slot_is_given_when_the_wait_ends_and_not_before() -> None:
    pace = Pace(StubStore())
    await pace.flood("send", 8, 0.05)
    started = time.monotonic()
    async with pace.slot(Rank.FINAL, "send", 8):
        assert time.monotonic() - started >= 0.045


async def test_who_waits_for_a_flood_occupies_no_slot() -> None:
    callers = Callers(Pace(StubStore()))
    await callers.pace.flood("send", 8, 30)
    for number in range(pace_module.SLOTS):
        await callers.call(f"waiting {number}")
    await callers.call("other chat", chat=9)
    assert callers.begun == ["other chat"]
    for name in list(callers._tasks):
        await callers.cancel(name)
