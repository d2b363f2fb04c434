"""Schemas only expand: a version starts and works on what the next ones made of its tables."""

import re
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sqlalchemy as sa

from services.chassis.database import Database, _store
from services.chassis.writer import Transaction
from tests.support.store import place

pytestmark = pytest.mark.bare

SERVICES = ("people", "pipeline", "telegram", "toolrunner")
ALL = {name: import_module(f"services.{name}.migrations") for name in SERVICES}
FILES = {name: sorted(Path(str(module.__file__)).parent.glob("r*.py")) for name, module in ALL.items()}
OLDER = [(name, count) for name, files in FILES.items() for count in range(1, len(files))]
"""Each service with each number of revisions that a version before knew."""


def version(folder: Path, name: str, count: int) -> ModuleType:
    """The migrations of a service when it had so many."""
    older = folder / f"{name}-{count}"
    older.mkdir()
    for file in FILES[name][:count]:
        shutil.copy(file, older)
    module = ModuleType(older.name)
    module.__file__ = str(older / "__init__.py")
    return module


@asynccontextmanager
async def running(folder: Path, name: str, migrations: ModuleType) -> AsyncIterator[tuple[Database, sa.MetaData]]:
    """The store of a version that has started, and its tables."""
    where = place(folder, name)
    async with Database.open(where, migrations) as database:
        yield database, _tables(_store(where).engine())


def _tables(engine: sa.Engine) -> sa.MetaData:
    """All that are a service's own; what Alembic and SQLite's full-text indexes keep for themselves is left out."""
    tables = sa.MetaData()
    with engine.connect() as connection:
        virtual = "SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL%'"
        indexes = connection.exec_driver_sql(virtual).scalars().all() if engine.dialect.name == "sqlite" else []
        foreign = re.compile("|".join(["alembic_version", *(f"{index}(_.*)?" for index in indexes)]))
        found = sa.inspect(connection).get_table_names()
        tables.reflect(connection, only=[table for table in found if not foreign.fullmatch(table)])
    engine.dispose()
    return tables


def contractions(before: sa.MetaData, after: sa.MetaData) -> list[str]:
    """What a version that knows the tables before cannot do any more."""
    return [
        f"{old.name}: {loss}"
        for old in before.sorted_tables
        for loss in (_losses(old, after.tables[old.name]) if old.name in after.tables else ["gone"])
    ]


def _losses(old: sa.Table, new: sa.Table) -> Iterator[str]:
    for column in old.columns:
        found = new.columns.get(column.name)
        if found is None:
            yield f"{column.name} is gone"
        elif str(found.type) != str(column.type):
            yield f"{column.name} has another type"
        elif (column.nullable and not found.nullable) or (column.server_default and not found.server_default):
            yield f"{column.name} must be given"
    for column in new.columns:
        if column.name not in old.columns and not column.nullable and column.server_default is None:
            yield f"{column.name} must be given"
    yield from (f"{rule} is no rule any more" for rule in sorted(_rules(old) - _rules(new)))
    known = re.compile(rf"\b({'|'.join(column.name for column in old.columns)})\b")
    yield from (f"{rule} is a new rule" for rule in sorted(_rules(new) - _rules(old)) if known.search(rule))


def _rules(table: sa.Table) -> set[str]:
    """What is refused, and what `ON CONFLICT` may name."""
    rules = {_rule(constraint) for constraint in table.constraints}
    return rules | {f"unique {_names(index)}" for index in table.indexes if index.unique}


def _rule(constraint: sa.Constraint) -> str:
    if isinstance(constraint, sa.CheckConstraint):
        return f"check {constraint.sqltext}"
    if isinstance(constraint, sa.ForeignKeyConstraint):
        return f"key {_names(constraint)} of {', '.join(key.target_fullname for key in constraint.elements)}"
    return f"unique {_names(constraint)}"


def _names(rule: Any) -> str:
    return ", ".join(column.name for column in rule.columns)


