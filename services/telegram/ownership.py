"""Whether this process may speak for the account: it holds a lease, or it waits and connects to nothing.

Telegram kills an auth key that two processes use at once. So who could not renew its lease in time says nothing more,
by its own clock and before the lease ends: also a process that was paused, and finds when it wakes up what it was about
to send.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from services.chassis import logs
from services.chassis.errors import LostOwnership, Unavailable
from services.telegram.metrics import LEASES_LOST, OWNER, TAKEOVERS
from services.telegram.ports import Lease

log = logs.get()

LEASE = 10.0
"""Seconds after the owner's last sign of life until a standby takes over."""

BEAT = 2.5
"""Seconds between two signs of life."""

MARGIN = 2.0
"""Seconds before the end of its lease at which an owner that could not renew it leaves."""

LOOK = 1.0
"""Seconds between two looks of a standby."""


class Ownership:
    """The lease of this process, for as long as it is held. `alone`: no other process can want it, so it never ends."""

    def __init__(self, lease: Lease, *, alone: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._lease, self._clock = lease, clock
        self._seconds = math.inf if alone else LEASE
        self._until = 0.0

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Wait until the account is ours; then it is until the block ends.

        Raises:
            LostOwnership: Inside the block, as the only or one of several in a group: it is not ours any more.
        """
        try:
            await self._take()
            OWNER.set(1)
            TAKEOVERS.inc()
            async with asyncio.TaskGroup() as tasks:
                holding = tasks.create_task(self._hold())
                yield
                holding.cancel()
        finally:  # also of who leaves while it takes it: the store may have said yes
            OWNER.set(0)
            self._until = 0.0
            with suppress(Unavailable):
                await self._lease.give_up()

    def check(self) -> None:
        """Whether a byte may be sent now.

        Raises:
            ConnectionError: The lease is over.
        """
        if self._clock() >= self._until:
            raise ConnectionError("another process may speak for the account")

    async def _take(self) -> None:
        waits = False
        while True:
            began = self._clock()
            try:
                if await self._lease.take(LEASE):
                    break
                if not waits:
                    log.info("standing_by")
                waits = True
            except Unavailable as error:
                log.warning("lease_unknown", cause=error.message)
            await asyncio.sleep(LOOK)
        self._until = began + self._seconds

    async def _hold(self) -> None:
        while self._seconds < math.inf:
            await asyncio.sleep(BEAT)
            began = self._clock()
            try:
                async with asyncio.timeout(max(0.0, self._until - MARGIN - began)):
                    ours = await self._lease.renew(LEASE)
            except (Unavailable, TimeoutError) as error:
                log.warning("lease_not_renewed", cause=str(error))
                ours = self._clock() < self._until - MARGIN
                began = self._until - LEASE
            if not ours:
                LEASES_LOST.inc()
                raise LostOwnership("The lease of the account is over.")
            self._until = began + LEASE
