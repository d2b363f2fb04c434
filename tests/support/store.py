"""The store that a test runs on: SQLite, or where VALOR_TEST_POSTGRES names a server, a database of its own there."""

import os
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from services.chassis.settings import Place

__all__ = ["REFUSED", "SERVER", "Place", "database", "dump", "holds", "place", "rows", "url"]

SERVER = os.environ.get("VALOR_TEST_POSTGRES", "")
"""postgresql://…/postgres of a server on which tests may make databases; empty: SQLite."""

REFUSED = (sqlite3.IntegrityError, psycopg.IntegrityError)
"""What the store raises where its own rules are broken."""


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
def database() -> Iterator[str]:
    """A database on the server that ends with the block; its URL. On SQLite there is none, and none is made."""
    if not SERVER:
        yield ""
        return
    name = f"test_{uuid.uuid4().hex}"
    made = f"{SERVER.rpartition('/')[0]}/{name}"
    _ask(f"CREATE DATABASE {name}")
    _made.add(made)
    try:
        yield made
    finally:
        _ask(f"DROP DATABASE {name} WITH (FORCE)")


def _ask(statement: str) -> None:
    with psycopg.connect(SERVER, autocommit=True) as server:
        server.execute(statement)
