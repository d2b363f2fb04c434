"""Messages coming in: kept once, with the turn they ask for."""

from collections.abc import Sequence

from services.chassis import tracing
from services.chassis.errors import Exhausted
from services.chassis.writer import Row, Transaction
from services.pipeline import gate
from services.pipeline.adapters.store import budgets, promise_rows, rows
from services.pipeline.adapters.store.steering import free
from services.pipeline.adapters.store.table import Table
from services.pipeline.commands import stopped
from services.pipeline.model import (
    Account,
    Address,
    ChatType,
    Disposition,
    Draft,
    Message,
    PartKind,
    State,
    lane,
    run,
)
from services.pipeline.ports import Admission, Person

NOTICE = "You are writing faster than I can take it. I will answer everything, in order, just more slowly."
PAUSE, LONGEST_PAUSE = 1.0, 5.0
"""Seconds after which a channel comes again with a message that there was no room for."""

Outcome = tuple[Disposition, int | None]


class MessageTable(Table):
    """`ports.Messages` on SQL."""

    async def accept(self, message: Message, admission: Admission) -> Outcome:
        """Keep the message and its turn, once."""
        return await self._database.write(lambda tx: self._accept(tx, message, admission))

    async def edit(self, message: Message, person: Person | None = None) -> Outcome:
        """A known message has another text now; one that is not known is ignored."""

        def change(tx: Transaction) -> Outcome:
            known = _hold(tx, message)
            return (Disposition.IGNORED, None) if known is None else self._again(tx, known, message, person)

        return await self._database.write(change)

    def _accept(self, tx: Transaction, message: Message, admission: Admission) -> Outcome:
        known = _hold(tx, message)
        if known is not None:
            return self._again(tx, known, message)
        history_id = _insert(tx, message, admission)
        if admission.disposition is Disposition.CONTEXT:
            return Disposition.CONTEXT, None
        if admission.at_once is not None:
            turn_id = self._answer_at_once(tx, history_id, message, admission.person, admission.at_once)
            return admission.disposition, turn_id
        return admission.disposition, self._queue(tx, history_id, message, admission.person)

    def _queue(self, tx: Transaction, history_id: int, message: Message, person: Person) -> int:
        self._check_room(tx, person.person_id)
        now = self._clock()
        not_before, noticed = self._admit(tx, person.person_id, now) if person.person_id else (now, False)
        turn_id = _insert_turn(tx, history_id, message, person, state=State.WAITING, now=now, not_before=not_before)
        if noticed:
            rows.insert_text(tx, turn_id, message.lane, Draft(NOTICE), kind=PartKind.NOTICE, now=now)
        tx.notify("lanes", message.lane)
        return turn_id

    def _check_room(self, tx: Transaction, person_id: str) -> None:
        """Raise Exhausted where too much waits: nothing is refused that was accepted, and the channel comes again."""
        behind = "SELECT 1 FROM turns WHERE state = 'waiting'"
        full = tx.all(
            f"SELECT ({behind} AND person_id = :person LIMIT 1 OFFSET :others) AS person,"
            f" ({behind} LIMIT 1 OFFSET :all_others) AS house",
            person=person_id,
            others=self._room.person - 1,
            all_others=self._room.total - 1,
        )[0]
        if person_id and full["person"]:
            pause = min(LONGEST_PAUSE, max(PAUSE, self._pace.interval))
            raise Exhausted("Too many messages of this person wait.", reason="PERSON_QUEUE_FULL", retry_after=pause)
        if full["house"]:
            raise Exhausted("Too many messages wait.", reason="QUEUE_FULL", retry_after=PAUSE)

    def _admit(self, tx: Transaction, person_id: str, now: float) -> tuple[float, bool]:
        """From when on the person's message may be worked on, and whether the person has to be told of a delay."""
        arrival, notice_time = tx.all(_RATE, id=person_id)[0]
        not_before, arrival = self._pace.admit(arrival, now)
        tell = not_before > now and notice_time < now - rows.NOTICE_SECONDS
        tx.run(
            "UPDATE rate SET arrival = :arrival, notice_time = :notice WHERE person_id = :id",
            id=person_id,
            arrival=arrival,
            notice=now if tell else notice_time,
        )
        return not_before, tell

    def _answer_at_once(self, tx: Transaction, history_id: int, message: Message, person: Person, words: Draft) -> int:
        now = self._clock()
        turn_id = _insert_turn(tx, history_id, message, person, state=State.ANSWERING, now=now, not_before=now)
        rows.insert_answer(tx, turn_id, [words], now)
        return turn_id

    def _again(self, tx: Transaction, known: Row, message: Message, person: Person | None = None) -> Outcome:
        """A repeat, or an edit: another content under a higher version."""
        first = Disposition(known["disposition"]), known["turn_id"]
        entities = rows.dump_entities(message.entities)
        if message.version <= known["version"] or first[0] is Disposition.PAIRING:
            return first
        if (message.text, entities) == (known["message"], known["entities"]):
            return first
        answered = known["state"] not in _OPEN
        if answered and person and gate.asks_anew(message, known["message"], rows.load_entities(known["entities"])):
            return Disposition.EDITED, self._follow_up(tx, message, person)
        tx.run(
            "UPDATE chat_history SET message = :text, entities = :entities, version = :version WHERE id = :id",
            text=message.text,
            entities=entities,
            version=message.version,
            id=known["id"],
        )
        if not answered:
            self._reword(tx, known)
        return Disposition.EDITED, known["turn_id"]

    def _reword(self, tx: Transaction, known: Row) -> None:
        """The question of a turn has changed: what was thought about the old one is void, unless a tool has acted."""
        turn_id = known["turn_id"]
        tx.run("UPDATE turns SET answered_by = NULL WHERE id = :id AND state = 'waiting'", id=turn_id)
        if not known["acted"]:
            tx.run("DELETE FROM checkpoints WHERE turn_id = :id", id=turn_id)
            tx.run("UPDATE turns SET edition = edition + 1 WHERE id = :id", id=turn_id)
            promise_rows.void(tx, turn_id, self._clock())
            free(tx, turn_id)
            for turn in rows.move(tx, State.WAITING, "id = :id AND state = 'running'", id=turn_id):
                tx.notify("revoked", run(turn["id"], turn["fence"]))
        tx.notify("lanes", known["lane"])

    def _follow_up(self, tx: Transaction, message: Message, person: Person) -> int:
        """The new wording is kept and answered as a message of its own: what has ended stays ended."""
        history_id = _insert(tx, message, Admission(Disposition.QUEUED, person), follows=True)
        return self._queue(tx, history_id, message, person)

    async def stop(self, message: Message, person: Person) -> Outcome:
        """Cancel what runs and waits in the message's lane, and say so; once."""

        def change(tx: Transaction) -> Outcome:
            known = _hold(tx, message)
            if known is not None:
                return Disposition.ACTED, known["turn_id"]
            now = self._clock()
            count = cancel(tx, "lane = :lane", now, lane=message.lane)
            history_id = _insert(tx, message, Admission(Disposition.ACTED, person))
            return Disposition.ACTED, self._answer_at_once(tx, history_id, message, person, Draft(stopped(count)))

        return await self._database.write(change)

    async def stop_turn(self, account: Account, address: Address, turn_id: int) -> bool:
        """Cancel a turn of this chat and topic, and say so; False where it had ended."""

        def change(tx: Transaction) -> bool:
            rows.hold(tx, turn_id)
            told = rows.standing_preview(tx, turn_id) is not None
            now, where = self._clock(), "id = :id AND lane = :lane"
            count = cancel(tx, where, now, id=turn_id, lane=lane(account, address))
            if count and not told:
                rows.insert_answer(tx, turn_id, [Draft(stopped(count))], now)
            return bool(count)

        return await self._database.write(change)

    async def delete(self, account: Account, chat_id: int, message_ids: Sequence[int]) -> int:
        """Mark messages as deleted and cancel what waits or runs for them."""
        where = rows.CHAT if chat_id else f"channel = :channel AND account_id = :account AND chat_type != '{_OWN_IDS}'"

        def change(tx: Transaction) -> int:
            return sum(self._delete(tx, where, rows.chat(account, chat_id), message_id) for message_id in message_ids)

        return await self._database.write(change)

    def _delete(self, tx: Transaction, where: str, parameters: dict[str, object], message_id: int) -> int:
        found = tx.all(
            f"UPDATE chat_history SET deleted = 1 WHERE {where} AND message_id = :message RETURNING *",
            **parameters,
            message=message_id,
        )
        for row in found:
            follows = tx.all(
                f"UPDATE chat_history SET deleted = 1 WHERE {rows.LANE} AND order_key = :message"
                f" AND {_FOLLOWS} RETURNING id",
                **rows.lane(rows.account_of(row), rows.address_of(row)),
                message=message_id,
            )
            for one in (row, *follows):
                cancel(tx, "history_id = :id", self._clock(), id=one["id"])
        return len(found)

    async def is_ours(self, account: Account, chat_id: int, message_id: int) -> bool:
        """A message of this chat was written by us."""
        query = f"SELECT 1 FROM chat_history WHERE {rows.CHAT} AND message_id = :message AND direction = 'out'"
        found = await self._database.read(lambda tx: tx.value(query, **rows.chat(account, chat_id), message=message_id))
        return found is not None


