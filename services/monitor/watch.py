"""Measures the house, again and again."""

import asyncio
import time
from collections.abc import Callable, Sequence

from services.monitor import metrics, score
from services.monitor.model import Health, Queue, Seen, Target
from services.monitor.ports import Machine, Prober, QueueReader


class Watch:
    """The last measurement, and how a new one is made."""

    def __init__(
        self,
        targets: Sequence[Target],
        prober: Prober,
        machine: Machine,
        queue: QueueReader | None,
        *,
        interval: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._targets, self._prober, self._machine, self._queue = targets, prober, machine, queue
        self._interval, self._clock = interval, clock
        self._last: Health | None = None
        self._one_at_a_time = asyncio.Lock()

    async def run(self) -> None:
        """Measure every interval, until cancelled."""
        while True:
            await self._younger_than(0.0)
            await asyncio.sleep(self._interval)

    async def health(self) -> Health:
        """The last measurement; a new one where that is older than the interval. Callers at once share it."""
        return await self._younger_than(self._interval)

    async def _younger_than(self, age: float) -> Health:
        async with self._one_at_a_time:
            if self._last is None or self._clock() - self._last.measure_time >= age:
                self._last = await self._measure()
            return self._last

    async def _measure(self) -> Health:
        probes, memory, queue = await asyncio.gather(
            self._prober.probe(self._targets), self._machine.memory(self._targets), self._waiting()
        )
        seen = Seen(probes, memory, queue, asked=self._queue is not None)
        health = score.judge(seen, self._clock())
        metrics.show(seen, health)
        return health

    async def _waiting(self) -> Queue | None:
        return await self._queue.read() if self._queue else None
