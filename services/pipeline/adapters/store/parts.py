"""What is to be sent, and what was received."""

from collections.abc import Iterable

from services.chassis import tracing
from services.chassis.writer import Row, Transaction
from services.pipeline.adapters.store import rows
from services.pipeline.adapters.store.letters import bury
from services.pipeline.adapters.store.rows import check_held
from services.pipeline.adapters.store.table import Table
from services.pipeline.failures import UNWANTED, words
from services.pipeline.model import Account, Draft, Part, PartKind, State, Turn
from services.pipeline.outcome import LetterKind, Outcome, Receipt, Settled

UNDELIVERABLE = "UNDELIVERABLE"

_OPEN = "receipt_id IS NULL AND error IS NULL"
_DUE = (
    "SELECT p.*, preview.receipt_id AS target_receipt FROM parts p"
    " LEFT JOIN parts preview ON preview.id = p.target_part"
    " WHERE {where} AND p.receipt_id IS NULL AND p.error IS NULL AND (p.kind = 'reaction' OR NOT EXISTS ("
    "SELECT 1 FROM parts e WHERE e.lane = p.lane AND e.id < p.id AND e.kind != 'reaction'"
    " AND e.receipt_id IS NULL AND e.error IS NULL)) ORDER BY p.id"
)
"""First in, first out per lane: a part is due when nothing before it in its lane is open. Reactions hold nothing up."""


class PartTable(Table):
    """`ports.Parts` on SQL."""

    async def due(self, account: Account, lanes: Iterable[str] | None) -> list[Part]:
        """Per lane the first text without a receipt, and the wished-for reactions."""
        wanted = None if lanes is None else list(lanes)
        prefix = f"{account.channel}:{account.account_id}:"

        def query(tx: Transaction) -> list[Row]:
            if wanted is None:
                where = _DUE.format(where="substr(p.lane, 1, :length) = :prefix")
                return tx.all(where, prefix=prefix, length=len(prefix))
            return [row for lane in wanted for row in tx.all(_DUE.format(where="p.lane = :lane"), lane=lane)]

        return [rows.part_of(row) for row in await self._database.read(query)]

    async def add_preview(self, turn: Turn, draft: Draft) -> None:
        """A message that shows the beginning of an answer; a turn has one at most."""

        def change(tx: Transaction) -> None:
            check_held(tx, turn)
            if rows.standing_preview(tx, turn.turn_id) is not None:
                return
            rows.insert_text(
                tx,
                turn.turn_id,
                turn.message.lane,
                draft,
                kind=PartKind.PREVIEW,
                now=self._clock(),
                reply_to=turn.message.answered,
            )

        await self._database.write(change)

    async def tell(self, turn: Turn, words: Draft) -> None:
        """Say a word while the turn goes on; once a turn, and once a minute to a person."""

        def change(tx: Transaction) -> None:
            check_held(tx, turn)
            told = tx.value("SELECT 1 FROM parts WHERE turn_id = :id AND kind = 'notice'", id=turn.turn_id)
            if told is None and rows.may_tell(tx, turn.person_id, self._clock()):
                rows.insert_notice(tx, turn.turn_id, words, self._clock())

        await self._database.write(change)

    async def preview_id(self, turn: Turn) -> int:
        """The message that shows the preview; 0 where there is none (yet)."""
        row = await self._database.read(lambda tx: rows.standing_preview(tx, turn.turn_id))
        return 0 if row is None else row["receipt_id"] or 0

    async def react(self, turn: Turn, emoji: str, *, by_agent: bool) -> None:
        """Wish for a reaction to the turn's message; the agent's wish outlasts ours."""

        def change(tx: Transaction) -> None:
            check_held(tx, turn)
            last = tx.one(
                "SELECT body, by_agent FROM parts WHERE turn_id = :id AND kind = 'reaction' ORDER BY id DESC LIMIT 1",
                id=turn.turn_id,
            )
            if last is not None and (last["by_agent"] > by_agent or last["body"] == emoji):
                return
            tx.run(f"DELETE FROM parts WHERE turn_id = :id AND kind = 'reaction' AND {_OPEN}", id=turn.turn_id)
            tx.run(
                "INSERT INTO parts (turn_id, lane, kind, body, random_id, target, by_agent, trace, create_time)"
                " VALUES (:id, :lane, 'reaction', :emoji, :random, :target, :by_agent, :trace, :now)",
                id=turn.turn_id,
                lane=turn.message.lane,
                emoji=emoji,
                random=rows.random_id(),
                target=turn.message.answered,
                by_agent=int(by_agent),
                trace=tracing.traceparent(),
                now=self._clock(),
            )
            tx.notify("parts", turn.message.lane)

        await self._database.write(change)

    async def deliver(self, part_id: int, message_id: int, error: str) -> Receipt | None:
        """Keep the outcome of a part. None: a repeat changes nothing."""

        def change(tx: Transaction) -> Receipt | None:
            now = self._clock()
            part = tx.one(
                f"UPDATE parts SET receipt_id = :receipt, error = :error, end_time = :now WHERE id = :id AND {_OPEN}"
                " RETURNING turn_id, lane, kind, create_time",
                id=part_id,
                receipt=None if error else message_id,
                error=error or None,
                now=now,
            )
            if part is None:
                return None
            settled: tuple[Settled, ...] = ()
            if part["kind"] != PartKind.REACTION:
                _receive(tx, part_id, message_id)
                settled = _end_turn(tx, part["turn_id"], error, now)
                tx.notify("parts", part["lane"])
            return Receipt(error, max(0.0, now - part["create_time"]), settled)

        return await self._database.write(change)


