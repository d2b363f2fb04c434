"""What the use cases and the tools need from outside."""

from collections.abc import Collection
from typing import Protocol

from services.toolrunner.model import Call, Key, Outcome, Passage, Ran, Record


class Ledger(Protocol):
    """What is known of calls. Every method is one transaction, on disk when it returns."""

    async def begin(self, call: Call, *, side_effects: bool, now: float) -> Outcome | None:
        """Note that a call starts, and return None; or what a repeat of it is told instead. ELSEWHERE: ask again.

        Raises:
            WrongState: Another call was made under this key.
        """

    async def end(self, key: Key, outcome: Outcome, now: float) -> None:
        """Note what came of a call."""

    async def lose(self, key: Key) -> None:
        """Note that nobody will see how a started call ends."""

    async def lose_all(self) -> int:
        """The same for every started call whose process died. How many there were."""

    async def keep(self, running: Collection[Key]) -> None:
        """Tell other processes that these calls still run here: every few seconds.

        Any other call of this process is left behind: its end could not be noted. Its lease runs out.
        """

    async def forget(self, before: float) -> None:
        """Delete some pure calls that started before a time. What may have acted stays: it must not run again."""

    async def newest(self, turn_id: str, before: int | None, limit: int) -> list[Record]:
        """Calls whose row id is less than `before`, newest first; of all turns where the turn is empty."""


class Sandbox(Protocol):
    """Runs Python that nobody trusts."""

    async def run(self, code: str) -> Ran:
        """Run it without files and network, within limits. Cancelling kills it."""


class Knowledge(Protocol):
    """The documents that were given to Valor."""

    async def search(self, query: str, limit: int) -> list[Passage]:
        """The best passages, best first."""

    async def count(self) -> int:
        """How many documents there are."""
