"""What a process does about its own memory, step by step of the ladder, where its settings give it limits.

Nobody starts again from inside: a process that has to be restarted drains and ends, and what runs it starts it anew.
"""

import asyncio
import ctypes
import gc
import math
import os
import time
from collections.abc import Callable
from pathlib import Path

from prometheus_client import Counter, Gauge

from services.chassis import logs
from services.chassis.health import Health
from services.chassis.ladder import MB, Limits, Rung, Step, climb

log = logs.get()

STEP = Gauge("process_memory_step", "What this process does about its memory: 0 nothing, 1 cleans, 2 sheds, 3 ends.")
CLEANINGS = Counter("process_memory_cleanings", "Times that this process collected garbage because of its memory.")

EVERY = 1.0
"""Seconds between two looks."""

APART = 60.0
"""Seconds between two cleanings at least: one stops the process for as long as its heap is large."""

STATM = Path("/proc/self/statm")


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def give_back() -> None:
    """Collect all garbage, and give the memory that is free to the system."""
    gc.collect()
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


class Guard:
    """Keeps one process within its limits."""

    def __init__(
        self,
        limits: Limits,
        health: Health,
        stop: asyncio.Event,
        *,
        memory: Callable[[], int] = resident,
        clean: Callable[[], None] = give_back,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`stop` is what ends the process."""
        self._limits, self._health, self._stop = limits, health, stop
        self._memory, self._clean, self._clock = memory, clean, clock
        self._rung, self._cleaned = Rung(), -math.inf

    async def watch(self) -> None:
        """Look again and again, until the process has to end."""
        while await self.look() is not Step.RESTART:
            await asyncio.sleep(EVERY)
        self._stop.set()

    async def look(self) -> Step:
        """Do what has to be done now; the step that the process is on then."""
        now = self._clock()
        rung = self._climb(now)
        if rung.step >= Step.CLEAN and now - self._cleaned >= APART:
            self._clean()
            self._cleaned = now
            CLEANINGS.inc()
            rung = self._climb(now)  # only what cleaning leaves is a reason for more
        if rung.step is not self._rung.step:
            log.warning("memory_step", step=rung.step.name.lower(), megabytes=self._memory() // MB)
        self._rung = rung
        STEP.set(rung.step)
        await self._health.shed(on=rung.step >= Step.SHED)
        return rung.step

    def _climb(self, now: float) -> Rung:
        return climb(self._rung, self._memory(), self._limits, now)
