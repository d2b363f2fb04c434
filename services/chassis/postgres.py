"""The store of several machines: a schema on a PostgreSQL server, which other processes work in at the same time.

Isolation is READ COMMITTED for writers; a reader sees one snapshot. A connection that was lost is made again.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import sqlalchemy

from services.chassis import logs
from services.chassis.backoff import pause
from services.chassis.errors import SettingsError
from services.chassis.link import Tell
from services.chassis.metrics import DATABASE_UP, service_of
from services.chassis.postgres_link import BACK_OFF, Connection, patiently, short

log = logs.get()

START = 30.0
"""Seconds that a start waits for a server that is away."""

IDLE = 4_000
"""Milliseconds after which the server ends the transaction of a process that was paused in its middle."""

WIRE = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""A cut network is noticed within ten seconds or so."""


@dataclass(frozen=True)
class Schema:
    """A service's schema."""

    url: str = field(repr=False)
    name: str
    shared = True
    readers = 3

    @contextlib.contextmanager
    def own(self) -> Iterator[None]:
        """Nothing to hold: the others are welcome."""
        yield

    def connect(self) -> psycopg.Connection[Any]:
        """A connection that looks into this schema alone, and outside of transactions commits by itself."""
        return psycopg.connect(self.url, autocommit=True, options=self._options(), **WIRE)  # type: ignore[arg-type]

    def engine(self) -> sqlalchemy.Engine:
        """For migrations: their transaction holds a lock; of many processes one migrates, and the others wait."""
        engine = sqlalchemy.create_engine(
            "postgresql+psycopg://", creator=self._first_connection, poolclass=sqlalchemy.pool.NullPool
        )
        sqlalchemy.event.listen(engine, "begin", self._prepare)
        return engine

    def link(self, *, read_only: bool) -> Connection:
        """A connection for a worker; it is made when it is first needed."""
        return Connection(self.connect, self.name, read_only=read_only)

    @contextlib.asynccontextmanager
    async def hearing(self, hear: Tell, missed: Callable[[], None]) -> AsyncIterator[None]:
        """Until the block ends, hand on what is notified by any process; `missed` is called where some may be lost."""
        listening = asyncio.Event()
        task = asyncio.create_task(self._listen(listening, hear, missed))
        try:
            await listening.wait()
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _listen(self, listening: asyncio.Event, hear: Tell, missed: Callable[[], None]) -> None:
        failures = 0
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(self.url, autocommit=True, **WIRE)  # type: ignore[arg-type]
                async with connection:
                    await connection.execute(f'LISTEN "{self.name}"')
                    failures = 0
                    DATABASE_UP.labels(service_of(self.name)).set(1)
                    if listening.is_set():
                        missed()
                    listening.set()
                    async for note in connection.notifies():
                        topic, _, payload = note.payload.partition(" ")
                        asyncio.get_running_loop().call_soon(hear, topic, payload)
            except psycopg.Error as error:
                DATABASE_UP.labels(service_of(self.name)).set(0)
                log.warning("listening_ended", schema=self.name, cause=short(error))
                await asyncio.sleep(pause(BACK_OFF, failures))
                failures += 1

    def _options(self) -> str:
        return f"-c search_path={self.name} -c idle_in_transaction_session_timeout={IDLE}"

    def _first_connection(self) -> psycopg.Connection[Any]:
        try:
            return patiently(lambda: psycopg.connect(self.url, options=f"-c search_path={self.name}"), START)
        except psycopg.Error as error:
            raise SettingsError(f"VALOR_DATABASE is wrong, or its server is away: {short(error)}.") from None

    def _prepare(self, connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"{self.name} schema",))
        known = connection.exec_driver_sql("SELECT 1 FROM pg_namespace WHERE nspname = %s", (self.name,))
        if known.first() is None:
            connection.exec_driver_sql(f'CREATE SCHEMA "{self.name}"')
