"""What only several processes on one server can do to each other, and what the server does to all of them."""

import asyncio
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from types import ModuleType

import psycopg
import pytest

from services.chassis.database import Database
from services.chassis.errors import SettingsError, Unavailable
from services.chassis.postgres_link import PATIENCE
from services.chassis.postgres_session import PREPARED
from services.chassis.settings import Place
from services.chassis.writer import Transaction
from tests.integration.chassis import migrations_of_a_test as migrations
from tests.support.metrics import change, metric
from tests.support.sandbox import until
from tests.support.store import place, rows
from tests.support.wire import Wire

pytestmark = pytest.mark.postgres


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[Database, Database]]:
    """Two processes' view of the same tables."""
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(Database.open(place(tmp_path, "test"), migrations)) for _ in "ab"]
        yield opened[0], opened[1]


def _add(tx: Transaction, number: int, text: str = "x") -> None:
    tx.run("INSERT INTO notes (id, text) VALUES (:id, :text)", id=number, text=text)


async def test_one_is_told_what_the_other_notified(pair: tuple[Database, Database]) -> None:
    one, other = pair
    told: list[tuple[str, str]] = []
    both = asyncio.Event()

    def hear(name: str, payload: str) -> None:
        told.append((name, payload))
        if len(told) == 2:
            both.set()

    one.listen("lanes", lambda payload: hear("one", payload))
    other.listen("lanes", lambda payload: hear("other", payload))
    await one.write(lambda tx: tx.notify("lanes", "telegram:42: with words"))
    async with asyncio.timeout(5):
        await both.wait()
    assert sorted(told) == [("one", "telegram:42: with words"), ("other", "telegram:42: with words")]


async def test_a_note_that_is_too_long_is_dropped_and_the_write_stands(pair: tuple[Database, Database]) -> None:
    def change(tx: Transaction) -> None:
        _add(tx, 1)
        tx.notify("lanes", "x" * 9_000)

    await pair[0].write(change)
    assert await pair[1].read(lambda tx: tx.value("SELECT count(*) FROM notes")) == 1


async def test_statements_without_number_are_let_go_of_again(pair: tuple[Database, Database]) -> None:
    def query(tx: Transaction) -> int:
        for number in range(3 * PREPARED):
            assert tx.value(f"SELECT {number} WHERE :true", true=True) == number
        return int(tx.value("SELECT count(*) FROM pg_prepared_statements"))

    for _ in range(8):
        assert await pair[0].write(query) <= PREPARED


async def test_who_checks_under_a_lock_is_never_overtaken(pair: tuple[Database, Database]) -> None:
    """Without the lock, two processes read the same count."""

    def change(tx: Transaction) -> None:
        tx.lock("count")
        count = tx.value("SELECT count(*) FROM notes")
        tx.run("INSERT INTO notes (text) VALUES (:text)", text=str(count))

    await asyncio.gather(*[database.write(change) for _ in range(100) for database in pair])
    texts = await pair[0].read(lambda tx: [row["text"] for row in tx.all("SELECT text FROM notes")])
    assert sorted(map(int, texts)) == list(range(200))


async def test_who_loses_a_race_for_a_key_runs_again_and_finds_it(pair: tuple[Database, Database]) -> None:
    def change(tx: Transaction) -> str:
        known = tx.one("SELECT text FROM notes WHERE id = 7")
        if known is not None:
            return str(known["text"])
        _add(tx, 7, "first")
        return "made"

    for _ in range(30):
        results = await asyncio.gather(*[database.write(change) for database in pair])
        assert sorted(results) == ["first", "made"]
        await pair[0].write(lambda tx: tx.run("DELETE FROM notes"))