_OPEN = frozenset({State.WAITING, State.RUNNING})
"""States of a turn whose answer is not written yet."""

_RATE = (
    "INSERT INTO rate (person_id, arrival, notice_time) VALUES (:id, 0, 0)"
    " ON CONFLICT (person_id) DO UPDATE SET arrival = rate.arrival RETURNING arrival, notice_time"
)
"""The pace of a person; until the commit no other process reads it so."""

_OWN_IDS = ChatType.SUPERGROUP
"""Message ids of these chats are their own; those of all others come from one sequence per account."""


_FOLLOWS = "message_id IS NULL AND promise_id IS NULL AND direction = 'in'"
"""An earlier message asks anew: it has the place of that one. (A promise that is due has no message either.)"""


def _hold(tx: Transaction, message: Message) -> Row | None:
    """The message as it was kept last; until the commit no other process keeps it or changes its turn."""
    tx.lock(message.key)
    known = _find(tx, message)
    if known is None:
        return None
    rows.hold(tx, known["turn_id"])
    return _find(tx, message)


def _find(tx: Transaction, message: Message) -> Row | None:
    """The message as it was kept last: an edit that asked anew was kept beside it."""
    found = tx.one(f"{_KNOWN} AND message_id = :message", **_key(message))
    if found is None:
        return None
    follows = f"{_KNOWN} AND topic_id = :topic AND h.order_key = :message AND {_FOLLOWS}"
    return tx.one(f"{follows} ORDER BY h.id DESC", **_key(message), topic=found["topic_id"]) or found


