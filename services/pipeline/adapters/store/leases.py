"""Who runs which turn, where several processes share the queue: a run holds a lease, by the store's clock.

On SQLite there is one process, and whatever runs is its own: leases are not looked at there.
"""

from services.chassis.writer import Transaction
from services.pipeline.adapters.store import rows
from services.pipeline.adapters.store.table import Table
from services.pipeline.model import State, run


class LeaseTable(Table):
    """`ports.Leases` on SQL."""

    async def keep(self) -> set[str]:
        """Hold the leases of all runs of this process, in one statement; the runs that are still its own."""

        def change(tx: Transaction) -> set[str]:
            held = tx.all(
                "UPDATE turns SET lease_until = :until WHERE state = 'running' AND owner = :owner RETURNING id, fence",
                until=tx.time() + self._lease,
                owner=self._database.owner,
            )
            return {run(row["id"], row["fence"]) for row in held}

        return await self._database.write(change)

    async def reclaim(self) -> int:
        """Hand over what nobody runs any more: what has lost its lease, and on a store of our own whatever runs."""

        def change(tx: Transaction) -> int:
            over = "AND lease_until < :now" if self._database.shared else ""
            moved = rows.move(tx, State.WAITING, f"state = 'running' {over}", now=tx.time())
            for turn in moved:
                tx.notify("revoked", run(turn["id"], turn["fence"]))
                tx.notify("lanes", turn["lane"])
            return len(moved)

        return await self._database.write(change)

    def take(self, tx: Transaction, turn_id: int, now: float) -> bool:
        """Begin to run a turn that waits; False where another process was faster."""
        query = f"SELECT id FROM turns WHERE id = :id AND state = 'waiting'{tx.skip_locked}"
        if tx.value(query, id=turn_id) is None:
            return False
        rows.move(tx, State.RUNNING, "id = :id", id=turn_id, now=now)
        if self._database.shared:
            lease = {"owner": self._database.owner, "until": tx.time() + self._lease}
            tx.run("UPDATE turns SET owner = :owner, lease_until = :until WHERE id = :id", id=turn_id, **lease)
        return True
