"""One schedule for the whole account: finals before previews before signs, and every flood wait is honoured to its end.

No rate of our own is invented: Telegram's real limits are not public and change. What it tells is kept, per method and
chat, across restarts.
"""

import asyncio
import heapq
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import IntEnum

from services.chassis import logs
from services.chassis.errors import Unavailable
from services.telegram.metrics import FLOOD_WAIT, QUEUED
from services.telegram.ports import Store

log = logs.get()

SLOTS = 32
"""Calls in flight at once: enough to hide Telegram's round trip, too few for finals to queue behind frames."""


class Rank(IntEnum):
    """What goes first."""

    FINAL = 0
    PREVIEW = 1
    SIGN = 2


class Pace:
    """Lets calls go."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store, self._clock = store, clock
        self._waits: dict[tuple[str, int], float] = {}
        self._free = SLOTS
        self._queue: list[tuple[Rank, int, asyncio.Future[None]]] = []
        self._tickets = itertools.count()
        FLOOD_WAIT.set_function(self._longest)

    async def load(self) -> None:
        """Remember the waits of an earlier life."""
        self._waits = await self._store.waits()

    def flooded(self, method: str, chat_id: int) -> float:
        """Seconds until the method may be called for the chat."""
        return max(0.0, self._waits.get((method, chat_id), 0.0) - self._clock())

    def _longest(self) -> float:
        return max(0.0, max(self._waits.values(), default=0.0) - self._clock())

    async def flood(self, method: str, chat_id: int, seconds: float) -> None:
        """Telegram wants a pause. Where the tables are away, the next life does not know of it; this one does."""
        now = self._clock()
        self._waits = {key: until for key, until in self._waits.items() if until > now}
        self._waits[method, chat_id] = now + seconds
        try:
            await self._store.wait(method, chat_id, now + seconds)
        except Unavailable as error:
            log.warning("flood_wait_not_kept", method=method, cause=error.message)

    @asynccontextmanager
    async def slot(self, rank: Rank, method: str, chat_id: int) -> AsyncIterator[None]:
        """One call's place: after its flood wait, before all that is of lower rank."""
        while (seconds := self.flooded(method, chat_id)) > 0:
            await asyncio.sleep(seconds)
        await self._enter(rank)
        try:
            yield
        finally:
            self._leave()

    async def _enter(self, rank: Rank) -> None:
        if self._free:
            self._free -= 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._queue, (rank, next(self._tickets), place))
        try:
            with QUEUED.track_inprogress():
                await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self._leave()
            raise

    def _leave(self) -> None:
        while self._queue:
            _, _, place = heapq.heappop(self._queue)
            if not place.done():
                place.set_result(None)
                return
        self._free += 1
