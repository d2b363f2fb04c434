"""A connection to PostgreSQL as the writer uses it: made again when it was lost, and wise to what may be repeated."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

import psycopg
from psycopg import errors

from services.chassis import postgres_types
from services.chassis.backoff import pause
from services.chassis.errors import Unavailable
from services.chassis.link import Again, Note, refusal
from services.chassis.metrics import DATABASE_RECONNECTS, service_of
from services.chassis.postgres_session import Answer, Session

Connect = Callable[[], psycopg.Connection[Any]]

PATIENCE = 2.0
"""Seconds that functions wait for a server that is away before their callers are told."""

BACK_OFF = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Seconds between two attempts to connect; the last one for ever."""

READS, WRITES = 8, 32
"""Functions in one transaction at most. Fewer than on SQLite: there are several readers to share them, and what one
function of a group has locked, other processes wait for until the group's commit."""

WAITS = (50, 100, 200, 400, 1_000, 3_000)
"""Milliseconds that a function waits for a lock of another process, by attempt. Short at first: two that wait for each
other find that out sooner than the server does. All of them together: longer than a paused process holds a lock.
"""

NOTE = 7_900
"""Bytes of a note at most; PostgreSQL takes 8,000. A longer one is not sent: wake-ups are hints."""

NOW = "SELECT extract(epoch FROM clock_timestamp())::float8"

LATER = (errors.SerializationFailure, errors.DeadlockDetected, errors.LockNotAvailable)
"""Another process is in the way for now."""

FULL = ("53", "58")
"""Classes of error codes of a server that cannot: out of disk, memory or connections, or its system fails."""


class Connection:
    """`writer.Link` to a schema. Writes are on the server's disk when `commit` returns."""

    dialect: Literal["postgresql"] = "postgresql"
    errors = psycopg.Error

    def __init__(self, connect: Connect, channel: str, *, read_only: bool) -> None:
        self._open, self._channel, self._read_only = connect, channel, read_only
        self.group = READS if read_only else WRITES
        self._connection: psycopg.Connection[Any] | None = None
        self._session: Session | None = None
        self._fresh = self._committing = False
        self._clock, self._clock_read = 0.0, 0.0

    def begin(self, attempt: int) -> None:
        """Open a transaction with its first savepoint, and read the server's clock; one round trip."""
        self._committing = False
        if self._connection is None or self._connection.closed:
            again, self._connection = self._connection is not None, self._connect()
            DATABASE_RECONNECTS.labels(service_of(self._channel)).inc(again)
        level = "ISOLATION LEVEL REPEATABLE READ READ ONLY" if self._read_only else "ISOLATION LEVEL READ COMMITTED"
        start = f"BEGIN {level}; SET LOCAL lock_timeout = {WAITS[attempt]}; SAVEPOINT job"
        self._clock, self._clock_read = self._live.script(f"{start}; {NOW}").fetchall()[0][0], time.monotonic()
        self._fresh = True

    def savepoint(self) -> None:
        """A function begins."""
        if not self._fresh:
            self._live.script("RELEASE job; SAVEPOINT job")
        self._fresh = False

    def undo(self, error: Exception) -> None:
        """Take back what was done since the savepoint."""
        self._check(error)
        self._live.script("ROLLBACK TO job")

    def release(self) -> None:
        """The function was well; its savepoint goes with the next one, or with the commit."""
        self._check()

    def commit(self, notes: Sequence[Note]) -> None:
        """Make it durable, and tell everybody who listens."""
        payloads = [payload for note in notes if len((payload := " ".join(note)).encode()) <= NOTE]
        if payloads:
            query = "SELECT pg_notify(:channel, note) FROM unnest(:notes::text[]) AS note"
            self._live.execute(query, {"channel": self._channel, "notes": payloads})
        self._committing = True
        self._live.end("COMMIT")

    def rollback(self) -> None:
        """Take everything back; a connection that cannot is given up."""
        if self._connection is None:
            return
        try:
            self._live.end("ROLLBACK")
        except psycopg.Error:
            self._connection.close()

    def verdict(self, error: Exception) -> Exception:
        """What an error comes to."""
        if not isinstance(error, psycopg.Error):
            return error
        if isinstance(error, _Away):
            return refusal(error)
        if self._connection is None or self._connection.closed:
            return self._lost(error)
        if isinstance(error, errors.FeatureNotSupported) and "cached plan" in str(error):
            self._connection.close()  # a newer version added a column, and what was prepared knows nothing of it
            return Again(refusal(error))
        if isinstance(error, LATER) or (error.sqlstate or "").startswith(FULL):
            return Again(refusal(error)) if isinstance(error, LATER) else refusal(error)
        # Another process was faster with the same row: the next attempt finds it there.
        return Again(error) if isinstance(error, errors.UniqueViolation) else error

    def execute(self, sql: str, parameters: dict[str, Any]) -> Answer:
        """Run one statement."""
        return self._live.execute(sql, parameters)

    def lock(self, key: str) -> None:
        """Wait until no other process holds this key."""
        name = f"{self._channel} {key}"
        self._live.execute("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))", {"name": name})

    def time(self) -> float:
        """The server's clock."""
        return self._clock + time.monotonic() - self._clock_read

    def close(self) -> None:
        """End it."""
        if self._connection is not None:
            self._connection.close()

    @property
    def _live(self) -> Session:
        if self._session is None:
            raise _Away("not connected")
        return self._session

    def _check(self, cause: Exception | None = None) -> None:
        """A function must not end its transaction."""
        if not self._live.is_within():
            raise psycopg.OperationalError("the transaction is gone") from cause

    def _lost(self, error: Exception) -> Exception:
        ended_before = isinstance(error, errors.IdleInTransactionSessionTimeout)
        if self._committing and not self._read_only and not ended_before:
            return Unavailable("The database was lost while it committed.", reason="COMMIT_UNKNOWN")
        return Again(refusal(error))

    def _connect(self) -> psycopg.Connection[Any]:
        try:
            connection = patiently(self._open, PATIENCE)
        except psycopg.Error as error:
            raise _Away(short(error)) from None
        postgres_types.register(connection)
        self._session = Session(connection)
        return connection


class _Away(psycopg.OperationalError):
    """The server cannot be reached."""


def patiently(connect: Connect, seconds: float) -> psycopg.Connection[Any]:
    """Connect, again and again where the server is away. Raises psycopg.Error when the time is over."""
    deadline, failures = time.monotonic() + seconds, 0
    while True:
        try:
            return connect()
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline or _is_refused_for_good(error):
                raise
            time.sleep(pause(BACK_OFF, failures))
            failures += 1


def _is_refused_for_good(error: psycopg.Error) -> bool:
    return any(word in str(error) for word in ("authentication failed", "does not exist", "no pg_hba.conf entry"))


def short(error: Exception) -> str:
    """An error in one line."""
    return " ".join(str(error).split()).rstrip(".")
