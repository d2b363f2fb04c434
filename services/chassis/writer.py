"""A thread with a connection: it runs transaction functions and commits those that wait together as one.

A commit costs a disk sync; one sync for all who wait is what makes that affordable. Where other processes change the
same tables, a function that would have to wait for one of them is set aside, so that its group goes on, and runs again
alone.
"""

import asyncio
import contextvars
import queue
import random
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, TypeVar, cast

from services.chassis.errors import Unavailable
from services.chassis.link import Again, Link, Note, Row, Tell, refusal
from services.chassis.metrics import Measures

__all__ = ["Row", "Transaction", "Worker"]

T = TypeVar("T")

PAUSES = (0.005, 0.02, 0.05, 0.1, 0.2)
"""Seconds at most between the attempts of a function that others are in the way of; after the last it is refused."""


class Transaction:
    """What a transaction function works with. Parameters are named: `tx.one("… WHERE id = :id", id=7)`."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.notes: list[Note] = []

    @property
    def dialect(self) -> Literal["sqlite", "postgresql"]:
        """Which SQL is understood, for the few statements that differ."""
        return self._link.dialect

    @property
    def for_update(self) -> str:
        """Behind a SELECT: no other process changes these rows until the commit."""
        return " FOR UPDATE" if self.dialect == "postgresql" else ""

    @property
    def skip_locked(self) -> str:
        """Behind a SELECT: the same, without those rows that another process is changing."""
        return " FOR UPDATE SKIP LOCKED" if self.dialect == "postgresql" else ""

    def all(self, sql: str, **parameters: Any) -> list[Row]:
        """Every row."""
        return self._link.execute(sql, parameters).fetchall()

    def one(self, sql: str, **parameters: Any) -> Row | None:
        """The first row, or None."""
        rows = self.all(sql, **parameters)
        return rows[0] if rows else None

    def value(self, sql: str, **parameters: Any) -> Any:
        """The first column of the first row, or None."""
        row = self.one(sql, **parameters)
        return row[0] if row is not None else None

    def run(self, sql: str, **parameters: Any) -> int:
        """Execute; the number of rows it changed."""
        return self._link.execute(sql, parameters).rowcount

    def lock(self, key: str) -> None:
        """Until the commit, no other process is past the same line with this key.

        For what is checked first and then acted upon, where no unique index and no row could say no.
        """
        self._link.lock(key)

    def time(self) -> float:
        """Epoch seconds by the store's clock, the same for all processes: what leases are measured by."""
        return self._link.time()

    def notify(self, topic: str, payload: object = "") -> None:
        """Wake those who listen to `topic`, in all processes, after the commit. Ids only: a note is short."""
        self.notes.append((topic, str(payload)))


class _Job(NamedTuple):
    work: Callable[[Transaction], Any]
    future: "asyncio.Future[Any]"


class _Done(NamedTuple):
    result: Any
    notes: list[Note]


class Worker:
    """Runs functions in a thread a connection, one after another; the event loop never waits for the store."""

    def __init__(
        self,
        links: Sequence[Link],
        name: str,
        kind: Literal["write", "read"],
        *,
        tell: Tell = lambda _topic, _payload: None,
    ) -> None:
        # The loop and these threads hand the interpreter to each other many times per message.
        sys.setswitchinterval(min(sys.getswitchinterval(), 0.001))
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._tell = tell
        self._measures = Measures(name, kind, self._jobs.qsize)
        hands = [_Hand(self, link, self._measures) for link in links]
        self._threads = [threading.Thread(target=hand.work, name=f"{name}-{kind}") for hand in hands]
        for thread in self._threads:
            thread.start()

    async def run(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` and wait until it is committed; its result. What it notified is told even if nobody waits."""
        here = contextvars.copy_context()  # rows carry the trace of whoever wrote them
        job = _Job(lambda transaction: here.run(work, transaction), self._loop.create_future())
        self._jobs.put(job)
        return cast("T", await job.future)

    async def close(self) -> None:
        """Finish what is queued, then stop."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    def next_group(self, size: int) -> list[_Job] | None:
        """Wait for something to do; None: the end."""
        group: list[_Job] = []
        while (job := self._jobs.get()) is not None:
            group.append(job)
            if len(group) == size or self._jobs.empty():
                return group
        if group:
            self._jobs.put(None)
        return group or None

    def done(self, group: list[_Job], outcomes: list[Any]) -> None:
        """A thread has carried out a group."""
        self._loop.call_soon_threadsafe(self._settle, group, outcomes)

    def _settle(self, group: list[_Job], outcomes: list[Any]) -> None:
        for job, outcome in zip(group, outcomes, strict=True):
            if job.future.done():
                continue
            if isinstance(outcome, _Done):
                job.future.set_result(outcome.result)
            else:
                job.future.set_exception(outcome)
        for topic, payload in [note for outcome in outcomes if isinstance(outcome, _Done) for note in outcome.notes]:
            self._tell(topic, payload)


class _Hand:
    """One thread with its connection."""

    def __init__(self, worker: Worker, link: Link, measures: Measures) -> None:
        self._worker, self._link, self._measures = worker, link, measures

    def work(self) -> None:
        while (group := self._worker.next_group(self._link.group)) is not None:
            with self._measures.group(len(group)):
                outcomes = [
                    self._alone(job, outcome) if isinstance(outcome, Again) else outcome
                    for job, outcome in zip(group, self._commit(group), strict=True)
                ]
            self._measures.ended(outcomes)
            self._worker.done(group, outcomes)
        self._link.close()

    def _commit(self, group: list[_Job], attempt: int = 0) -> list[Any]:
        try:
            self._link.begin(attempt)
            outcomes = [self._attempt(job) for job in group]
            self._link.commit([note for done in outcomes if isinstance(done, _Done) for note in done.notes])
        except self._link.errors as error:
            self._link.rollback()
            verdict = self._link.verdict(error)
            return [verdict if isinstance(verdict, Again | Unavailable) else refusal(error)] * len(group)
        return outcomes

    def _attempt(self, job: _Job) -> Any:
        """Result and notes, or the exception of a function whose own changes were taken back."""
        transaction = Transaction(self._link)
        self._link.savepoint()
        try:
            outcome: Any = _Done(job.work(transaction), transaction.notes)
        except Exception as error:  # noqa: BLE001 (it belongs to the caller, who gets it)
            self._link.undo(error)
            outcome = self._link.verdict(error)
        self._link.release()
        return outcome

    def _alone(self, job: _Job, outcome: Again) -> Any:
        self._measures.again()
        for attempt, pause in enumerate(PAUSES, start=1):
            (found,) = self._commit([job], attempt)
            if not isinstance(found, Again):
                return found
            outcome = found
            time.sleep(pause * random.random())  # noqa: S311 (two that are in each other's way must not keep step)
        return outcome.error
