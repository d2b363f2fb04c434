"""The table of calls."""

from services.chassis.database import Database
from services.chassis.writer import Row, Transaction
from services.toolrunner.model import LOST, Call, Category, Key, Outcome, Record, State, answer

NOTHING = Outcome("")


class SqlLedger:
    """The ledger of `ports.Ledger` on SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, call: Call, *, side_effects: bool, now: float) -> Outcome | None:
        """Note that a call starts, or say what a repeat of it is told."""

        def change(tx: Transaction) -> Outcome | None:
            row = tx.one(
                "SELECT * FROM calls WHERE turn_id = :turn AND step = :step AND call_index = :index", **_key(call.key)
            )
            earlier = answer(_record(row), call) if row is not None else None
            if earlier is None:
                _start(tx, call, side_effects=side_effects, now=now)
            elif earlier is LOST:
                _set(tx, call.key, State.UNKNOWN)
            return earlier

        return await self._database.write(change)

    async def end(self, key: Key, outcome: Outcome, now: float) -> None:
        """Note what came of a call."""
        await self._database.write(lambda tx: _set(tx, key, State.ENDED, outcome, now))

    async def lose(self, key: Key) -> None:
        """Note that nobody will see how a started call ends."""
        await self._database.write(lambda tx: _set(tx, key, State.UNKNOWN))

    async def lose_all(self) -> int:
        """The same for every started call."""
        return await self._database.write(
            lambda tx: tx.run("UPDATE calls SET state = 'unknown' WHERE state = 'started'")
        )

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


def _start(tx: Transaction, call: Call, *, side_effects: bool, now: float) -> None:
    tx.run(
        "INSERT INTO calls"
        " (turn_id, step, call_index, tool, args_hash, side_effects, state, category, result, start_time)"
        " VALUES (:turn, :step, :index, :tool, :args_hash, :side_effects, 'started', '', '', :now)"
        " ON CONFLICT (turn_id, step, call_index) DO UPDATE SET state = 'started', start_time = :now",
        tool=call.tool,
        args_hash=call.args_hash,
        side_effects=int(side_effects),
        now=now,
        **_key(call.key),
    )


def _set(tx: Transaction, key: Key, state: State, outcome: Outcome = NOTHING, end_time: float | None = None) -> None:
    tx.run(
        "UPDATE calls SET state = :state, category = :category, result = :result, end_time = :end_time"
        " WHERE turn_id = :turn AND step = :step AND call_index = :index",
        state=state,
        category=outcome.category or "",
        result=outcome.text,
        end_time=end_time,
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
