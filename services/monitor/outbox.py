"""Tells people of alerts over every channel, each at its own pace: nothing waits for any of them."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from services.chassis import logs
from services.chassis.backoff import pause
from services.monitor import metrics
from services.monitor.model import Notice
from services.monitor.ports import Channel, SendFailed

log = logs.get()

PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Seconds before a channel that failed is tried again; the last one for ever."""

MOST = 100
"""Notices that wait for a channel; of more the oldest are lost, and counted."""


class Sender:
    """One channel, and what waits for it."""

    def __init__(self, channel: Channel, clock: Callable[[], float] = time.time) -> None:
        self._channel, self._clock = channel, clock
        self._pending: deque[Notice] = deque()
        self._wake = asyncio.Event()
        self._repeated = 0.0
        self.failures = 0
        self.trouble = ""
        """Why the last attempt failed; empty: it did not."""
        self.sent_time: float | None = None
        """When something was last sent, epoch seconds."""

    @property
    def name(self) -> str:
        """The channel's."""
        return self._channel.name

    @property
    def pending(self) -> int:
        """Notices that wait."""
        return len(self._pending)

    def add(self, notices: Sequence[Notice], firing: Sequence[Notice], *, speaks: bool) -> None:
        """Tell these, where this monitor `speaks`; a channel that wants to be reminded hears it anyway."""
        if self._channel.repeat is None:
            self._put(notices if speaks else ())
            return
        if self._clock() - self._repeated >= self._channel.repeat:
            self._repeated = self._clock()
            notices = [*notices, *firing]
        newer = {notice.trouble.key for notice in notices}
        self._pending = deque(notice for notice in self._pending if notice.trouble.key not in newer)
        self._put(notices)

    def _put(self, notices: Iterable[Notice]) -> None:
        self._pending.extend(notices)
        while len(self._pending) > MOST:
            self._pending.popleft()
            metrics.MESSAGES.labels(self.name, "dropped").inc()
        if self._pending:
            self._wake.set()

    async def run(self) -> None:
        """Send what comes, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while batch := tuple(self._pending):
                await self._attempt(batch)

    async def _attempt(self, batch: tuple[Notice, ...]) -> None:
        try:
            await self._channel.send(batch)
        except SendFailed as error:
            await self._fail(str(error), error.retry_after)
        except Exception:  # the worker loop: a fault in one channel must silence neither the others nor this one
            log.exception("alert_broke", channel=self.name)
            await self._fail("it broke; the log has the details", 0.0)
        else:
            self._pending = deque(notice for notice in self._pending if notice not in batch)
            self.failures, self.trouble, self.sent_time = 0, "", self._clock()
            metrics.MESSAGES.labels(self.name, "sent").inc(len(batch))
            metrics.CHANNEL_UP.labels(self.name).set(1)

    async def _fail(self, why: str, retry_after: float) -> None:
        log.warning("alert_not_sent", channel=self.name, cause=why)
        self.trouble = why
        metrics.MESSAGES.labels(self.name, "failed").inc()
        metrics.CHANNEL_UP.labels(self.name).set(0)
        wait = max(pause(PAUSES, self.failures), retry_after)
        self.failures += 1
        await asyncio.sleep(wait)
