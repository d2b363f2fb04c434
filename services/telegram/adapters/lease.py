"""The row that says which process speaks for the account."""

from services.chassis.database import Database
from services.chassis.errors import LostOwnership
from services.chassis.writer import Transaction


class SqlLease:
    """`ports.Lease` on SQL, by the store's clock. On a store of our own there is nobody else to wait for."""

    def __init__(self, database: Database) -> None:
        self._database, self._fence = database, 0

    async def take(self, seconds: float) -> bool:
        """Become the owner, where nobody else is."""

        def change(tx: Transaction) -> int:
            tx.lock("lease")
            held = tx.one("SELECT owner, fence, lease_until FROM lease WHERE id = 1")
            fence = 1 if held is None else int(held["fence"]) + 1
            if held is not None and self._is_held_by_another(held["owner"], held["lease_until"], tx.time()):
                return 0
            tx.run(
                "INSERT INTO lease (id, owner, fence, lease_until) VALUES (1, :owner, :fence, :until)"
                " ON CONFLICT (id) DO UPDATE SET owner = :owner, fence = :fence, lease_until = :until",
                owner=self._database.owner,
                fence=fence,
                until=tx.time() + seconds,
            )
            return fence

        self._fence = await self._database.write(change)
        return self._fence > 0

    def _is_held_by_another(self, owner: str, until: float, now: float) -> bool:
        return self._database.shared and owner != self._database.owner and until > now

    async def renew(self, seconds: float) -> bool:
        """Stay the owner; False where somebody else is."""
        query = "UPDATE lease SET lease_until = :until WHERE fence = :fence"
        return await self._database.write(lambda tx: tx.run(query, until=tx.time() + seconds, fence=self._fence)) > 0

    async def give_up(self) -> None:
        """Let the next one in at once, where we are the owner or may have become it."""
        query = "UPDATE lease SET lease_until = 0 WHERE owner = :owner"
        await self._database.write(lambda tx: tx.run(query, owner=self._database.owner))

    def check(self, tx: Transaction) -> None:
        """Let nothing be written by a process that is the owner no more.

        Raises:
            LostOwnership: Somebody else is.
        """
        if tx.value(f"SELECT 1 FROM lease WHERE fence = :fence{tx.for_update}", fence=self._fence) is None:  # noqa: S608
            raise LostOwnership("Another process speaks for the account.")
