"""The store on one machine: an SQLite file with one owner."""

import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import sqlalchemy

from services.chassis.errors import SettingsError
from services.chassis.link import Note, Tell, refusal

GROUP = 256
"""Functions in one commit at most."""

PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    "busy_timeout = 5000",
    # Kibibytes: each connection's pages are in the system's cache already, and four files would fill two MB more each.
    "cache_size = -256",
)


@dataclass(frozen=True)
class File:
    """A service's file. Whoever owns it is the only process with its tables."""

    path: Path
    shared = False
    readers = 1

    @property
    def name(self) -> str:
        """What the threads are named by."""
        return self.path.stem

    @contextlib.contextmanager
    def own(self) -> Iterator[None]:
        """Hold the file.

        Raises:
            SettingsError: Another process owns it, or it cannot be written.
        """
        lock = _lock(self.path)
        try:
            yield
        finally:
            os.close(lock)

    def engine(self) -> sqlalchemy.Engine:
        """For migrations: a connection whose transaction covers CREATE TABLE, which Python's driver would not begin."""
        engine = sqlalchemy.create_engine(
            f"sqlite:///{self.path}", poolclass=sqlalchemy.pool.NullPool, connect_args={"isolation_level": None}
        )
        sqlalchemy.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        return engine

    def link(self, *, read_only: bool) -> "Connection":
        """A connection for a worker."""
        return Connection(self.path, read_only=read_only)

    @contextlib.asynccontextmanager
    async def hearing(self, hear: Tell, missed: Callable[[], None]) -> AsyncIterator[None]:  # noqa: ARG002 (nobody else)
        """Nobody else writes here: there is nothing to hear that the writer did not tell."""
        yield


def _lock(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise SettingsError(f"VALOR_DATA is wrong: {path.parent} cannot be written ({error.strerror}).") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise SettingsError(f"Another process owns {path}: stop it, or set VALOR_DATA to another folder.") from None
    return lock


class Connection:
    """`writer.Link` to a file. Writes are on disk when `commit` returns."""

    dialect: Literal["sqlite"] = "sqlite"
    errors = sqlite3.Error
    group = GROUP

    def __init__(self, path: Path, *, read_only: bool) -> None:
        self._connection = connect(path)
        self._connection.execute(f"PRAGMA query_only = {int(read_only)}")
        self._begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"

    def begin(self, attempt: int) -> None:  # noqa: ARG002 (nobody else is in the way)
        """Open a transaction."""
        self._connection.execute(self._begin)

    def savepoint(self) -> None:
        """A function begins."""
        self._connection.execute("SAVEPOINT job")

    def undo(self, error: Exception) -> None:
        """Take back what was done since the savepoint."""
        if not self._connection.in_transaction:  # SQLite took the whole group back, as it does when the disk fails
            raise sqlite3.OperationalError(str(error)) from error
        self._connection.execute("ROLLBACK TO job")

    def release(self) -> None:
        """The function was well."""
        self._connection.execute("RELEASE job")

    def commit(self, notes: Sequence[Note]) -> None:  # noqa: ARG002 (the writer tells them)
        """Make it durable."""
        self._connection.execute("COMMIT")

    def rollback(self) -> None:
        """Take everything back."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def verdict(self, error: Exception) -> Exception:
        """The disk refused, or it is the function's own."""
        of_the_disk = getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
        return refusal(error) if of_the_disk else error

    def execute(self, sql: str, parameters: dict[str, Any]) -> sqlite3.Cursor:
        """Run one statement."""
        return self._connection.execute(sql, parameters)

    def lock(self, key: str) -> None:
        """There is one writer: it holds every key."""

    def time(self) -> float:
        """The machine's clock."""
        return time.time()

    def close(self) -> None:
        """End it."""
        self._connection.close()


def connect(path: Path) -> sqlite3.Connection:
    """A connection as all of ours are: WAL, every commit on disk, foreign keys enforced."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    connection.row_factory = sqlite3.Row
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    return connection
