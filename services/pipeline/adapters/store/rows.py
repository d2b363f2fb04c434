"""Rows ⇄ domain words, and what several tables need."""

import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from services.chassis import tracing
from services.chassis.errors import LostOwnership
from services.chassis.writer import Row, Transaction
from services.pipeline.model import (
    LEGAL,
    Account,
    Address,
    ChatType,
    Draft,
    Entity,
    Message,
    Part,
    PartKind,
    Role,
    Sender,
    State,
    Turn,
    Usage,
)

LANE = "channel = :channel AND account_id = :account AND chat_id = :chat AND topic_id = :topic"
CHAT = "channel = :channel AND account_id = :account AND chat_id = :chat"

TURN = (
    "SELECT t.id AS turn_id, t.fence, t.edition, t.attempts, t.person_id, t.role, t.accept_time, t.not_before, t.trace,"
    " h.*"
    " FROM turns t JOIN chat_history h ON h.id = t.history_id"
)
"""What `turn_of` reads."""

HOLDS_UP = "(e.not_before = e.accept_time OR (e.id < t.id AND t.person_id IN ('', e.person_id)))"
"""Turn e comes before turn t of its lane, and t waits for it although e may not begin yet: nobody overtakes themselves,
and by the clock that looks, what another replica has just accepted may be ahead of time."""


HELD = "id = :id AND fence = :fence AND state = 'running'"

WITH_JOINED = "(id = :id OR answered_by = :id)"
"""A turn, and those that its answer covers."""


def check_held(tx: Transaction, turn: Turn) -> None:
    """Raise LostOwnership where the turn is not this runner's any more."""
    if tx.value(f"SELECT 1 FROM turns WHERE {HELD}{tx.for_update}", id=turn.turn_id, fence=turn.fence) is None:
        raise LostOwnership(f"Turn {turn.turn_id} is not ours any more.")


def chat(account: Account, chat_id: int) -> dict[str, object]:
    """The parameters of CHAT."""
    return {"channel": account.channel, "account": account.account_id, "chat": chat_id}


def lane(account: Account, address: Address) -> dict[str, object]:
    """The parameters of LANE."""
    return {**chat(account, address.chat_id), "topic": address.topic_id}


def dump_entities(entities: Iterable[Entity]) -> str:
    """Entities as a column keeps them."""
    return json.dumps([[e.type, e.offset, e.length, e.value] for e in entities], separators=(",", ":"))


def load_entities(column: str) -> tuple[Entity, ...]:
    """The entities of a column."""
    return tuple(Entity(*values) for values in json.loads(column)) if column != "[]" else ()


def dump_usage(usage: Usage) -> str:
    """Usage as a column keeps it. The cost has a column of its own: the version before would not know the name."""
    kept = {name: value for name, value in asdict(usage).items() if name != "cost"}
    return json.dumps(kept, separators=(",", ":"))


def load_usage(column: str) -> Usage:
    """The usage of a column."""
    return Usage(**json.loads(column))


def account_of(row: Row) -> Account:
    """The account of a chat_history row."""
    return Account(row["channel"], row["account_id"], row["account_name"])


def address_of(row: Row) -> Address:
    """The address of a chat_history row."""
    return Address(row["chat_id"], row["topic_id"])


def message_id_of(row: Row) -> int:
    """The message that a row in which somebody asks is about; 0: a promise is due, and nobody wrote.

    A question that was edited and is asked anew has no `message_id` of its own, and the place of its message.
    """
    return 0 if row["promise_id"] is not None else int(row["order_key"])


def turn_of(row: Row) -> Turn:
    """The turn of a row of turns joined with chat_history."""
    message = Message(
        account=account_of(row),
        address=address_of(row),
        chat_type=ChatType(row["chat_type"]),
        message_id=message_id_of(row),
        order_key=row["order_key"],
        promise_id=row["promise_id"] or 0,
        sender=Sender(row["user_id"], row["user_name"], row["username"]),
        text=row["message"],
        version=row["version"],
        chat_title=row["chat_title"],
        kind=row["message_type"],
        entities=load_entities(row["entities"]),
        reply_to=row["reply_to"],
        send_time=row["timestamp"],
    )
    return Turn(
        turn_id=row["turn_id"],
        fence=row["fence"],
        attempts=row["attempts"],
        message=message,
        person_id=row["person_id"],
        role=Role(row["role"]),
        accept_time=row["accept_time"],
        trace=row["trace"],
        edition=row["edition"],
    )


def part_of(row: Row) -> Part:
    """The part of a row of parts; `target` is what it edits or reacts to."""
    channel, account_id, chat_id, topic_id = row["lane"].split(":")
    return Part(
        part_id=row["id"],
        turn_id=row["turn_id"],
        account=Account(channel, int(account_id)),
        address=Address(int(chat_id), int(topic_id)),
        kind=PartKind(row["kind"]),
        text=row["body"],
        entities=load_entities(row["entities"]),
        random_id=row["random_id"],
        reply_to=row["reply_to"],
        target=row["target"] or row["target_receipt"] or 0,
        trace=row["trace"],
    )


def hold(tx: Transaction, turn_id: int | None) -> None:
    """Until the commit, no other process changes the turn."""
    tx.one(f"SELECT id FROM turns WHERE id = :id{tx.for_update}", id=turn_id)


