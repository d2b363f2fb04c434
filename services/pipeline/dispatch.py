"""Gives turns to runners: claims what may begin, runs it, stops it when it is revoked, hands it over at the end."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from services.chassis import context, logs, tracing
from services.chassis.errors import LostOwnership, Unavailable
from services.pipeline import metrics
from services.pipeline.metrics import ENDED
from services.pipeline.model import Turn
from services.pipeline.ports import Turns

log = logs.get()

POLL = 1.0
"""Seconds. A wake-up is only a hint: whatever it missed begins within one poll."""

CHOICE = 100
"""Lanes that are looked at together when there is not room for all of them."""

HAND_OVER = 1.0
"""Seconds that handing over may take at the end; what misses it is found running at the next start."""


class Dispatcher:
    """Runs turns, `capacity` of them at once at most; begins none while it is not `admitted`."""

    def __init__(
        self,
        turns: Turns,
        run: Callable[[Turn], Awaitable[None]],
        capacity: int,
        admitted: Callable[[], bool] = lambda: True,
    ) -> None:
        self._turns, self._run, self._capacity, self._admitted = turns, run, capacity, admitted
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._lanes: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._claiming = asyncio.Lock()
        metrics.CAPACITY.set(capacity)
        self._void: set[str] = set()
        self._stopping = False

    def look_at(self, lane: str) -> None:
        """Something happened in a lane: its next turn may be claimable."""
        self._lanes[lane] = None
        self._wake.set()

    def revoke(self, run: str) -> None:
        """The turn of a run was cancelled or has changed: the run stops now, or does not begin."""
        task = self._tasks.get(run)
        if task is None:
            self._void.add(run)
        else:
            task.cancel()

    async def claim(self) -> None:
        """Begin turns as they come, until stopped."""
        while not self._stopping:
            await self._wake.wait()
            self._wake.clear()
            while await self._claim_named():
                pass

    async def _claim_named(self) -> bool:
        """Claim in lanes in which something happened; False where there are none, or there is no room."""
        async with self._claiming:
            room = self._room()
            lanes = list(self._lanes)[: max(room, CHOICE)] if room > 0 else []
            for lane in lanes:
                del self._lanes[lane]
            begun = await self._begin(lanes, room) if lanes else set()
            if len(begun) == room:  # there may be more in the others
                left = (lane for lane in lanes if lane not in begun)
                self._lanes = {**dict.fromkeys(left), **self._lanes}
            return bool(lanes)

    def _room(self) -> int:
        return self._capacity - len(self._tasks) if self._admitted() else 0

    async def beat(self, every: float) -> None:
        """Hold the leases of all runs, and take over what lost its own, until cancelled: for one replica of several."""
        while True:
            await asyncio.sleep(every)
            running = set(self._tasks)
            try:
                lost = running - await self._turns.keep(running)
                metrics.TAKEN_OVER.inc(await self._turns.reclaim())
            except Unavailable as error:
                log.error("beat_failed", cause=error.message)
                continue
            for run in lost & self._tasks.keys():
                metrics.LEASES_LOST.inc()
                log.warning("lease_lost", run=run)
                self.revoke(run)

    async def poll(self) -> None:
        """Look at all lanes every now and then, and measure, until cancelled."""
        while True:
            async with self._claiming:
                room = self._room()
                if room > 0:
                    await self._begin(None, room)
            await self._measure()
            await asyncio.sleep(POLL)

    async def stop(self, grace: float) -> None:
        """Begin nothing more; give what runs `grace` seconds, then hand it over."""
        async with self._claiming:
            self._stopping = True
        self._wake.set()
        for patience in (grace, HAND_OVER):
            running = list(self._tasks.values())
            if running:
                await asyncio.wait(running, timeout=patience)
            for task in running:
                task.cancel()

    async def _begin(self, lanes: list[str] | None, room: int) -> set[str]:
        """Claim and run, one claim at a time; the lanes of what was claimed."""
        if self._stopping:
            return set()
        self._void.clear()  # of the runs that this claim begins, none was revoked before it
        try:
            claimed = await self._turns.claim(lanes, room)
        except Unavailable as error:
            log.error("claim_failed", cause=error.message)
            return set()
        for turn in claimed:
            if turn.fence == 1:
                metrics.WAIT_SECONDS.observe(max(0.0, time.time() - turn.ready_time))
            if turn.run not in self._void:
                self._start(turn)
        return {turn.message.lane for turn in claimed}

    def _start(self, turn: Turn) -> None:
        task = asyncio.create_task(self._work(turn), name=f"turn-{turn.run}")
        self._tasks[turn.run] = task
        task.add_done_callback(lambda _: self._ended(turn.run))  # it may be cancelled before its first step

    def _ended(self, run: str) -> None:
        del self._tasks[run]
        self._wake.set()

    async def _work(self, turn: Turn) -> None:
        ids = {"turn_id": str(turn.turn_id), "chat_id": str(turn.message.address.chat_id), "person_id": turn.person_id}
        with context.about(**ids), tracing.span("turn", turn.trace), metrics.LIVE.track_inprogress():
            try:
                await self._run(turn)
            except LostOwnership:
                ENDED.labels("lost").inc()
            except (asyncio.CancelledError, Unavailable):
                ENDED.labels("handed_over").inc()
                await self._hand_over(turn)

    async def _hand_over(self, turn: Turn) -> None:
        while True:
            try:
                return await self._turns.release(turn)
            except Unavailable as error:
                log.error("release_failed", cause=error.message)
                await asyncio.sleep(POLL)

    async def _measure(self) -> None:
        try:
            queue = await self._turns.queue()
        except Unavailable as error:
            log.error("measure_failed", cause=error.message)
            return
        metrics.show(queue)
