"""A thread with an SQLite connection: it runs transaction functions and commits those that wait together as one.

A commit with synchronous=FULL costs a disk sync; one sync for all who wait is what makes that affordable.
"""

import asyncio
import queue
import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

from services.chassis.errors import Unavailable

T = TypeVar("T")
Row = sqlite3.Row
Tell = Callable[[str, str], None]

GROUP = 256
"""Functions in one commit at most, so that the first of them does not wait for long."""


class Transaction:
    """What a transaction function works with. Parameters are named: `tx.one("… WHERE id = :id", id=7)`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.notes: list[tuple[str, str]] = []

    def all(self, sql: str, **parameters: Any) -> list[Row]:
        """Every row."""
        return self._connection.execute(sql, parameters).fetchall()

    def one(self, sql: str, **parameters: Any) -> Row | None:
        """The first row, or None."""
        rows = self._connection.execute(sql, parameters).fetchall()
        return rows[0] if rows else None

    def value(self, sql: str, **parameters: Any) -> Any:
        """The first column of the first row, or None."""
        row = self.one(sql, **parameters)
        return row[0] if row is not None else None

    def run(self, sql: str, **parameters: Any) -> int:
        """Execute; the number of rows it changed."""
        return self._connection.execute(sql, parameters).rowcount

    def notify(self, topic: str, payload: object = "") -> None:
        """Wake those who listen to `topic`, after the commit."""
        self.notes.append((topic, str(payload)))


class _Job(NamedTuple):
    work: Callable[[Transaction], Any]
    future: "asyncio.Future[Any]"


class _Done(NamedTuple):
    result: Any
    notes: list[tuple[str, str]]


class Worker:
    """Runs functions in its thread, one after another; the event loop never waits for the disk."""

    def __init__(self, path: Path, *, read_only: bool = False, tell: Tell = lambda _topic, _payload: None) -> None:
        # The loop and this thread hand the interpreter to each other many times per message.
        sys.setswitchinterval(min(sys.getswitchinterval(), 0.001))
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._read_only, self._tell = read_only, tell
        self._connection = connect(path)
        self._connection.execute(f"PRAGMA query_only = {int(read_only)}")
        self._thread = threading.Thread(target=self._work, name=f"{path.stem}-{'read' if read_only else 'write'}")
        self._thread.start()

    async def run(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` and wait until it is committed; its result. What it notified is told even if nobody waits."""
        job = _Job(work, self._loop.create_future())
        self._jobs.put(job)
        return cast("T", await job.future)

    async def close(self) -> None:
        """Finish what is queued, then stop."""
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        while (group := self._next_group()) is not None:
            outcomes = self._commit(group)
            self._loop.call_soon_threadsafe(self._settle, group, outcomes)
        self._connection.close()

    def _next_group(self) -> list[_Job] | None:
        group: list[_Job] = []
        while (job := self._jobs.get()) is not None:
            group.append(job)
            if len(group) == GROUP or self._jobs.empty():
                return group
        if group:
            self._jobs.put(None)
        return group or None

    def _commit(self, group: list[_Job]) -> list[Any]:
        try:
            self._connection.execute("BEGIN" if self._read_only else "BEGIN IMMEDIATE")
            outcomes = [self._attempt(job) for job in group]
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            return [_refusal(error)] * len(group)
        return outcomes

    def _attempt(self, job: _Job) -> Any:
        """Result and notes, or the exception of a function whose own changes were taken back."""
        transaction = Transaction(self._connection)
        self._connection.execute("SAVEPOINT job")
        try:
            outcome: Any = _Done(job.work(transaction), transaction.notes)
        except Exception as error:  # it belongs to the caller, who gets it
            if not self._connection.in_transaction:  # SQLite took the whole group back, as it does when the disk fails
                raise sqlite3.OperationalError(str(error)) from error
            self._connection.execute("ROLLBACK TO job")
            outcome = _refusal(error) if _is_of_the_disk(error) else error
        self._connection.execute("RELEASE job")
        return outcome

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


def _is_of_the_disk(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}


def _refusal(error: Exception) -> Unavailable:
    return Unavailable(f"The database refused: {error}.", reason="DATABASE_REFUSED")


def connect(path: Path) -> sqlite3.Connection:
    """A connection as all of ours are: WAL, every commit on disk, foreign keys enforced."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    connection.row_factory = Row
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "busy_timeout = 5000"):
        connection.execute(f"PRAGMA {pragma}")
    return connection