def _key(message: Message) -> dict[str, object]:
    return {**rows.chat(message.account, message.address.chat_id), "message": message.message_id}


_KNOWN = (
    "SELECT h.id, h.topic_id, h.version, h.message, h.entities, h.disposition, t.id AS turn_id, t.state, t.lane,"
    f" t.acted FROM chat_history h LEFT JOIN turns t ON t.history_id = h.id WHERE {rows.CHAT}"
)


def _insert(tx: Transaction, message: Message, admission: Admission, *, follows: bool = False) -> int:
    """Keep a message; one that follows its earlier wording has the same place, and no key of its own."""
    history_id: int = tx.value(
        "INSERT INTO chat_history (channel, account_id, account_name, chat_id, topic_id, chat_type, chat_title,"
        " message_id, version, order_key, direction, disposition, user_id, user_name, username, message_type, message,"
        " entities, reply_to, timestamp)"
        " VALUES (:channel, :account, :account_name, :chat, :topic, :chat_type, :title, :message, :version, :order,"
        " 'in', :disposition, :user, :name, :username, :kind, :text, :entities, :reply, :time) RETURNING id",
        **rows.lane(message.account, message.address),
        account_name=message.account.username,
        chat_type=message.chat_type,
        title=message.chat_title,
        message=None if follows else message.message_id,
        order=message.message_id,
        version=message.version,
        disposition=admission.disposition,
        user=message.sender.user_id,
        name=message.sender.name,
        username=message.sender.username,
        kind=message.kind,
        text=message.text if admission.keep_text else "",
        entities=rows.dump_entities(message.entities if admission.keep_text else ()),
        reply=message.reply_to,
        time=message.send_time,
    )
    return history_id


def _insert_turn(
    tx: Transaction, history_id: int, message: Message, person: Person, *, state: State, now: float, not_before: float
) -> int:
    turn_id: int = tx.value(
        "INSERT INTO turns (history_id, lane, order_key, state, not_before, person_id, role, trace, accept_time)"
        " VALUES (:history, :lane, :order, :state, :not_before, :person, :role, :trace, :now) RETURNING id",
        history=history_id,
        lane=message.lane,
        order=message.message_id,
        state=state,
        not_before=not_before,
        person=person.person_id,
        role=person.role,
        trace=tracing.traceparent(),
        now=now,
    )
    return turn_id


def cancel(tx: Transaction, where: str, now: float, **parameters: object) -> int:
    """Cancel turns; a preview that stands says so, and whoever runs them is told."""
    cancelled = rows.move(tx, State.CANCELLED, where, now=now, **parameters)
    for turn in cancelled:
        preview = rows.standing_preview(tx, turn["id"])
        if preview is not None:
            said = Draft(stopped(1))
            rows.insert_text(tx, turn["id"], turn["lane"], said, kind=PartKind.TEXT, now=now, target_part=preview["id"])
        tx.run("DELETE FROM checkpoints WHERE turn_id = :id", id=turn["id"])
        promise_rows.void(tx, turn["id"], now)
        budgets.settle_lost(tx, turn["id"], now)
        free(tx, turn["id"])
        tx.notify("revoked", run(turn["id"], turn["fence"]))
        tx.notify("lanes", turn["lane"])
    return len(cancelled)
