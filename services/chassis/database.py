"""A service's own tables: short transactions by function, one writer that commits in groups, wake-ups after commit.

    async with Database.open(settings.tables(), migrations) as database:
        turn = await database.write(lambda tx: tx.one("UPDATE … RETURNING id", id=7))

A function gets a transaction, runs plain SQL that SQLite and PostgreSQL both understand, and must not do anything else:
no call, no waiting. It may run twice, so it keeps nothing but its result.

On SQLite the tables have one owner, and whatever is checked in a function stays true until its end. On PostgreSQL other
processes change them at the same time: a function that checks first and then acts says `tx.lock` or `tx.for_update`.
"""

import asyncio
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Protocol, TypeVar

import sqlalchemy

from services.chassis import migrate, sqlite
from services.chassis.link import Link, Tell
from services.chassis.settings import Place
from services.chassis.writer import Transaction, Worker

T = TypeVar("T")
Listener = Callable[[str], None]


class Store(Protocol):
    """Where tables are: `sqlite.File` or `postgres.Schema`."""

    shared: bool
    """Other processes may work with the tables at the same time."""
    readers: int

    @property
    def name(self) -> str:
        """What the threads and the metrics are named by: the service."""

    def own(self) -> AbstractContextManager[None]:
        """Hold the tables, where only one may. Raises SettingsError."""

    def engine(self) -> sqlalchemy.Engine:
        """For migrations."""

    def link(self, *, read_only: bool) -> Link:
        """A connection for a worker."""

    def hearing(self, hear: Tell, missed: Callable[[], None]) -> AbstractAsyncContextManager[None]:
        """Hand on what other processes notify."""


class Database:
    """The tables of one service. Writes are durable when `write` returns."""

    def __init__(self, store: Store) -> None:
        self.owner = secrets.token_hex(8)
        """What this process signs its leases with."""
        self.shared = store.shared
        """Other processes may work with the tables at the same time."""
        tell = _nobody if store.shared else self._tell
        self._writer = Worker([store.link(read_only=False)], store.name, "write", tell=tell)
        links = [store.link(read_only=True) for _ in range(store.readers)]
        self._reader = Worker(links, store.name, "read")
        self._listeners: dict[str, list[Listener]] = defaultdict(list)
        self._catching_up: list[Callable[[], None]] = []

    async def write(self, change: Callable[[Transaction], T]) -> T:
        """Run `change` in a transaction of its own; what it notified is told after the commit.

        Raises:
            Unavailable: The store is away, or its disk refused. Nothing of it happened; with the reason
                COMMIT_UNKNOWN it may have.
        """
        return await self._writer.run(change)

    async def read(self, query: Callable[[Transaction], T]) -> T:
        """Run `query` on a snapshot of what is committed."""
        return await self._reader.run(query)

    def listen(self, topic: str, listener: Listener) -> None:
        """Call `listener` in the event loop with each payload notified under `topic`. A hint only: poll as well."""
        self._listeners[topic].append(listener)

    def catch_up(self, action: Callable[[], None]) -> None:
        """Call `action` in the event loop whenever wake-ups may have been lost: look at everything once."""
        self._catching_up.append(action)

    def _tell(self, topic: str, payload: str) -> None:
        for listener in self._listeners[topic]:
            listener(payload)

    def _missed(self) -> None:
        for action in self._catching_up:
            action()

    @staticmethod
    def migrate(place: Place | Path, migrations: ModuleType) -> None:
        """Bring the schema up to date; raises as `open`."""
        store = _store(place)
        with store.own():
            migrate.upgrade(store.engine(), migrations)

    @staticmethod
    @asynccontextmanager
    async def open(place: Place | Path, migrations: ModuleType) -> "AsyncIterator[Database]":
        """Use the tables until the block ends; their schema is brought up to date first.

        Raises:
            SettingsError: Another process owns the file, it cannot be written, or the server cannot be reached.
        """
        store = _store(place)
        with store.own():
            await asyncio.to_thread(migrate.upgrade, store.engine(), migrations)
            database = Database(store)
            try:
                async with store.hearing(database._tell, database._missed):
                    yield database
            finally:
                await database._writer.close()
                await database._reader.close()


def _store(place: Place | Path) -> Store:
    if isinstance(place, Path) or not place.url:
        return sqlite.File(place if isinstance(place, Path) else place.file)
    from services.chassis.postgres import Schema  # noqa: PLC0415 (who works on SQLite need not load the driver)

    return Schema(place.url, place.schema)


def _nobody(_topic: str, _payload: str) -> None:
    """The server tells them, ours among all others."""
