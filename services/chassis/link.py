"""What the writer needs of a connection to either kind of store."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, Protocol

from services.chassis.errors import Unavailable

Note = tuple[str, str]
"""A topic and a payload."""

Tell = Callable[[str, str], None]


class Row(Protocol):
    """A row; its columns by name or by number."""

    def __getitem__(self, column: str | int) -> Any:
        """One value."""

    def __iter__(self) -> Iterator[Any]:
        """All values."""


class Cursor(Protocol):
    """What a statement gave."""

    @property
    def rowcount(self) -> int:
        """Rows that it changed."""

    def fetchall(self) -> list[Any]:
        """Rows that it returned."""


class Again(Exception):
    """Another process is in the way, or the connection was lost before the commit: run the function again."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error
        """What the caller gets if it stays so."""


class Link(Protocol):
    """A connection to either kind of store, as the worker uses it."""

    group: int
    """Functions in one commit at most, so that the first of them does not wait for long."""

    @property
    def dialect(self) -> Literal["sqlite", "postgresql"]:
        """Which SQL it understands."""

    @property
    def errors(self) -> type[Exception]:
        """Whatever it raises."""

    def begin(self, attempt: int) -> None:
        """Open a transaction; the later the attempt, the longer its functions wait for other processes."""

    def savepoint(self) -> None:
        """A function begins."""

    def undo(self, error: Exception) -> None:
        """Take back what was done since the savepoint, for this error; one of `errors` where all of it is gone."""

    def release(self) -> None:
        """The function was well. Raises one of `errors` where the transaction is gone."""

    def commit(self, notes: Sequence[Note]) -> None:
        """Make it durable, and tell those in other processes."""

    def rollback(self) -> None:
        """Take everything back; never raises."""

    def verdict(self, error: Exception) -> Exception:
        """What an error comes to: itself (it is the function's), `Unavailable`, or `Again`."""

    def execute(self, sql: str, parameters: dict[str, Any]) -> Cursor:
        """Run one statement."""

    def lock(self, key: str) -> None:
        """Wait until no other process holds this key."""

    def time(self) -> float:
        """Epoch seconds, the same for all processes."""

    def close(self) -> None:
        """End it."""


def refusal(error: Exception) -> Unavailable:
    """The store could not do it; nothing of it happened."""
    return Unavailable(f"The database refused: {error}.", reason="DATABASE_REFUSED")
