"""The life of turns. Every write of a runner shows its fence."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from services.chassis.errors import LostOwnership, NotFound, WrongState
from services.chassis.writer import Row, Transaction
from services.pipeline.adapters.store import budgets, promise_rows, rows
from services.pipeline.adapters.store.leases import LeaseTable
from services.pipeline.adapters.store.letters import bury, replay_turn
from services.pipeline.adapters.store.rows import HELD, check_held
from services.pipeline.adapters.store.steering import answer_joined, free, is_covered, join
from services.pipeline.budget import Need, Refusal
from services.pipeline.model import (
    NO_USAGE,
    Account,
    Checkpoint,
    Disposition,
    Draft,
    Queue,
    State,
    Turn,
    TurnView,
    Usage,
)
from services.pipeline.ports import Person

_CLAIMABLE = (
    "t.state = 'waiting' AND t.not_before <= :now AND t.answered_by IS NULL"
    " AND NOT EXISTS (SELECT 1 FROM turns r WHERE r.lane = t.lane AND r.state = 'running')"
    " AND NOT EXISTS (SELECT 1 FROM turns e WHERE e.lane = t.lane AND e.state = 'waiting'"
    " AND (e.order_key < t.order_key OR (e.order_key = t.order_key AND e.id < t.id))"
    f" AND (e.not_before <= :now OR {rows.HOLDS_UP}))"
)
"""The first of its lane that may be worked on, and nothing of the lane runs."""

_BETWEEN = (
    "COALESCE((SELECT COALESCE(p.answer_time, p.end_time) FROM turns p WHERE p.lane = t.lane AND p.id < t.id"
    " AND p.state <> 'waiting' ORDER BY p.id DESC LIMIT 1), 0)"
)
"""When the lane's turn before was through: until then this one could not begin, however long ago it was accepted."""

_TURN = (
    f"SELECT claimed.*, {_BETWEEN} AS freed FROM ({rows.TURN} WHERE t.id = :id) AS claimed"
    " JOIN turns t ON t.id = claimed.turn_id"
)

_AGES = (
    "SELECT COUNT(*) AS number, MIN(CASE WHEN freed > ready THEN freed ELSE ready END) AS since FROM"
    " (SELECT CASE WHEN t.start_time > t.not_before THEN t.start_time ELSE t.not_before END AS ready,"
    f" {_BETWEEN} AS freed FROM turns t WHERE {_CLAIMABLE}) AS claimable"
)
"""How many turns could begin, and since when the oldest could; what was handed over waits since its last run."""

_FAIR = (
    "SELECT id FROM (SELECT t.id, t.accept_time, COALESCE(s.time, 0) AS served, ROW_NUMBER() OVER"
    " (PARTITION BY h.channel, h.account_id, h.chat_id ORDER BY t.accept_time, t.id) AS place"
    " FROM turns t JOIN chat_history h ON h.id = t.history_id LEFT JOIN served s"
    " ON s.channel = h.channel AND s.account_id = h.account_id AND s.chat_id = h.chat_id"
    f" WHERE {_CLAIMABLE}{{lanes}}) AS claimable ORDER BY place, served, accept_time, id LIMIT :limit"
)
"""When there is not room for all: one turn of each chat before a second of any, the chat served longest ago first."""

_SERVE = (
    "INSERT INTO served (channel, account_id, chat_id, time)"
    " SELECT h.channel, h.account_id, h.chat_id, :now FROM turns t JOIN chat_history h ON h.id = t.history_id"
    " WHERE t.id = :id ON CONFLICT (channel, account_id, chat_id) DO UPDATE SET time = :now"
)