CHANGES = [
    ("ALTER TABLE a ADD COLUMN more TEXT", []),
    ("ALTER TABLE a ADD COLUMN more TEXT NOT NULL DEFAULT ''", []),
    ("ALTER TABLE a ADD COLUMN more TEXT CHECK (more != 'x')", []),
    ("CREATE INDEX some ON a (name)", []),
    ("CREATE TABLE b (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE REFERENCES a (name))", []),
    ("DROP TABLE a", ["a: gone"]),
    ("ALTER TABLE a DROP COLUMN size", ["a: size is gone"]),
    ("ALTER TABLE a RENAME COLUMN size TO length", ["a: size is gone"]),
    ("CREATE UNIQUE INDEX names ON a (size)", ["a: unique size is a new rule"]),
    ("ALTER TABLE a ADD COLUMN more TEXT CHECK (more != name)", ["a: check more != name is a new rule"]),
    ("DROP TABLE a; CREATE TABLE a (name TEXT UNIQUE, size TEXT)", ["a: size has another type"]),
    ("DROP TABLE a; CREATE TABLE a (name TEXT UNIQUE, size INTEGER NOT NULL)", ["a: size must be given"]),
    (
        "DROP TABLE a; CREATE TABLE a (name TEXT UNIQUE, size INTEGER, more TEXT NOT NULL)",
        ["a: more must be given"],
    ),
    ("DROP TABLE a; CREATE TABLE a (name TEXT, size INTEGER)", ["a: unique name is no rule any more"]),
]


@pytest.mark.sqlite
@pytest.mark.parametrize(("change", "lost"), CHANGES)
def test_what_takes_something_away_is_seen(change: str, lost: list[str]) -> None:
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    before, after = sa.MetaData(), sa.MetaData()
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE a (name TEXT UNIQUE, size INTEGER)")
        before.reflect(connection)
        for statement in change.split("; "):
            connection.exec_driver_sql(statement)
        after.reflect(connection)
    engine.dispose()
    assert contractions(before, after) == lost


@pytest.mark.parametrize("name", SERVICES)
async def test_no_revision_takes_anything_away(name: str, tmp_path: Path) -> None:
    steps = []
    for count in range(1, len(FILES[name]) + 1):
        async with running(tmp_path, name, version(tmp_path, name, count)) as (_, tables):
            steps.append(tables)
    assert [contractions(before, after) for before, after in pairwise(steps)] == [[]] * (len(steps) - 1)


def a_row(table: sa.Table, number: int, rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A row with a value wherever one is asked for; keys are those of the rows that were written already."""
    return {column.name: _value(column, number, rows) for column in _given(table)}


def _given(table: sa.Table) -> list["sa.Column[Any]"]:
    """Columns that are written; the others are computed of them."""
    return [column for column in table.columns if column.computed is None]


def _value(column: "sa.Column[Any]", number: int, rows: dict[str, dict[str, Any]]) -> Any:
    if column.nullable:
        return None
    for key in column.foreign_keys:
        return rows[key.column.table.name][key.column.name]
    for check in (one for one in column.table.constraints if isinstance(one, sa.CheckConstraint)):
        if (allowed := re.match(rf"\W*{column.name}\b.*?'(\w+)'", str(check.sqltext))) is not None:
            return allowed[1]
    kinds: dict[type, Any] = {int: number, float: number + 0.5, str: f"{column.name} {number}", bytes: b"%d" % number}
    return kinds[column.type.python_type]


def write(tx: Transaction, tables: sa.MetaData, number: int) -> dict[str, dict[str, Any]]:
    """A row in every table, of these columns alone."""
    rows: dict[str, dict[str, Any]] = {}
    for table in tables.sorted_tables:
        row = rows[table.name] = a_row(table, number, rows)
        columns, values = ", ".join(row), ", ".join(f":{name}" for name in row)
        tx.run(f"INSERT INTO {table.name} ({columns}) VALUES ({values})", **row)  # noqa: S608
    return rows


def read(tx: Transaction, tables: sa.MetaData) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, as far as these columns go."""
    return {
        table.name: [
            {column.name: row[column.name] for column in _given(table)}
            for row in tx.all(f"SELECT * FROM {table.name} ORDER BY 1")  # noqa: S608
        ]
        for table in tables.sorted_tables
    }


@pytest.mark.parametrize(("name", "count"), OLDER)
async def test_an_older_version_starts_on_the_newest_schema_and_reads_and_writes_it(
    name: str, count: int, tmp_path: Path
) -> None:
    """What was written before, by the newest version, and by the older one that is started again."""
    older = version(tmp_path, name, count)
    async with running(tmp_path, name, older) as (database, known):
        first = await database.write(lambda tx: write(tx, known, 1))
    async with running(tmp_path, name, ALL[name]) as (database, newest):
        second = await database.write(lambda tx: write(tx, newest, 2))
    async with running(tmp_path, name, older) as (database, _):
        third = await database.write(lambda tx: write(tx, known, 3))
        found = await database.read(lambda tx: read(tx, known))
    for table in known.sorted_tables:
        mixed = [first[table.name], second[table.name], third[table.name]]
        assert found[table.name] == [{column.name: row[column.name] for column in _given(table)} for row in mixed]