def move(tx: Transaction, to: State, where: str, also: str = "", /, **parameters: object) -> list[Row]:
    """Take turns to a state from the states it may be entered from, and from no other; the turns that moved.

    This is the one place where a state changes. `also`: what else is set.
    """
    sources = ", ".join(f"'{state}'" for state in sorted(LEGAL[to]))
    return tx.all(
        f"UPDATE turns SET state = '{to}', {_STAMP[to]}{also} WHERE {where} AND state IN ({sources})"
        " RETURNING id, lane, fence, accept_time, answer_time, overhead",
        **parameters,
    )


_STAMP = {
    State.WAITING: "end_time = NULL",
    State.RUNNING: "fence = fence + 1, start_time = :now",
    State.ANSWERING: "answer_time = :now",
    State.DONE: "end_time = :now",
    State.FAILED: "end_time = :now",
    State.CANCELLED: "end_time = :now",
}


def random_id() -> int:
    """A random id for a send: 64 bit, never 0, never used twice."""
    return secrets.randbits(63) + 1


def insert_text(
    tx: Transaction,
    turn_id: int,
    of_lane: str,
    draft: Draft,
    *,
    kind: PartKind,
    now: float,
    reply_to: int = 0,
    target_part: int | None = None,
) -> int:
    """Write a message that is to be sent; its part's id."""
    part_id: int = tx.value(
        "INSERT INTO parts (turn_id, lane, kind, body, entities, random_id, reply_to, target_part, trace, create_time)"
        " VALUES (:turn, :lane, :kind, :body, :entities, :random, :reply, :target, :trace, :now) RETURNING id",
        turn=turn_id,
        lane=of_lane,
        kind=kind,
        body=draft.text,
        entities=dump_entities(draft.entities),
        random=random_id(),
        reply=reply_to,
        target=target_part,
        trace=tracing.traceparent(),
        now=now,
    )
    tx.notify("parts", of_lane)
    return part_id


def insert_answer(tx: Transaction, turn_id: int, drafts: Sequence[Draft], now: float) -> None:
    """Write an answer's messages and remember them as said; the first one takes the place of a standing preview."""
    last = "SELECT MAX(order_key) FROM turns WHERE answered_by = :id AND state = 'answering'"
    question = _question(tx, turn_id, f", (SELECT p.id {_PREVIEW}) AS preview, ({last}) AS last")
    reply_to = _reply_to(question)
    for number, draft in enumerate(drafts):
        first = number == 0
        part_id = insert_text(
            tx,
            turn_id,
            question["lane"],
            draft,
            kind=PartKind.TEXT,
            now=now,
            reply_to=reply_to if first else 0,
            target_part=question["preview"] if first else None,
        )
        _remember(tx, question, part_id, draft, now, order=question["last"] or question["order_key"])


def insert_notice(tx: Transaction, turn_id: int, words: Draft, now: float) -> None:
    """Write a word that goes along with a turn and is no part of its answer."""
    question = _question(tx, turn_id)
    reply_to = _reply_to(question)
    insert_text(tx, turn_id, question["lane"], words, kind=PartKind.NOTICE, now=now, reply_to=reply_to)


NOTICE_SECONDS = 60.0
"""A person is told of a delay this often at most."""


def may_tell(tx: Transaction, person_id: str, now: float) -> bool:
    """A person may be told of a delay, and is told now."""
    query = (
        "INSERT INTO rate (person_id, arrival, notice_time) VALUES (:id, 0, :now)"
        " ON CONFLICT (person_id) DO UPDATE SET notice_time = :now WHERE rate.notice_time < :long_ago"
    )
    return tx.run(query, id=person_id, now=now, long_ago=now - NOTICE_SECONDS) > 0


def _question(tx: Transaction, turn_id: int, also: str = "") -> Row:
    query = f"SELECT h.*, t.lane{also} FROM turns t JOIN chat_history h ON h.id = t.history_id WHERE t.id = :id"
    question = tx.one(query, id=turn_id)
    if question is None:
        raise LookupError(f"turn {turn_id} has no message")
    return question


def _asked(question: Row) -> int:
    """The message that asked; for a promise the one that asked for it."""
    return message_id_of(question) or int(question["reply_to"])


def _reply_to(question: Row) -> int:
    """In private an answer stands right behind its question; what was promised stands far from what asked for it."""
    plain = question["chat_type"] == ChatType.PRIVATE and question["promise_id"] is None
    return 0 if plain else _asked(question)


def standing_preview(tx: Transaction, turn_id: int) -> Row | None:
    """The preview that a turn shows, or is about to show: it was not refused, and nothing took its place."""
    return tx.one(f"SELECT p.id, p.receipt_id {_PREVIEW}", id=turn_id)


_PREVIEW = (
    "FROM parts p WHERE p.turn_id = :id AND p.kind = 'preview' AND p.error IS NULL"
    " AND NOT EXISTS (SELECT 1 FROM parts f WHERE f.turn_id = p.turn_id AND f.target_part = p.id)"
)


def _remember(tx: Transaction, question: Row, part_id: int, draft: Draft, now: float, *, order: int) -> None:
    """Keep what was said, behind the last message that it answers."""
    copied = "channel, account_id, account_name, chat_id, topic_id, chat_type, chat_title"
    tx.run(
        f"INSERT INTO chat_history ({copied}, version, order_key, direction, disposition, user_id, user_name,"
        " message_type, message, entities, reply_to, timestamp, part_id)"
        f" SELECT {copied}, 0, :order, 'out', '', account_id, '', 'text', :text, :entities, :asked, :now, :part"
        " FROM chat_history WHERE id = :id",
        id=question["id"],
        order=order,
        asked=_asked(question),
        text=draft.text,
        entities=dump_entities(draft.entities),
        now=now,
        part=part_id,
    )