class TurnTable(LeaseTable):
    """`ports.Turns` on SQL."""

    async def claim(self, lanes: Iterable[str] | None, limit: int) -> list[Turn]:
        """Begin claimable turns, one a lane at most; where there is not room for all, by fair share between chats."""
        wanted = None if lanes is None else list(lanes)

        def change(tx: Transaction) -> list[Turn]:
            now = self._clock()
            found = [each for each in _claimable(tx, now, wanted, limit) if self.take(tx, each, now)]
            return [_begun(tx, turn_id, now) for turn_id in found]

        return await self._database.write(change)

    async def release(self, turn: Turn) -> None:
        """Hand the turn over: it waits again, checkpoints kept."""

        def change(tx: Transaction) -> None:
            rows.move(tx, State.WAITING, HELD, id=turn.turn_id, fence=turn.fence)
            tx.notify("lanes", turn.message.lane)

        await self._database.write(change)

    async def identify(self, turn: Turn, person: Person) -> None:
        """Who wrote the turn's message is known now."""

        def change(tx: Transaction) -> None:
            check_held(tx, turn)
            tx.run(
                "UPDATE turns SET person_id = :person, role = :role WHERE id = :id",
                id=turn.turn_id,
                person=person.person_id,
                role=person.role,
            )

        await self._database.write(change)

    async def drop_text(self, turn: Turn) -> None:
        """The turn's message is a stranger's: it gets a code, and its text is not kept."""

        def change(tx: Transaction) -> None:
            check_held(tx, turn)
            tx.run(
                "UPDATE chat_history SET message = '', entities = '[]', disposition = :pairing"
                " WHERE id = (SELECT history_id FROM turns WHERE id = :id)",
                id=turn.turn_id,
                pairing=Disposition.PAIRING,
            )

        await self._database.write(change)

    async def forget(self, turn: Turn) -> None:
        """The turn's message was not for us: message and turn are gone."""

        def change(tx: Transaction) -> None:
            check_held(tx, turn)
            _forget(tx, turn.turn_id)
            tx.notify("lanes", turn.message.lane)

        await self._database.write(change)

    async def add_checkpoint(self, turn: Turn, checkpoint: Checkpoint, need: Need | None = None) -> Refusal | None:
        """Keep what a model step added, settle its cost, reserve that of the next call. A repeat changes nothing."""

        def change(tx: Transaction) -> Refusal | None:
            check_held(tx, turn)
            new = tx.run(
                "INSERT INTO checkpoints (turn_id, step, data, usage, steer_ids)"
                " VALUES (:id, :step, :data, :usage, :steer_ids)"
                " ON CONFLICT (turn_id, step) DO NOTHING",
                id=turn.turn_id,
                step=checkpoint.step,
                data=checkpoint.data,
                usage=rows.dump_usage(checkpoint.usage),
                steer_ids=" ".join(checkpoint.steer_ids),
            )
            if not new:
                return None
            join(tx, turn, checkpoint.steer_ids)
            if checkpoint.side_effects:
                tx.run("UPDATE turns SET acted = 1 WHERE id = :id", id=turn.turn_id)
            now = self._clock()
            budgets.settle(tx, turn, checkpoint.usage, now)
            return None if need is None else budgets.reserve(tx, turn, need, now)

        return await self._database.write(change)

    async def checkpoints(self, turn: Turn) -> tuple[Checkpoint, ...]:
        """What earlier attempts acknowledged, in order."""
        query = "SELECT * FROM checkpoints WHERE turn_id = :id ORDER BY step"
        found = await self._database.read(lambda tx: tx.all(query, id=turn.turn_id))
        return tuple(_checkpoint(row) for row in found)

    async def note_failure(self, turn: Turn) -> int:
        """Count a failure of the model; the count."""

        def change(tx: Transaction) -> int:
            check_held(tx, turn)
            query = "UPDATE turns SET attempts = attempts + 1 WHERE id = :id RETURNING attempts"
            return int(tx.value(query, id=turn.turn_id))

        return await self._database.write(change)

    async def finish(
        self,
        turn: Turn,
        drafts: Sequence[Draft],
        usage: Usage,
        *,
        last: Usage = NO_USAGE,
        steer_ids: Sequence[str] = (),
        overhead: float | None = None,
    ) -> bool:
        """Write the answer's parts and end the run, and that of what joined; False where the run is outdated."""

        def change(tx: Transaction) -> bool:
            check_held(tx, turn)
            now = self._clock()
            budgets.settle(tx, turn, last, now)
            if not is_covered(tx, turn, steer_ids):
                rows.move(tx, State.WAITING, HELD, id=turn.turn_id, fence=turn.fence)
                tx.notify("lanes", turn.message.lane)
                return False
            join(tx, turn, steer_ids)
            spent = {"usage": rows.dump_usage(usage), "overhead": overhead}
            _end(tx, turn, State.ANSWERING, now, ", usage = :usage, overhead = :overhead", **spent)
            promise_rows.release(tx, turn.turn_id, now)
            answer_joined(tx, turn.turn_id, now)
            rows.insert_answer(tx, turn.turn_id, drafts, now)
            return True

        return await self._database.write(change)

    async def fail(self, turn: Turn, draft: Draft, reason: str, cause: str) -> None:
        """Give the turn up: the person is told, and a dead letter is kept."""

        def change(tx: Transaction) -> None:
            now = self._clock()
            _end(tx, turn, State.FAILED, now)
            promise_rows.void(tx, turn.turn_id, now)
            budgets.settle_lost(tx, turn.turn_id, now)
            free(tx, turn.turn_id)
            rows.insert_answer(tx, turn.turn_id, [draft], now)
            bury(tx, turn.turn_id, reason, cause, now)

        await self._database.write(change)

    async def show(self, turn_id: int) -> TurnView | None:
        """A turn as outsiders see it."""
        return await self._database.read(lambda tx: _view(tx, "t.id = :id", id=turn_id))

    async def show_of(self, account: Account, chat_id: int, message_id: int) -> TurnView | None:
        """The turn that answers a message."""
        where = f"{rows.CHAT} AND message_id = :message"
        return await self._database.read(lambda tx: _view(tx, where, **rows.chat(account, chat_id), message=message_id))

    async def queue(self) -> Queue:
        """How much waits."""

        def query(tx: Transaction) -> Queue:
            now = self._clock()
            number, since = tx.all(_AGES, now=now)[0]
            sent = tx.value("SELECT MIN(create_time) FROM parts WHERE receipt_id IS NULL AND error IS NULL")
            return Queue(
                waiting=tx.value("SELECT COUNT(*) FROM turns WHERE state = 'waiting'"),
                running=tx.value("SELECT COUNT(*) FROM turns WHERE state = 'running'"),
                undelivered=tx.value("SELECT COUNT(*) FROM parts WHERE receipt_id IS NULL AND error IS NULL"),
                oldest_waiting=_age(since, now),
                dead=tx.value("SELECT COUNT(*) FROM dead_letters"),
                promises=tx.value("SELECT COUNT(*) FROM promises WHERE state = 'waiting'"),
                dropped=tx.value("SELECT COUNT(*) FROM ended_letters WHERE outcome = 'dropped'"),
                claimable=number,
                oldest_undelivered=_age(sent, now),
            )

        return await self._database.read(query)

    async def replay(self, turn_id: int) -> TurnView:
        """Let a failed turn wait again."""

        def change(tx: Transaction) -> TurnView:
            rows.hold(tx, turn_id)
            view = _view(tx, "t.id = :id", id=turn_id)
            if view is None:
                raise NotFound(f"There is no turn {turn_id}.", reason="TURN_NOT_FOUND")
            if view.state is State.WAITING:
                return view
            if not replay_turn(tx, turn_id, self._clock()):
                raise WrongState(f"Turn {turn_id} is {view.state}; only a failed turn can be replayed, unless dropped.")
            return _view(tx, "t.id = :id", id=turn_id) or view

        return await self._database.write(change)


