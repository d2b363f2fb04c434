"""Dead letters: what was given up, until somebody replays or drops it, and what became of it then."""

import hashlib

from services.chassis.errors import NotFound, WrongState
from services.chassis.writer import Row, Transaction
from services.pipeline.adapters.store import promise_rows, rows
from services.pipeline.adapters.store.table import Table
from services.pipeline.model import Account, Address, DeadLetter, Draft, OpenLetter, State
from services.pipeline.outcome import LetterKind

REPLAYED, DROPPED = "replayed", "dropped"

_LETTER = (
    "SELECT d.id AS letter_id, d.kind, d.turn_id, d.reason, d.cause, d.create_time, d.content, d.submission,"
    " d.channel AS of_channel, d.account_id AS of_account, h.*"
    " FROM dead_letters d LEFT JOIN turns t ON t.id = d.turn_id LEFT JOIN chat_history h ON h.id = t.history_id"
)
_DEAD = f"{rows.WITH_JOINED} AND state = 'failed'"
_REFUSED = "turn_id = :id AND kind = 'text' AND error IS NOT NULL"


class LetterTable(Table):
    """`ports.Letters` on SQL."""

    async def dead_letters(self, before: int, limit: int) -> list[DeadLetter]:
        """Dead letters below an id, newest first."""
        query = f"{_LETTER} WHERE d.id < :before ORDER BY d.id DESC LIMIT :limit"
        found = await self._database.read(lambda tx: tx.all(query, before=before, limit=limit))
        return [_letter(row) for row in found]

    async def open_letter(self, letter_id: int) -> OpenLetter | None:
        """A letter that nobody dealt with, and what it holds."""

        def query(tx: Transaction) -> OpenLetter | None:
            row = tx.one(f"{_LETTER} WHERE d.id = :id", id=letter_id)
            return None if row is None else OpenLetter(_letter(row), _content(tx, row), row["submission"])

        return await self._database.read(query)

    async def replay_letter(self, letter_id: int, turn_id: int | None = None) -> int | None:
        """Let a turn wait, or parts be sent, again; an update was submitted. A repeat changes nothing."""

        def change(tx: Transaction) -> int | None:
            row = tx.one("SELECT turn_id, kind FROM dead_letters WHERE id = :id", id=letter_id)
            if row is None:
                return _ended(tx, letter_id, REPLAYED)
            now = self._clock()
            _end(tx, letter_id, REPLAYED, now, row["turn_id"] or turn_id)
            if row["kind"] == LetterKind.TURN:
                _wait(tx, row["turn_id"], now)
            elif row["kind"] == LetterKind.PARTS:
                _send(tx, row["turn_id"], now)
            return row["turn_id"] or turn_id

        return await self._database.write(change)

    async def drop_letter(self, letter_id: int) -> None:
        """Nobody wants it any more. A repeat changes nothing."""

        def change(tx: Transaction) -> None:
            row = tx.one("SELECT turn_id FROM dead_letters WHERE id = :id", id=letter_id)
            if row is None:
                _ended(tx, letter_id, DROPPED)
            else:
                _end(tx, letter_id, DROPPED, self._clock(), row["turn_id"])

        await self._database.write(change)

    async def bury_update(self, account: Account, content: str, cause: str, submission: bytes | None) -> None:
        """Keep an update that a channel cannot hand over; the same update is one letter, whatever became of it."""
        digest = hashlib.sha256(f"{account.channel}:{account.account_id}:{content}".encode()).hexdigest()

        def change(tx: Transaction) -> None:
            if tx.value("SELECT 1 FROM ended_letters WHERE digest = :digest", digest=digest) is not None:
                return
            tx.run(
                "INSERT INTO dead_letters"
                " (kind, channel, account_id, digest, content, submission, reason, cause, create_time)"
                " VALUES ('update', :channel, :account, :digest, :content, :submission, :reason, :cause, :now)"
                " ON CONFLICT (digest) DO NOTHING",
                channel=account.channel,
                account=account.account_id,
                digest=digest,
                content=content,
                submission=submission,
                reason="UPDATE_UNREADABLE" if submission is None else "UPDATE_REFUSED",
                cause=cause,
                now=self._clock(),
            )

        await self._database.write(change)


