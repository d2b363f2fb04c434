"""Keeps promises: what is due becomes a turn of its chat, and the turn's end decides what becomes of the promise."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from services.chassis import logs, tracing
from services.chassis.errors import Unavailable
from services.pipeline import failures, schedule
from services.pipeline.metrics import ENDED_PROMISES, OLDEST_DUE_PROMISE, WAITING_PROMISES
from services.pipeline.model import Ended, State
from services.pipeline.ports import Promises
from services.pipeline.promises import FAILURES, Promise, PromiseState, given_up

log = logs.get()

POLL = 1.0
"""Seconds. Wake-ups are hints: what is due begins within one poll."""

AT_ONCE = 200
"""Promises that begin in one look at most; the others begin in the next ones."""

_ENDS = {State.DONE: PromiseState.KEPT, State.FAILED: PromiseState.FAILED, State.CANCELLED: PromiseState.CANCELLED}


def outcome(ended: Ended) -> PromiseState:
    """What becomes of a promise whose turn has ended. What recurs waits again, unless there is no hope for it."""
    if ended.promise.broken or ended.reason == failures.NOT_ALLOWED or is_hopeless(ended):
        return PromiseState.FAILED
    return PromiseState.WAITING if ended.promise.cron else _ENDS[ended.state]


def is_hopeless(ended: Ended) -> bool:
    """It recurs, and failed as often as it may."""
    return bool(ended.promise.cron) and ended.failures >= FAILURES


class Keeper:
    """Looks at the books, for ever. Several of them may: whoever comes second changes nothing."""

    def __init__(self, promises: Promises, clock: Callable[[], float] = time.time) -> None:
        self._promises, self._clock = promises, clock
        self._lanes: set[str] = set()
        self._wake = asyncio.Event()

    def wake(self, _payload: str = "") -> None:
        """A promise may begin, or was changed."""
        self._wake.set()

    def look_at(self, lane: str) -> None:
        """Something was delivered in a lane, perhaps what was promised there."""
        if lane in self._lanes:
            self._wake.set()

    async def run(self) -> None:
        """Keep promises, until cancelled."""
        while True:
            self._wake.clear()
            try:
                await self.look()
            except Unavailable as error:
                log.error("keeping_failed", cause=error.message)
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL):
                    await self._wake.wait()

    async def look(self) -> None:
        """Close what has ended, begin what is due, and measure."""
        for ended in await self._promises.ended_promises():
            with _apart(ended.promise):
                await self._close(ended)
        begun = set[str]()
        for promise in await self._promises.ready_promises(AT_ONCE):
            with _apart(promise), tracing.span("promise", promise_id=promise.promise_id):
                if promise.lane not in begun and await self._promises.begin_promise(promise):
                    begun.add(promise.lane)
                    log.info("promise_begun", promise_id=promise.promise_id)
        self._lanes |= begun
        waiting, oldest = await self._promises.measure_promises()
        WAITING_PROMISES.set(waiting)
        OLDEST_DUE_PROMISE.set(oldest)

    async def _close(self, ended: Ended) -> None:
        promise, to = ended.promise, outcome(ended)
        due = promise.due_time
        if to is PromiseState.WAITING:
            due = schedule.next_after_a_run(promise.cron, promise.zone, due, self._clock())
        words = given_up(promise) if is_hopeless(ended) else ""
        if await self._promises.end_promise(promise, to, due, words):
            self._lanes.discard(promise.lane)
            ENDED_PROMISES.labels(_ENDS[ended.state] if to is PromiseState.WAITING else to).inc()
            log.info("promise_ended", promise_id=promise.promise_id, state=to)


@contextmanager
def _apart(promise: Promise) -> Iterator[None]:
    """Whatever is wrong with one promise must not keep all others from being kept."""
    try:
        yield
    except Unavailable:
        raise
    except Exception:  # the worker loop: see above
        log.exception("promise_broke", promise_id=promise.promise_id)