def _begun(tx: Transaction, turn_id: int, now: float) -> Turn:
    tx.run(_SERVE, id=turn_id, now=now)
    row = tx.all(_TURN, id=turn_id)[0]
    if row["fence"] > 1:  # it ran before, and nobody saw how that ended
        budgets.settle_lost(tx, turn_id, now)
    return replace(rows.turn_of(row), ready_time=max(row["accept_time"], row["not_before"], row["freed"]))


def _checkpoint(row: Row) -> Checkpoint:
    return Checkpoint(row["step"], row["data"], rows.load_usage(row["usage"]), tuple(row["steer_ids"].split()))


def _age(since: float | None, now: float) -> float:
    return 0.0 if since is None else max(0.0, now - since)


def _claimable(tx: Transaction, now: float, lanes: list[str] | None, limit: int) -> list[int]:
    if lanes is None:
        return [row["id"] for row in tx.all(_FAIR.format(lanes=""), now=now, limit=limit)]
    if len(lanes) > limit:
        names = {f"lane{number}": lane for number, lane in enumerate(lanes)}
        query = _FAIR.format(lanes=f" AND t.lane IN ({', '.join(f':{name}' for name in names)})")
        return [row["id"] for row in tx.all(query, now=now, limit=limit, **names)]
    query = f"SELECT t.id FROM turns t WHERE t.lane = :lane AND {_CLAIMABLE} ORDER BY t.order_key, t.id LIMIT 1"
    found = (tx.value(query, lane=lane, now=now) for lane in lanes)
    return [turn_id for turn_id in found if turn_id is not None][:limit]


