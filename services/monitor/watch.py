"""Measures the house, again and again."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from services.chassis.ladder import Limits
from services.monitor import score
from services.monitor.model import Figures, Health, Part, Queue, Seen, Target
from services.monitor.ports import Machine, Names, PageReader, Prober, QueueReader
from services.monitor.processes import Processes

Listener = Callable[[Seen, Health], None]
"""Looks at every measurement, and takes no time."""


@dataclass(frozen=True)
class Measured:
    """One measurement, and what it comes to."""

    seen: Seen
    health: Health


class Watch:
    """The last measurement, and how a new one is made."""

    def __init__(
        self,
        targets: Sequence[Target],
        *,
        names: Names,
        prober: Prober,
        pages: PageReader,
        machine: Machine,
        queue: QueueReader | None,
        limits: Limits,
        interval: float,
        listeners: Sequence[Listener] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._targets, self._names, self._prober, self._pages = targets, names, prober, pages
        self._machine, self._queue = machine, queue
        self._interval, self._clock = interval, clock
        self._limits, self._processes, self._listeners = limits, Processes(limits), listeners
        self._last: Measured | None = None
        self._one_at_a_time = asyncio.Lock()

    async def run(self) -> None:
        """Measure every interval, until cancelled."""
        while True:
            async with self._one_at_a_time:
                self._last = await self._measure()
            await asyncio.sleep(self._interval)

    async def measured(self) -> Measured:
        """The last measurement; a new one where that is older than the interval. Callers at once share it."""
        async with self._one_at_a_time:
            last = self._last
            if last is None or not 0 <= self._clock() - last.health.measure_time < self._interval:
                last = self._last = await self._measure()
            return last

    async def _measure(self) -> Measured:
        (parts, pages), memory, queue = await asyncio.gather(self._look(), self._machine.memory(), self._waiting())
        now = self._clock()
        processes = self._processes.see(parts, pages, now)
        seen = Seen(parts, memory, queue, self._queue is not None, processes)
        health = score.judge(seen, now, self._limits)
        for listener in self._listeners:
            listener(seen, health)
        return Measured(seen, health)

    async def _look(self) -> tuple[tuple[Part, ...], Mapping[str, Figures | str]]:
        addresses = await self._names.look_up({target.host for target in self._targets})
        pages = {target.metrics_at(address) for target in self._targets for address in addresses[target.host]}
        return await asyncio.gather(self._prober.probe(self._targets, addresses), self._pages.read(pages - {""}))

    async def _waiting(self) -> Queue | None:
        return await self._queue.read() if self._queue else None
