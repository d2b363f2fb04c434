"""PostgreSQL's values as SQLite gives and takes them, so that one statement serves both."""

from functools import lru_cache
from typing import Any

from psycopg import Connection
from psycopg.adapt import Buffer, Dumper, Loader
from psycopg.pq.abc import PGresult


class _Row(tuple[Any, ...]):
    """Columns by name or by number; of two with one name, the first."""

    __slots__ = ()
    columns: dict[str, int] = {}  # noqa: RUF012 (one class a shape of rows)

    def __getitem__(self, column: Any) -> Any:
        return tuple.__getitem__(self, self.columns[column] if isinstance(column, str) else column)

    def keys(self) -> list[str]:
        """The columns' names."""
        return list(self.columns)


def row(result: PGresult) -> type[_Row]:
    """The class of a result's rows."""
    return _shape(tuple(map(result.fname, range(result.nfields))))


@lru_cache(maxsize=1024)
def _shape(names: tuple[bytes | None, ...]) -> type[_Row]:
    columns = {(name or b"").decode(): number for number, name in reversed(list(enumerate(names)))}
    return type("Row", (_Row,), {"columns": columns, "__slots__": ()})


class _Flag(Dumper):
    """A flag as 1 or 0 of no type: it fits an integer column as well as a boolean one."""

    oid = 0

    def dump(self, obj: bool) -> Buffer:
        return b"1" if obj else b"0"


class _Number(Loader):
    """The sum of whole numbers is a whole number."""

    def load(self, data: Buffer) -> int | float:
        text = bytes(data).decode()
        return int(text) if text.lstrip("-").isdecimal() else float(text)


def clean(parameters: list[Any]) -> list[Any]:
    """PostgreSQL keeps no NUL in a text: it becomes �."""
    return [value.replace("\0", "\ufffd") if isinstance(value, str) else value for value in parameters]


def register(connection: Connection[Any]) -> None:
    """Use these on a connection."""
    connection.adapters.register_dumper(bool, _Flag)
    connection.adapters.register_loader("numeric", _Number)