async def test_two_that_lock_in_opposite_order_both_come_through(pair: tuple[Database, Database]) -> None:
    for number in (1, 2):
        await pair[0].write(lambda tx, number=number: _add(tx, number))  # type: ignore[misc]

    def touch(numbers: tuple[int, int]) -> "asyncio.Future[None]":
        def change(tx: Transaction) -> None:
            for number in numbers:
                tx.run("UPDATE notes SET text = text || 'y' WHERE id = :id", id=number)

        database = pair[numbers[0] - 1]
        return asyncio.ensure_future(database.write(change))

    for _ in range(50):
        await asyncio.gather(*[touch(numbers) for numbers in ((1, 2), (2, 1), (1, 2), (2, 1))])
    texts = await pair[0].read(lambda tx: [row["text"] for row in tx.all("SELECT text FROM notes")])
    assert texts == ["x" + "y" * 200] * 2


async def test_work_goes_on_after_the_server_dropped_every_connection(
    pair: tuple[Database, Database], tmp_path: Path
) -> None:
    missed = asyncio.Event()
    pair[0].catch_up(missed.set)
    await pair[0].write(lambda tx: _add(tx, 1))
    for number in range(2, 12):
        kick = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        rows(place(tmp_path, "test"), f"{kick} AND pid != pg_backend_pid()")
        await pair[0].write(lambda tx, number=number: _add(tx, number))  # type: ignore[misc]
        assert await pair[1].read(lambda tx: tx.value("SELECT count(*) FROM notes")) == number
    async with asyncio.timeout(5):
        await missed.wait()
    told = asyncio.Event()
    pair[0].listen("lanes", lambda _: told.set())
    async with asyncio.timeout(5):
        while not told.is_set():
            await pair[1].write(lambda tx: tx.notify("lanes"))
            await asyncio.sleep(0.01)


async def test_a_server_out_of_reach_is_told_and_when_it_is_back_work_goes_on(tmp_path: Path) -> None:
    direct = place(tmp_path, "test")
    server = psycopg.conninfo.conninfo_to_dict(direct.url)
    wire = Wire(f"{server['host']}:{server['port']}")
    async with wire.open() as address:
        url = direct.url.replace(f"{server['host']}:{server['port']}", address)
        async with Database.open(Place(direct.file, url, "test"), migrations) as database:
            await database.write(lambda tx: _add(tx, 1))
            reconnects = change("valor_database_reconnects_total", service="test")
            cut = asyncio.create_task(wire.sever(PATIENCE + 1))
            await until(lambda: metric("valor_database_up", service="test") == 0)  # before anybody writes
            began = time.monotonic()
            with pytest.raises(Unavailable):
                await database.write(lambda tx: _add(tx, 2))
            assert time.monotonic() - began < PATIENCE + 3
            await cut
            await until(lambda: metric("valor_database_up", service="test") == 1)
            await database.write(lambda tx: _add(tx, 3))
            assert reconnects() >= 1
            assert await database.read(lambda tx: [row["id"] for row in tx.all("SELECT id FROM notes")]) == [1, 3]


async def test_a_column_that_a_newer_version_adds_does_not_disturb_the_older(
    pair: tuple[Database, Database], tmp_path: Path
) -> None:
    """What a connection has prepared counts on the columns that it saw."""
    await pair[0].write(lambda tx: _add(tx, 1))

    async def read() -> object:
        return await pair[0].read(lambda tx: tx.one("SELECT * FROM notes WHERE id = :id", id=1)["text"])  # type: ignore[index]

    for _ in range(20):
        await read()
    rows(place(tmp_path, "test"), "ALTER TABLE notes ADD COLUMN lease double precision DEFAULT 0")
    for _ in range(20):
        assert await read() == "x"


