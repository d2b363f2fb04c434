"""Who tells people, where several monitors see the same, and what happens while a channel takes nothing."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from services.monitor import outbox
from services.monitor.alarm import speaks
from services.monitor.model import Figures, Memory, Notice, Process, Seen, Severity, Trouble
from services.monitor.outbox import MOST, Sender
from services.monitor.ports import SendFailed

FIRES = Notice(Trouble("part_down", "agent is down.", Severity.CRITICAL, "agent", 60.0), 100.0)


def _monitors(*instances: str) -> Seen:
    found = (Process(f"h:{number}", ("monitor",), Figures(monitor=each)) for number, each in enumerate(instances))
    return Seen((), Memory(1, 1), processes=(Process("h:9", ("agent",)), *found))


@pytest.mark.parametrize(
    ("instances", "tells"),
    [((), True), (("me",), True), (("me", "other"), True), (("other", "me"), False), (("other", ""), True)],
)
def test_of_several_monitors_one_tells(instances: tuple[str, ...], *, tells: bool) -> None:
    assert speaks(_monitors(*instances), "me") is tells


class Ear:
    """A channel that listens, or does not."""

    name = "ear"

    def __init__(self, repeat: float | None = None) -> None:
        self.repeat = repeat
        self.heard: list[Notice] = []
        self.failures: list[Exception] = []
        self.open = asyncio.Event()
        self.open.set()

    async def send(self, notices: Sequence[Notice]) -> None:
        await self.open.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.heard += notices


@asynccontextmanager
async def sending(ear: Ear) -> AsyncIterator[Sender]:
    sender = Sender(ear, clock=lambda: clock.now)
    task = asyncio.create_task(sender.run())
    yield sender
    task.cancel()


class clock:  # noqa: N801 (what tests turn)
    now = 1_000.0


async def until_heard(ear: Ear, count: int) -> None:
    async with asyncio.timeout(10):
        while len(ear.heard) < count:
            await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "PAUSES", (0.001,))
    clock.now = 1_000.0


async def test_what_is_not_taken_is_tried_again_until_it_is() -> None:
    """Also where the channel breaks in a way that nobody thought of."""
    ear = Ear()
    ear.failures = [SendFailed("it answers 502"), RuntimeError("a bug"), SendFailed("it answers 429", 0.002)]
    async with sending(ear) as sender:
        sender.add([FIRES], [], speaks=True)
        async with asyncio.timeout(10):
            while not sender.trouble:
                await asyncio.sleep(0)
        assert (sender.trouble, sender.pending, sender.sent_time) == ("it answers 502", 1, None)
        await until_heard(ear, 1)
        assert (ear.heard, sender.trouble, sender.pending, sender.sent_time) == ([FIRES], "", 0, 1_000.0)


async def test_who_does_not_listen_costs_memory_up_to_a_bound() -> None:
    ear = Ear()
    ear.open.clear()
    notices = [Notice(FIRES.trouble, float(number)) for number in range(MOST + 50)]
    async with sending(ear) as sender:
        for notice in notices:
            sender.add([notice], [], speaks=True)
        assert sender.pending == MOST
        ear.open.set()
        await until_heard(ear, MOST)
    assert ear.heard == notices[50:]


async def test_another_monitor_tells_people_and_reminders_go_out_anyway() -> None:
    people, reminded = Ear(), Ear(repeat=60.0)
    async with sending(people) as once, sending(reminded) as again:
        for seconds, heard in ((0, 1), (5, 2), (50, 2), (10, 3)):
            clock.now += seconds
            for sender in (once, again):
                sender.add([FIRES] if seconds == 5 else [], [FIRES], speaks=False)
            await until_heard(reminded, heard)
    assert people.heard == []
    assert len(reminded.heard) == 3


async def test_of_reminders_that_wait_the_last_one_counts() -> None:
    reminded = Ear(repeat=60.0)
    sender = Sender(reminded, clock=lambda: clock.now)
    over = replace(FIRES, end_time=5_000.0)
    for notices, firing in (([FIRES], [FIRES]), ([], [FIRES]), ([over], [])):
        clock.now += 100
        sender.add(notices, firing, speaks=True)
    assert list(sender._pending) == [over]