def _end(tx: Transaction, turn: Turn, to: State, now: float, also: str = "", **parameters: object) -> None:
    if not rows.move(tx, to, HELD, also, id=turn.turn_id, fence=turn.fence, now=now, **parameters):
        raise LostOwnership(f"Turn {turn.turn_id} is not ours any more.")
    tx.run("DELETE FROM checkpoints WHERE turn_id = :id", id=turn.turn_id)
    tx.notify("lanes", turn.message.lane)


def _forget(tx: Transaction, turn_id: int) -> None:
    history_id = tx.value("SELECT history_id FROM turns WHERE id = :id", id=turn_id)
    tx.run("DELETE FROM chat_history WHERE part_id IN (SELECT id FROM parts WHERE turn_id = :id)", id=turn_id)
    for table in ("checkpoints", "parts", "reservations"):
        tx.run(f"DELETE FROM {table} WHERE turn_id = :id", id=turn_id)
    tx.run("DELETE FROM turns WHERE id = :id", id=turn_id)
    tx.run("DELETE FROM chat_history WHERE id = :id", id=history_id)


def _view(tx: Transaction, where: str, **parameters: object) -> TurnView | None:
    row = tx.one(
        "SELECT t.id AS turn_id, t.state, t.reason, t.usage, t.cost, t.accept_time, t.start_time, t.answer_time,"
        " t.end_time, COALESCE(t.answered_by, t.id) AS answer_id, h.*"
        f" FROM turns t JOIN chat_history h ON h.id = t.history_id WHERE {where}",
        **parameters,
    )
    if row is None:
        return None
    texts = tx.all(
        "SELECT kind, receipt_id, error FROM parts WHERE turn_id = :id AND kind IN ('text', 'notice') ORDER BY id",
        id=row["answer_id"],
    )
    return TurnView(
        turn_id=row["turn_id"],
        account=rows.account_of(row),
        address=rows.address_of(row),
        message_id=rows.message_id_of(row),
        state=State(row["state"]),
        reason=row["reason"],
        usage=replace(rows.load_usage(row["usage"]), cost=row["cost"]),
        accept_time=row["accept_time"],
        start_time=row["start_time"],
        answer_time=row["answer_time"],
        end_time=row["end_time"],
        settled=all(text["receipt_id"] or text["error"] for text in texts),
        answers=tuple(text["receipt_id"] for text in texts if text["kind"] == "text" and text["receipt_id"]),
    )
