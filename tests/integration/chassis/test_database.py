"""One owner, one writer that commits in groups, wake-ups after the commit."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType

import psycopg
import pytest

from services.chassis import migrate
from services.chassis.database import Database
from services.chassis.errors import NotFound, SettingsError, Unavailable
from services.chassis.sqlite import GROUP, File
from services.chassis.writer import Transaction
from tests.integration.chassis import migrations_of_a_test as migrations
from tests.support.store import REFUSED, place, rows


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.open(place(tmp_path, "test"), migrations) as database:
        yield database


def _add(tx: Transaction, text: str = "x") -> int:
    return int(tx.value("INSERT INTO notes (text) VALUES (:text) RETURNING id", text=text))


def _count(tx: Transaction) -> int:
    return int(tx.value("SELECT count(*) FROM notes"))


async def test_what_is_written_is_read_back_by_name(database: Database) -> None:
    number = await database.write(lambda tx: _add(tx, "hello"))
    row = await database.read(lambda tx: tx.one("SELECT * FROM notes WHERE id = :id", id=number))
    assert row is not None
    assert (row["id"], row["text"]) == (number, "hello")
    assert await database.read(lambda tx: [row["text"] for row in tx.all("SELECT text FROM notes")]) == ["hello"]
    assert await database.read(lambda tx: tx.one("SELECT * FROM notes WHERE id = 99")) is None
    assert await database.read(lambda tx: tx.value("SELECT id FROM notes WHERE id = 99")) is None
    assert await database.write(lambda tx: tx.run("DELETE FROM notes")) == 1


async def test_three_thousand_writers_at_once_are_never_busy(database: Database) -> None:
    """F60. A transaction cannot be open across a call: `tests/repo/test_rules.py`."""
    ids = await asyncio.gather(*[database.write(_add) for _ in range(3_000)])
    assert len(set(ids)) == 3_000
    assert await database.read(_count) == 3_000


async def test_a_read_sees_every_write_that_returned(database: Database) -> None:
    async def write_and_count(number: int) -> bool:
        written = await database.write(_add)
        return bool(await database.read(lambda tx: tx.value("SELECT 1 FROM notes WHERE id = :id", id=written)))

    assert all(await asyncio.gather(*[write_and_count(number) for number in range(500)]))


async def test_one_failing_function_does_not_harm_its_group(database: Database) -> None:
    def fail(tx: Transaction) -> None:
        _add(tx, "of a failure")
        raise NotFound("No.")

    def wrong(tx: Transaction) -> None:
        _add(tx, "of a failure")
        _add(tx, "")

    jobs = [[database.write(_add), database.write(fail), database.write(wrong)] for _ in range(GROUP)]
    results = await asyncio.gather(*[job for group in jobs for job in group], return_exceptions=True)
    assert all(isinstance(result, int) for result in results[::3])
    assert all(isinstance(result, NotFound) for result in results[1::3])
    assert all(isinstance(result, REFUSED) for result in results[2::3])
    assert await database.read(_count) == GROUP


async def test_a_read_cannot_write(database: Database) -> None:
    with pytest.raises((sqlite3.OperationalError, psycopg.Error), match=r"read-?only"):
        await database.read(_add)
    assert await database.read(_count) == 0


async def test_those_who_listen_are_told_after_the_commit(database: Database, tmp_path: Path) -> None:
    told: list[tuple[str, int]] = []
    heard = asyncio.Event()

    def committed(payload: str) -> None:
        told.append((payload, rows(place(tmp_path, "test"), "SELECT count(*) FROM notes")[0]))
        heard.set()

    def change(tx: Transaction) -> None:
        tx.notify("notes", _add(tx))
        assert told == []

    database.listen("notes", committed)
    database.listen("others", committed)
    await database.write(change)
    await heard.wait()
    assert told == [("1", 1)]


async def test_nobody_is_told_of_what_was_taken_back(database: Database) -> None:
    told: list[str] = []
    heard = asyncio.Event()

    def fail(tx: Transaction) -> None:
        tx.notify("notes", "never")
        raise NotFound("No.")

    def work(tx: Transaction) -> None:
        tx.notify("notes", "done")

    database.listen("notes", told.append)
    database.listen("end", lambda _: heard.set())
    await asyncio.gather(*[database.write(each) for each in (work, fail, work)], return_exceptions=True)
    await database.write(lambda tx: tx.notify("end"))
    await heard.wait()
    assert set(told) == {"done"}


async def test_those_who_listen_are_told_though_the_writer_has_left(database: Database) -> None:
    told = asyncio.Event()
    database.listen("notes", lambda _: told.set())

    def change(tx: Transaction) -> None:
        tx.notify("notes")

    writer = asyncio.create_task(database.write(change))
    await asyncio.sleep(0)
    writer.cancel()
    await told.wait()


async def test_a_writer_that_leaves_does_not_take_its_write_along(database: Database) -> None:
    writers = [asyncio.create_task(database.write(_add)) for _ in range(10)]
    await asyncio.sleep(0)
    for writer in writers[::2]:
        writer.cancel()
    await asyncio.wait(writers)
    assert await database.read(_count) == 10


async def test_what_is_queued_is_written_before_the_end(tmp_path: Path) -> None:
    async with Database.open(place(tmp_path, "test"), migrations) as database:
        writers = [asyncio.create_task(database.write(_add)) for _ in range(1_000)]
        await asyncio.sleep(0)
    await asyncio.gather(*writers)
    async with Database.open(place(tmp_path, "test"), migrations) as database:
        assert await database.read(_count) == 1_000


@pytest.mark.parametrize("sql", ["ROLLBACK", "COMMIT"])
@pytest.mark.parametrize("then", [None, ValueError("Not mine to end.")])
async def test_a_function_that_breaks_its_transaction_is_refused_and_the_writer_lives(
    database: Database, sql: str, then: Exception | None
) -> None:
    def vandal(tx: Transaction) -> None:
        tx.run(sql)
        if then is not None:
            raise then

    with pytest.raises(Unavailable):
        await database.write(vandal)
    assert await database.write(_add) == 1


@pytest.mark.sqlite
async def test_a_second_owner_is_refused_with_a_sentence_and_the_next_is_not(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    async with Database.open(path, migrations):
        with pytest.raises(SettingsError, match=r"Another process owns .*test\.db: stop it, or set VALOR_DATA"):
            async with Database.open(path, migrations):
                pass
    async with Database.open(path, migrations) as database:
        assert await database.read(_count) == 0


@pytest.mark.sqlite
async def test_every_commit_is_on_disk_and_foreign_keys_count(database: Database) -> None:
    names = ("synchronous", "journal_mode", "foreign_keys")
    assert await database.write(lambda tx: [tx.value(f"PRAGMA {name}") for name in names]) == [2, "wal", 1]


@pytest.mark.sqlite
def test_migrations_may_run_again(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    for _ in range(2):
        migrate.upgrade(File(path).engine(), migrations)
        database = sqlite3.connect(path)
        database.execute("INSERT INTO notes (text) VALUES ('kept')")
        database.commit()
        assert database.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]
        kept = database.execute("SELECT count(*) FROM notes").fetchone()[0]
        database.close()
    assert kept == 2


@pytest.mark.sqlite
def test_a_migration_that_fails_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "broken_migrations"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "r0001_half.py").write_text(
        "from alembic import op\nrevision, down_revision = '0001', None\n"
        "def upgrade():\n    op.execute('CREATE TABLE half (id INTEGER)')\n    op.execute('CREATE TABLE')\n"
    )
    broken = ModuleType("broken_migrations")
    broken.__file__ = str(folder / "__init__.py")
    with pytest.raises(Exception, match="incomplete input"):
        migrate.upgrade(File(tmp_path / "test.db").engine(), broken)
    database = sqlite3.connect(tmp_path / "test.db")
    assert database.execute("SELECT name FROM sqlite_master").fetchall() == []
    database.close()
