"""A session with PostgreSQL: statements, each prepared once.

They go to libpq directly: a cursor of psycopg, which serves many more ways of use, takes twice the time of the whole
round trip. What psycopg knows of types and errors serves here too.
"""

from typing import Any, Literal

import psycopg
from psycopg.abc import Transformer
from psycopg.adapt import PyFormat
from psycopg.adapt import Transformer as Values
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

from services.chassis import postgres_types
from services.chassis.statements import numbered

PREPARED = 256
"""Statements that stay prepared. One counts once for each width of its numbers and each length of its lists."""

FAILED = (ExecStatus.FATAL_ERROR, ExecStatus.BAD_RESPONSE)


class Session:
    """What is asked over one connection."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._libpq, self._cursor = connection.pgconn, connection.cursor()
        connection.prepare_threshold = None  # what psycopg itself prepares would be gone with the rest
        self._values: Transformer = Values(connection)
        self._prepared: dict[tuple[bytes, tuple[int, ...]], bytes] = {}

    def execute(self, sql: str, parameters: dict[str, Any]) -> "Answer":
        """Run one statement. Raises psycopg.Error."""
        query, names = numbered(sql)
        given = postgres_types.clean([parameters[name] for name in names])
        values = self._values.dump_sequence(given, [PyFormat.AUTO] * len(given))
        name = self._name(query, tuple(self._values.types or ()))
        formats = self._values.formats
        result = self._libpq.exec_prepared(name, values, formats)  # type: ignore[arg-type]  # None is NULL
        return Answer(self._checked(result), self._values)

    def script(self, statements: str) -> "Answer":
        """Run statements without parameters in one round trip; what the last one gave. Raises psycopg.Error."""
        return Answer(self._checked(self._libpq.exec_(statements.encode())), self._values)

    def end(self, statement: Literal["COMMIT", "ROLLBACK"]) -> None:
        """End the transaction. Raises psycopg.Error: of several the first, which tells why the server had ended it."""
        self._cursor.execute(statement)

    def is_within(self) -> bool:
        """A transaction has begun and did not end."""
        return self._libpq.transaction_status in {TransactionStatus.INTRANS, TransactionStatus.INERROR}

    def _name(self, query: bytes, types: tuple[int, ...]) -> bytes:
        key = query, types
        name = self._prepared.get(key)
        if name is None:
            if len(self._prepared) == PREPARED:
                self.script("DEALLOCATE ALL")
                self._prepared.clear()
            name = f"valor_{len(self._prepared)}".encode()
            self._checked(self._libpq.prepare(name, query, types))
            self._prepared[key] = name
        return name

    @staticmethod
    def _checked(result: PGresult) -> PGresult:
        if result.status in FAILED:
            raise psycopg.errors.error_from_result(result)
        return result


class Answer:
    """What a statement gave: `link.Cursor`."""

    def __init__(self, result: PGresult, values: Transformer) -> None:
        self._result, self._values = result, values
        self.rowcount = result.command_tuples or 0

    def fetchall(self) -> list[Any]:
        """The rows; none where the statement gives none."""
        self._values.set_pgresult(self._result)
        return self._values.load_rows(0, self._result.ntuples, postgres_types.row(self._result))
