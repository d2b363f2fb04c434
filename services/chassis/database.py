"""A service's own tables: short transactions by function, one writer that commits in groups, wake-ups after commit.

    async with Database.open(folder / "pipeline.db", migrations) as database:
        turn = await database.write(lambda tx: tx.one("UPDATE … RETURNING id", id=7))

A function gets a transaction, runs plain SQL that SQLite and PostgreSQL both understand, and must not do anything else:
no call, no waiting. It may run twice, so it keeps nothing but its result.
"""

import asyncio
import fcntl
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from services.chassis import migrate
from services.chassis.errors import SettingsError
from services.chassis.writer import Transaction, Worker

T = TypeVar("T")
Listener = Callable[[str], None]


class Database:
    """One SQLite file with one owner. Writes are durable when `write` returns (synchronous=FULL)."""

    def __init__(self, path: Path) -> None:
        self._writer, self._reader = Worker(path, tell=self._tell), Worker(path, read_only=True)
        self._listeners: dict[str, list[Listener]] = defaultdict(list)

    async def write(self, change: Callable[[Transaction], T]) -> T:
        """Run `change` in a transaction of its own; what it notified is told after the commit.

        Raises:
            Unavailable: The disk refused; nothing of it happened.
        """
        return await self._writer.run(change)

    async def read(self, query: Callable[[Transaction], T]) -> T:
        """Run `query` on a snapshot of what is committed."""
        return await self._reader.run(query)

    def listen(self, topic: str, listener: Listener) -> None:
        """Call `listener` in the event loop with each payload notified under `topic`. A hint only: poll as well."""
        self._listeners[topic].append(listener)

    def _tell(self, topic: str, payload: str) -> None:
        for listener in self._listeners[topic]:
            listener(payload)

    @staticmethod
    @asynccontextmanager
    async def open(path: Path, migrations: ModuleType) -> "AsyncIterator[Database]":
        """Own the file until the block ends; its schema is brought up to date first.

        Raises:
            SettingsError: Another process owns the file, or it cannot be written.
        """
        lock = _own(path)
        try:
            await asyncio.to_thread(migrate.upgrade, path, migrations)
            database = Database(path)
            try:
                yield database
            finally:
                await database._writer.close()
                await database._reader.close()
        finally:
            os.close(lock)


def _own(path: Path) -> int:
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