def bury(tx: Transaction, turn_id: int, reason: str, cause: str, now: float, *, kind: str = LetterKind.TURN) -> None:
    """Keep a dead letter of a turn that has failed; those that its answer covers have no letter of their own."""
    tx.run(f"UPDATE turns SET reason = :reason WHERE {_DEAD}", id=turn_id, reason=reason)
    tx.run(
        "INSERT INTO dead_letters (kind, turn_id, reason, cause, create_time)"
        " VALUES (:kind, :id, :reason, :cause, :now)",
        kind=kind,
        id=turn_id,
        reason=reason,
        cause=cause,
        now=now,
    )


def replay_turn(tx: Transaction, turn_id: int, now: float) -> bool:
    """A dead turn is answered as if it had just come; False where it is not dead, or its letter was dropped."""
    query = "SELECT d.id, d.turn_id FROM dead_letters d JOIN turns t ON d.turn_id = COALESCE(t.answered_by, t.id)"
    letter = tx.one(f"{query} WHERE t.id = :id", id=turn_id)
    if letter is None:
        return False
    _end(tx, letter["id"], REPLAYED, now, letter["turn_id"])
    _wait(tx, letter["turn_id"], now)
    return True


def _wait(tx: Transaction, turn_id: int, now: float) -> None:
    """The turn, and each that its answer would have covered, is answered for itself."""
    tx.run(f"DELETE FROM parts WHERE {_REFUSED}", id=turn_id)
    for turn in rows.move(tx, State.WAITING, _DEAD, id=turn_id):
        promise_rows.void(tx, turn["id"], now)
        renewed = "edition = edition + 1, attempts = 0, reason = '', acted = 0, answered_by = NULL, not_before = :now"
        tx.run(f"UPDATE turns SET {renewed} WHERE id = :id", id=turn["id"], now=now)
        tx.notify("lanes", turn["lane"])


def _send(tx: Transaction, turn_id: int, now: float) -> None:
    """What was refused of an answer becomes new parts, with new random ids: Telegram refused the old ones for good."""
    tx.run(f"UPDATE turns SET reason = '' WHERE {_DEAD}", id=turn_id)
    if not rows.move(tx, State.ANSWERING, _DEAD, id=turn_id, now=now):
        return
    refused = tx.all(f"SELECT body, entities FROM parts WHERE {_REFUSED} ORDER BY id", id=turn_id)
    tx.run(f"DELETE FROM parts WHERE {_REFUSED}", id=turn_id)
    rows.insert_answer(tx, turn_id, [Draft(row["body"], rows.load_entities(row["entities"])) for row in refused], now)


def _end(tx: Transaction, letter_id: int, outcome: str, now: float, turn_id: int | None) -> None:
    """Keep what became of a letter, and take it out."""
    tx.run(
        "INSERT INTO ended_letters (letter_id, turn_id, kind, reason, digest, outcome, end_time)"
        " SELECT id, :turn, kind, reason, digest, :outcome, :now FROM dead_letters WHERE id = :id",
        id=letter_id,
        turn=turn_id,
        outcome=outcome,
        now=now,
    )
    tx.run("DELETE FROM dead_letters WHERE id = :id", id=letter_id)


def _ended(tx: Transaction, letter_id: int, outcome: str) -> int | None:
    """The turn of a letter that ended in this way."""
    row = tx.one("SELECT outcome, turn_id FROM ended_letters WHERE letter_id = :id", id=letter_id)
    if row is None:
        raise NotFound(f"There is no dead letter {letter_id}.", reason="LETTER_NOT_FOUND")
    if row["outcome"] != outcome:
        raise WrongState(f"Dead letter {letter_id} was {row['outcome']}.", reason="LETTER_ENDED")
    turn_id: int | None = row["turn_id"]
    return turn_id


def _content(tx: Transaction, row: Row) -> str:
    if row["kind"] == LetterKind.UPDATE:
        return str(row["content"])
    if row["kind"] == LetterKind.TURN:
        return str(row["message"])
    return "\n\n".join(part["body"] for part in tx.all(f"SELECT body FROM parts WHERE {_REFUSED}", id=row["turn_id"]))


def _letter(row: Row) -> DeadLetter:
    update = row["kind"] == LetterKind.UPDATE
    return DeadLetter(
        letter_id=row["letter_id"],
        kind=LetterKind(row["kind"]),
        turn_id=row["turn_id"] or 0,
        account=Account(row["of_channel"], row["of_account"]) if update else rows.account_of(row),
        address=Address(0) if update else rows.address_of(row),
        message_id=0 if update else rows.message_id_of(row),
        reason=row["reason"],
        cause=row["cause"],
        create_time=row["create_time"],
    )