def _receive(tx: Transaction, part_id: int, message_id: int) -> None:
    """The message that was said has its id now; one that never arrived was not said."""
    if message_id:
        tx.run("UPDATE chat_history SET message_id = :message WHERE part_id = :id", message=message_id, id=part_id)
    else:
        tx.run("DELETE FROM chat_history WHERE part_id = :id", id=part_id)


def _end_turn(tx: Transaction, turn_id: int, last_error: str, now: float) -> tuple[Settled, ...]:
    """A turn whose parts are all settled is done, or failed where one of them could never be delivered.

    What came of it for its person, and those whose messages had joined it; nothing while a word is on its way.
    """
    rows.hold(tx, turn_id)  # of two that settle its last parts at once, the second sees what the first did
    on_its_way, error = tx.all(_SETTLED, id=turn_id)[0]
    if on_its_way:
        return ()
    where = f"{rows.WITH_JOINED} AND state = 'answering'"
    ended = rows.move(tx, State.FAILED if error else State.DONE, where, id=turn_id, now=now)
    if ended and error:
        bury(tx, turn_id, UNDELIVERABLE, str(error), now, kind=LetterKind.PARTS)
        rows.insert_notice(tx, turn_id, Draft(words(UNDELIVERABLE)), now)
        return ()
    return tuple(_answered(tx, turn, now) for turn in ended) or _told(tx, turn_id, last_error, now)


_SETTLED = (
    f"SELECT (SELECT 1 FROM parts WHERE turn_id = :id AND kind != 'reaction' AND {_OPEN} LIMIT 1) AS on_its_way,"
    " (SELECT error FROM parts WHERE turn_id = :id AND kind = 'text' AND error IS NOT NULL ORDER BY id LIMIT 1) AS why"
)


def _answered(tx: Transaction, turn: Row, now: float) -> Settled:
    query = "SELECT 1 FROM ended_letters WHERE turn_id = :id AND outcome = 'replayed' LIMIT 1"
    replayed = tx.value(query, id=turn["id"]) is not None
    outcome = Outcome.REPLAYED if replayed else Outcome.ANSWERED
    known = turn["overhead"] is not None and not replayed
    overhead = max(0.0, turn["overhead"] + now - turn["answer_time"]) if known else None
    return Settled(outcome, max(0.0, now - turn["accept_time"]), overhead)


def _told(tx: Transaction, turn_id: int, error: str, now: float) -> tuple[Settled, ...]:
    """The last word of a turn that has failed was received or refused; any other turn has nothing to tell."""
    accepted = tx.value("SELECT accept_time FROM turns WHERE id = :id AND state = 'failed'", id=turn_id)
    if accepted is None:
        return ()
    outcome = Outcome.TOLD
    if error:
        outcome = Outcome.UNWANTED if error in UNWANTED else Outcome.UNHEARD
    return (Settled(outcome, max(0.0, now - accepted)),)
