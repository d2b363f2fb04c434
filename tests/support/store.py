"""The store that a test runs on: SQLite, or where VALOR_TEST_POSTGRES names a server, a database of its own there."""

import atexit
import functools
import os
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from services.chassis.database import Database
from services.chassis.settings import Place
from services.people import migrations as of_people
from services.pipeline import migrations as of_pipeline
from services.toolrunner import migrations as of_toolrunner

__all__ = ["REFUSED", "SERVER", "Place", "database", "dump", "holds", "place", "rows", "url"]

SERVER = os.environ.get("VALOR_TEST_POSTGRES", "")
"""postgresql://…/postgres of a server on which tests may make databases; empty: SQLite."""

REFUSED = (sqlite3.IntegrityError, psycopg.IntegrityError)
"""What the store raises where its own rules are broken."""


MIGRATIONS = {"people": of_people, "pipeline": of_pipeline, "toolrunner": of_toolrunner}

_made = {""}
"""The databases that were made here: no test touches any other."""


def url() -> str:
    """The database of this test; empty on SQLite. Raises RuntimeError where it was not made here."""
    found = os.environ.get("VALOR_DATABASE", "")
    if found not in _made:
        raise RuntimeError("A test must not touch a database that was not made for it.")
    return found


def place(folder: Path, name: str) -> Place:
    """Where a service keeps its tables in this test."""
    return Place(folder / f"{name}.db", url(), name.replace("-", "_"))


def rows(where: Place, query: str, *values: Any) -> list[Any]:
    """What is committed, past all that the services do; a row of one column is its value."""
    if where.url:
        with psycopg.connect(where.url, autocommit=True, options=f"-c search_path={where.schema}") as server:
            cursor = server.execute(query.replace("%", "%%").replace("?", "%s"), values)
            found = cursor.fetchall() if cursor.description else []
    else:
        with closing(sqlite3.connect(where.file, isolation_level=None)) as file:
            found = file.execute(query, values).fetchall()
    return [row[0] if len(row) == 1 else tuple(row) for row in found]


def dump(where: Place) -> list[Any]:
    """Everything that is committed."""
    if not where.url:
        with closing(sqlite3.connect(where.file)) as file:
            return list(file.iterdump())
    tables = rows(where, "SELECT tablename FROM pg_tables WHERE schemaname = ? ORDER BY tablename", where.schema)
    return [(table, sorted(map(repr, rows(where, f"SELECT * FROM {table}")))) for table in tables]  # noqa: S608


def holds(where: Place, text: str) -> bool:
    """Whether a text stands anywhere, deleted rows of a file included."""
    if where.url:
        return text in repr(dump(where))
    files = list(where.file.parent.glob(f"{where.file.name}*"))
    assert files
    return any(text.encode() in file.read_bytes() for file in files)


@contextmanager
def database(*, tables: bool = False) -> Iterator[str]:
    """A database on the server that ends with the block; its URL. On SQLite there is none, and none is made.

    With `tables` it holds those of the services already, which is quicker than to migrate again for every test.
    """
    if not SERVER:
        yield ""
        return
    with _created(f" TEMPLATE {urlsplit(_template()).path[1:]}" if tables else "") as made:
        yield made


@contextmanager
def _created(template: str = "") -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    made = f"{SERVER.rpartition('/')[0]}/{name}"
    _ask(f"CREATE DATABASE {name}{template}")
    _made.add(made)
    try:
        yield made
    finally:
        _ask(f"DROP DATABASE {name} WITH (FORCE)")


@functools.cache
def _template() -> str:
    """A database with the tables of the services, until this process ends; its URL."""
    until_exit = ExitStack()
    atexit.register(until_exit.close)
    made = until_exit.enter_context(_created())
    for name, migrations in MIGRATIONS.items():
        Database.migrate(Place(Path(), made, name), migrations)
    return made


def _ask(statement: str) -> None:
    with psycopg.connect(SERVER, autocommit=True) as server:
        server.execute(statement)