async def test_a_process_paused_in_a_transaction_does_not_hold_up_the_others(
    pair: tuple[Database, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It finds its connection ended, and is run again; the other waits for a few seconds at most."""
    await pair[0].write(lambda tx: _add(tx, 1))
    locked, resume = threading.Event(), threading.Event()

    def change(tx: Transaction) -> None:
        tx.run("UPDATE notes SET text = text || ' paused'")
        locked.set()
        resume.wait()  # as if by SIGSTOP

    paused = asyncio.create_task(pair[0].write(change))
    await asyncio.to_thread(locked.wait)
    await pair[1].write(lambda tx: tx.run("UPDATE notes SET text = text || ' other'"))
    resume.set()
    await paused
    assert await pair[1].read(lambda tx: tx.value("SELECT text FROM notes")) == "x other paused"


RACE = """
import asyncio, os, sys
from pathlib import Path

from services.chassis.database import Database
from services.chassis.settings import Place
from tests.integration.chassis import migrations_of_a_test as migrations


async def main():
    async with Database.open(Place(Path("unused"), sys.argv[1], "test"), migrations) as database:
        await database.write(lambda tx: tx.run("INSERT INTO notes (text) VALUES ('started')"))


asyncio.run(main())
"""


async def test_of_many_processes_that_start_at_once_one_migrates(tmp_path: Path) -> None:
    where = place(tmp_path, "test")
    processes = [await asyncio.create_subprocess_exec(sys.executable, "-c", RACE, where.url) for _ in range(4)]
    assert [await process.wait() for process in processes] == [0] * 4
    assert rows(where, "SELECT count(*) FROM notes") == [4]
    assert rows(where, "SELECT version_num FROM alembic_version") == ["0001"]


async def test_a_version_starts_on_the_schema_of_the_next(tmp_path: Path) -> None:
    where = place(tmp_path, "test")
    async with Database.open(where, migrations):
        rows(where, "UPDATE alembic_version SET version_num = '0002'")
    async with Database.open(where, migrations) as database:
        await database.write(lambda tx: _add(tx, 1))
    assert rows(where, "SELECT version_num FROM alembic_version") == ["0002"]


async def test_a_migration_that_fails_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "broken_migrations"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "r0001_half.py").write_text(
        "from alembic import op\nrevision, down_revision = '0001', None\n"
        "def upgrade():\n    op.execute('CREATE TABLE half (id INTEGER)')\n    op.execute('CREATE TABLE')\n"
    )
    broken = ModuleType("broken_migrations")
    broken.__file__ = str(folder / "__init__.py")
    with pytest.raises(Exception, match="syntax error"):
        async with Database.open(place(tmp_path, "test"), broken):
            pass
    assert rows(place(tmp_path, "test"), "SELECT 1 FROM pg_namespace WHERE nspname = 'test'") == []


async def test_values_come_back_as_on_sqlite(pair: tuple[Database, Database]) -> None:
    query = "SELECT CAST(:n AS bigint) AS n, CAST(:f AS double precision) AS f, CAST(:b AS bytea) AS b, 1 = :yes AS t"
    row = await pair[0].read(lambda tx: tx.one(query, n=1 << 62, f=1.5, b=b"\0x", yes=True))
    assert row is not None
    assert (row["n"], row["f"], row["b"], row[3]) == (1 << 62, 1.5, b"\0x", True)
    assert list(row) == [1 << 62, 1.5, b"\0x", True]
    total = await pair[0].read(lambda tx: tx.value("SELECT sum(n) FROM (VALUES (CAST(1 AS bigint)), (2)) AS t (n)"))
    assert (total, type(total)) == (3, int)


async def test_the_server_s_clock_counts(pair: tuple[Database, Database]) -> None:
    for database in pair:
        assert abs(await database.write(lambda tx: tx.time()) - time.time()) < 1.0


async def test_a_server_that_refuses_us_ends_the_start_with_a_sentence(tmp_path: Path) -> None:
    nowhere = place(tmp_path, "test").url + "_gone"
    with pytest.raises(SettingsError, match=r"^VALOR_DATABASE is wrong, or its server is away: .*does not exist"):
        async with Database.open(Place(tmp_path / "test.db", nowhere, "test"), migrations):
            pass
