"""Who runs which turn, where several processes share the queue: a run holds a lease, by the store's clock.

On SQLite there is one process, and whatever runs is its own: leases are not looked at there.
"""

from collections.abc import Set as AbstractSet

from services.chassis.writer import Transaction
from services.pipeline.adapters.store import rows
from services.pipeline.adapters.store.table import Table
from services.pipeline.model import State, run

_OURS = "state = 'running' AND owner = :owner"


class LeaseTable(Table):
    """`ports.Leases` on SQL."""

    async def keep(self, running: AbstractSet[str]) -> set[str]:
        """Hold the leases of what this process runs; those of these runs that are still its own.

        What it claimed without hearing of it, as the answer was lost, nobody runs: that lease is left to end.
        """

        def change(tx: Transaction) -> set[str]:
            ours = {"owner": self._database.owner}
            held = tx.all(f"SELECT id, fence FROM turns WHERE {_OURS}", **ours)
            # 0 is no turn's number: SQL has no empty list.
            unheard = [0, *(row["id"] for row in held if run(row["id"], row["fence"]) not in running)]
            kept = tx.all(
                f"UPDATE turns SET lease_until = :until WHERE {_OURS} AND id NOT IN ({', '.join(map(str, unheard))})"
                " RETURNING id, fence",
                until=tx.time() + self._lease,
                **ours,
            )
            return {run(row["id"], row["fence"]) for row in kept}

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
        still = f"id = (SELECT id FROM turns WHERE id = :id AND state = 'waiting'{tx.skip_locked})"
        ours = {"owner": self._database.owner, "until": tx.time() + self._lease}
        lease = ", owner = :owner, lease_until = :until"
        return bool(rows.move(tx, State.RUNNING, still, lease, id=turn_id, now=now, **ours))
