"""The table of calls. Each started one carries its process and a lease: other processes see whether it still runs."""

from collections.abc import Collection

from services.chassis.database import Database
from services.chassis.writer import Row, Transaction
from services.toolrunner.model import ELSEWHERE, LOST, Call, Category, Key, Outcome, Record, State, answer

NOTHING = Outcome("")

LEASE = 10.0
"""Seconds after the last sign of life of a process until its calls count as left behind."""

BATCH = 100
"""Calls that are forgotten at once: results may be long, and whoever writes waits meanwhile."""

_KEY = "turn_id = :turn AND step = :step AND call_index = :index"
_OURS = f"{_KEY} AND state = 'started' AND owner = :owner"
"""Nobody has taken the call for left behind."""

_KEEP = f"UPDATE calls SET lease_until = :until WHERE {_OURS}"
_LOSE_ALL = "UPDATE calls SET state = 'unknown' WHERE state = 'started' AND (:all = 1 OR lease_until < :now)"
_OLD = "SELECT id FROM calls WHERE side_effects = 0 AND start_time < :before ORDER BY start_time LIMIT :batch"


class SqlLedger:
    """The ledger of `ports.Ledger` on SQL."""

    def __init__(self, database: Database) -> None:
        self._database, self._owner = database, database.owner

    async def begin(self, call: Call, *, side_effects: bool, now: float) -> Outcome | None:
        """Note that a call starts, or say what a repeat of it is told."""

        def change(tx: Transaction) -> Outcome | None:
            tx.lock(f"call {call.key}")
            row = tx.one(f"SELECT * FROM calls WHERE {_KEY}", **_key(call.key))
            if row is not None and self._runs_elsewhere(row, tx.time()):
                call.demand_same(row["tool"], row["args_hash"])
                return ELSEWHERE
            earlier = answer(_record(row), call) if row is not None else None
            if earlier is None:
                self._start(tx, call, side_effects=side_effects, now=now)
            elif earlier is LOST:
                _set(tx, _KEY, call.key, State.UNKNOWN)
            return earlier

        return await self._database.write(change)

    def _runs_elsewhere(self, row: Row, now: float) -> bool:
        return bool(row["state"] == State.STARTED and row["owner"] != self._owner and row["lease_until"] > now)

    def _start(self, tx: Transaction, call: Call, *, side_effects: bool, now: float) -> None:
        tx.run(
            "INSERT INTO calls (turn_id, step, call_index, tool, args_hash, side_effects, state, category, result,"
            " start_time, owner, lease_until)"
            " VALUES (:turn, :step, :index, :tool, :args_hash, :side_effects, 'started', '', '', :now, :owner, :lease)"
            " ON CONFLICT (turn_id, step, call_index)"
            " DO UPDATE SET state = 'started', start_time = :now, owner = :owner, lease_until = :lease",
            tool=call.tool,
            args_hash=call.args_hash,
            side_effects=int(side_effects),
            now=now,
            owner=self._owner,
            lease=tx.time() + LEASE,
            **_key(call.key),
        )

    async def end(self, key: Key, outcome: Outcome, now: float) -> None:
        """Note what came of a call."""
        await self._database.write(
            lambda tx: _set(tx, _OURS, key, State.ENDED, outcome=outcome, end_time=now, owner=self._owner)
        )

    async def lose(self, key: Key) -> None:
        """Note that nobody will see how a started call ends."""
        await self._database.write(lambda tx: _set(tx, _OURS, key, State.UNKNOWN, owner=self._owner))

    async def lose_all(self) -> int:
        """The same for every started call whose process died; on a store of our own, those are all."""
        everything = not self._database.shared
        return await self._database.write(lambda tx: tx.run(_LOSE_ALL, all=int(everything), now=tx.time()))

    async def keep(self, running: Collection[Key]) -> None:
        """Hold the leases of these calls, as far as they are ours."""

        def change(tx: Transaction) -> None:
            until = tx.time() + LEASE
            for key in running:
                tx.run(_KEEP, until=until, owner=self._owner, **_key(key))

        await self._database.write(change)

    async def forget(self, before: float) -> None:
        """Delete some pure calls that started before a time, the oldest first."""

        def change(tx: Transaction) -> None:
            tx.run(f"DELETE FROM calls WHERE id IN ({_OLD}{tx.skip_locked})", before=before, batch=BATCH)

        await self._database.write(change)

    async def newest(self, turn_id: str, before: int | None, limit: int) -> list[Record]:
        """Calls in the order of their first start, newest first."""
        rows = await self._database.read(
            lambda tx: tx.all(
                "SELECT * FROM calls WHERE (turn_id = :turn OR :turn = '') AND id < :before"
                " ORDER BY id DESC LIMIT :limit",
                turn=turn_id,
                before=1 << 62 if before is None else before,
                limit=limit,
            )
        )
        return [_record(row) for row in rows]


def _set(
    tx: Transaction,
    where: str,
    key: Key,
    state: State,
    *,
    outcome: Outcome = NOTHING,
    end_time: float | None = None,
    owner: str = "",
) -> None:
    tx.run(
        f"UPDATE calls SET state = :state, category = :category, result = :result, end_time = :end_time WHERE {where}",
        state=state,
        category=outcome.category or "",
        result=outcome.text,
        end_time=end_time,
        owner=owner,
        **_key(key),
    )


def _key(key: Key) -> dict[str, str | int]:
    return {"turn": key.turn_id, "step": key.step, "index": key.index}


def _record(row: Row) -> Record:
    key = Key(row["turn_id"], row["step"], row["call_index"])
    return Record(
        row_id=row["id"],
        call=Call(key, row["tool"], row["args_hash"]),
        side_effects=bool(row["side_effects"]),
        state=State(row["state"]),
        outcome=Outcome(row["result"], Category(row["category"]) if row["category"] else None),
        start_time=row["start_time"],
        end_time=row["end_time"],
    )
