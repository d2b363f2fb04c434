"""When the account is ours, by a clock that the test turns."""

import asyncio
from collections.abc import Callable

import pytest

from services.chassis.errors import LostOwnership, Unavailable
from services.telegram import ownership
from services.telegram.ownership import Ownership


class Row:
    """A lease whose answers a test decides."""

    def __init__(self) -> None:
        self.answers: list[bool | Exception] = [True]
        self.given_up = 0

    async def take(self, seconds: float) -> bool:  # noqa: ARG002 (the port's)
        return self._next()

    async def renew(self, seconds: float) -> bool:  # noqa: ARG002 (the port's)
        return self._next()

    async def give_up(self) -> None:
        self.given_up += 1
        raise Unavailable("Away.")

    def _next(self) -> bool:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "BEAT", 0.001)
    monkeypatch.setattr(ownership, "LOOK", 0.001)


def allowed(ours: Ownership) -> bool:
    try:
        ours.check()
    except ConnectionError:
        return False
    return True


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def test_nothing_may_be_sent_before_the_lease_and_after_it() -> None:
    row, clock = Row(), Clock()
    ours = Ownership(row, alone=False, clock=clock)
    row.answers = [False, Unavailable("Away."), False, True]
    assert not allowed(ours)
    async with ours.held():
        assert row.answers == [True]
        assert allowed(ours)
        clock.now += 1_000  # paused: the clock went on, and no task has run yet
        assert not allowed(ours)
    assert not allowed(ours)
    assert row.given_up == 1


async def test_who_renews_in_time_goes_on() -> None:
    row, clock = Row(), Clock()
    async with Ownership(row, alone=False, clock=clock).held():
        for _ in range(5):
            clock.now += ownership.LEASE - ownership.MARGIN - 1
            row.answers = [True, True, True]
            await until(lambda: len(row.answers) == 1)


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        pytest.param(False, 0.0, id="somebody else is the owner"),
        pytest.param(Unavailable("Away."), ownership.LEASE - ownership.MARGIN, id="the store is away for too long"),
    ],
)
async def test_who_cannot_renew_leaves(answer: bool | Exception, seconds: float) -> None:
    row, clock = Row(), Clock()

    async def own() -> None:
        async with Ownership(row, alone=False, clock=clock).held():
            row.answers = [answer]
            clock.now += seconds
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as group:
        await own()
    assert group.group_contains(LostOwnership)


async def test_a_store_that_is_away_for_a_moment_is_no_loss() -> None:
    row = Row()
    async with Ownership(row, alone=False, clock=Clock()).held():
        row.answers = [*[Unavailable("Away.")] * 3, True]
        await until(lambda: len(row.answers) == 1)


async def test_who_is_alone_keeps_it_whatever_the_store_says() -> None:
    row, clock = Row(), Clock()
    ours = Ownership(row, alone=True, clock=clock)
    async with ours.held():
        row.answers = [False]
        clock.now += 1e9
        await asyncio.sleep(0.01)
        assert allowed(ours)
