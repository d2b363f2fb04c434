"""What joins a running turn: offered while it waits, covered when the running turn commits that."""

from collections.abc import Iterable, Mapping, Sequence

from services.chassis.writer import Transaction
from services.pipeline.adapters.store import budgets, rows
from services.pipeline.adapters.store.table import Table
from services.pipeline.model import Account, State, Steer, Turn, chat_key

_JOINING = (
    f"{rows.TURN} WHERE (t.id = :id AND h.version > :version) OR ("
    "t.lane = :lane AND t.state = 'waiting' AND t.answered_by IS NULL AND (t.order_key, t.id) > (:order, :id)"
    " AND t.not_before <= :now AND NOT EXISTS (SELECT 1 FROM turns e WHERE e.lane = t.lane AND e.state = 'waiting'"
    f" AND e.not_before > :now AND (e.order_key, e.id) < (t.order_key, t.id) AND {rows.HOLDS_UP})"
    " AND EXISTS (SELECT 1 FROM chats WHERE chat = :chat AND steering = 1))"
    " ORDER BY t.order_key, t.id"
)


class SteerTable(Table):
    """`ports.Steers` on SQL."""

    async def set_steering(self, account: Account, chat_id: int, *, on: bool) -> None:
        """Whether messages join the running turn of this chat, in all of its topics."""
        sql = (
            "INSERT INTO chats (chat, steering) VALUES (:chat, :steering)"
            " ON CONFLICT (chat) DO UPDATE SET steering = :steering"
        )
        await self._database.write(lambda tx: tx.run(sql, chat=chat_key(account, chat_id), steering=int(on)))

    async def joining(self, turn: Turn) -> list[Turn]:
        """The running turn itself if its question has changed, and where steering is on all that waits behind it."""
        message = turn.message
        parameters = {
            "id": turn.turn_id,
            "version": message.version,
            "lane": message.lane,
            "order": message.order_key,
            "chat": chat_key(message.account, message.address.chat_id),
            "now": self._clock(),
        }
        found = await self._database.read(lambda tx: tx.all(_JOINING, **parameters))
        return [rows.turn_of(row) for row in found]

    async def changed(self, steer_ids: Sequence[str]) -> set[int]:
        """The turns of these that have no answer yet, and whose question is another by now."""
        return await self._database.read(lambda tx: _changed(tx, _newest(steer_ids)))


def join(tx: Transaction, turn: Turn, steer_ids: Iterable[str]) -> None:
    """The running turn covers these as well; one that was changed or cancelled meanwhile is left alone."""
    for steer_id in steer_ids:
        turn_id, version = Steer.parse(steer_id)
        rows.hold(tx, turn_id)
        tx.run(
            "UPDATE turns SET answered_by = :by WHERE id = :id AND id != :by AND lane = :lane AND state = 'waiting'"
            " AND EXISTS (SELECT 1 FROM chat_history h WHERE h.id = turns.history_id AND h.version = :version)",
            by=turn.turn_id,
            id=turn_id,
            lane=turn.message.lane,
            version=version,
        )


def is_covered(tx: Transaction, turn: Turn, steer_ids: Iterable[str]) -> bool:
    """The run knew its question, and what joined it and still waits, in their last wordings."""
    known = _newest((Steer.name(turn.turn_id, turn.message.version), *steer_ids))
    return not _changed(tx, known)


def _newest(steer_ids: Iterable[str]) -> dict[int, int]:
    """The last version that is known of each turn."""
    return dict(sorted(map(Steer.parse, steer_ids)))


def _changed(tx: Transaction, known: Mapping[int, int]) -> set[int]:
    query = (
        "SELECT 1 FROM turns t JOIN chat_history h ON h.id = t.history_id"
        " WHERE t.id = :id AND t.state IN ('waiting', 'running') AND h.version > :version"
    )
    return {turn_id for turn_id, version in known.items() if tx.value(query, id=turn_id, version=version)}


def answer_joined(tx: Transaction, turn_id: int, now: float) -> None:
    """What joined is answered with the turn; what it had reserved for a run of its own is settled."""
    for turn in rows.move(tx, State.ANSWERING, "answered_by = :id AND state = 'waiting'", id=turn_id, now=now):
        budgets.settle_lost(tx, turn["id"], now)


def free(tx: Transaction, turn_id: int) -> None:
    """What joined the turn waits for itself again: the turn ended without an answer, or begins anew."""
    tx.run("UPDATE turns SET answered_by = NULL WHERE answered_by = :id AND state = 'waiting'", id=turn_id)
