"""The books of promises. A promise that is due becomes a turn of its chat, once per due time."""

from dataclasses import replace
from itertools import takewhile

from services.chassis import tracing
from services.chassis.errors import NotFound, WrongState
from services.chassis.writer import Row, Transaction
from services.pipeline import schedule
from services.pipeline.adapters.store import rows
from services.pipeline.adapters.store.messages import cancel
from services.pipeline.adapters.store.promise_rows import promise_of, select, shift
from services.pipeline.adapters.store.rows import check_held
from services.pipeline.adapters.store.table import Table
from services.pipeline.model import Draft, Ended, Role, State, Turn
from services.pipeline.promises import FAILURES, MOST, Promise, PromiseState, Wish

_OF_PARENTS = "FROM promise_parents d JOIN promises q ON q.id = d.parent_id WHERE d.promise_id = p.id AND q.state IN"
_BROKEN = f"(SELECT MIN(q.number) {_OF_PARENTS} ('failed', 'cancelled'))"
"""The number of a parent that was not kept."""
_READY = (
    "p.state = 'waiting'"
    " AND NOT EXISTS (SELECT 1 FROM turns m WHERE m.id = p.turn_id AND m.state IN ('waiting', 'running'))"
    f" AND ({_BROKEN} IS NOT NULL OR"
    f" (p.due_time <= :now AND NOT EXISTS (SELECT 1 {_OF_PARENTS} ('waiting', 'running'))))"
)
"""The turn that made it is answered, it is due and waits for no other promise; or it can never be kept, which is said
at once.
"""
_RECURRING = (
    "SELECT p.id, p.cron, COALESCE((SELECT MAX(r.due_time) FROM promise_runs r WHERE r.promise_id = p.id), 0) AS ran"
    " FROM promises p WHERE p.person_id = :person AND p.cron != '' AND p.state = 'waiting'"
)
_STARTABLE = (
    "id = :id AND due_time = :due AND state = 'waiting'"
    " AND NOT EXISTS (SELECT 1 FROM promises r WHERE r.lane = :lane AND r.state = 'running')"
)
_OPEN = "state IN ('waiting', 'running')"


class PromiseTable(Table):
    """`ports.Promises` on SQL."""

    async def make_promise(self, turn: Turn, step: int, index: int, wish: Wish) -> Promise:
        """Promise something in the name of a turn's call; the same call again gets the same promise."""
        call = f"{turn.key}:{step}:{index}"

        def change(tx: Transaction) -> Promise:
            check_held(tx, turn)
            if tx.value("SELECT 1 FROM promises WHERE call = :call", call=call) is None:
                _insert(tx, turn, call, wish, self._clock())
            return _load(tx, "p.call = :call", call=call)[0]

        return await self._database.write(change)

    async def list_promises(self, person_id: str, lane: str | None) -> list[Promise]:
        """A person's open promises, of one lane or of all, the next one first."""
        where = "p.person_id = :person AND p.state IN ('waiting', 'running')" + (" AND p.lane = :lane" if lane else "")
        parameters = {"lane": lane} if lane else {}
        return await self._database.read(lambda tx: _load(tx, where, person=person_id, **parameters))

    async def cancel_promise(self, turn: Turn, number: int, lane: str | None) -> Promise | None:
        """Take a promise back, and stop its run; how it stands then. None: there is no such promise."""
        where = "p.person_id = :person AND p.number = :number" + (" AND p.lane = :lane" if lane else "")
        parameters = {"person": turn.person_id, "number": number, **({"lane": lane} if lane else {})}

        def change(tx: Transaction) -> Promise | None:
            check_held(tx, turn)
            found = _load(tx, where, **parameters)
            if not found:
                return None
            promise_id, now = found[0].promise_id, self._clock()
            if shift(tx, PromiseState.CANCELLED, "id = :id", id=promise_id, now=now):
                runs = "id IN (SELECT turn_id FROM promise_runs WHERE promise_id = :id)"
                cancel(tx, f"{runs} AND state IN ('waiting', 'running')", now, id=promise_id)
                tx.notify("promises")
            return _load(tx, where, **parameters)[0]

        return await self._database.write(change)

    async def zone_of(self, person_id: str) -> str:
        """A person's time zone; empty where it was never said."""
        query = "SELECT zone FROM calendars WHERE person_id = :id"
        return await self._database.read(lambda tx: tx.value(query, id=person_id)) or ""

    async def set_zone(self, person_id: str, zone: str) -> None:
        """A person's time zone is this, and so what recurs and waits is due at other times, none of them over."""

        def change(tx: Transaction) -> None:
            tx.run(
                "INSERT INTO calendars (person_id, zone) VALUES (:id, :zone)"
                " ON CONFLICT (person_id) DO UPDATE SET zone = :zone",
                id=person_id,
                zone=zone,
            )
            for row in tx.all(f"{_RECURRING}{tx.for_update}", person=person_id):
                due = schedule.next_after_a_run(row["cron"], zone, row["ran"], self._clock())
                tx.run("UPDATE promises SET due_time = :due WHERE id = :id", id=row["id"], due=due)
            tx.notify("promises")

        await self._database.write(change)

    async def ready_promises(self, limit: int) -> list[Promise]:
        """What is due and waits for no other promise, of chats in which none runs; what goes first stands first."""
        query = (
            f"{select(f', {_BROKEN} AS broken')} WHERE {_READY}"
            " AND NOT EXISTS (SELECT 1 FROM promises r WHERE r.lane = p.lane AND r.state = 'running')"
            " ORDER BY p.priority DESC, p.due_time, p.id LIMIT :limit"
        )
        now = self._clock()
        found = await self._database.read(lambda tx: tx.all(query, now=now, limit=limit))
        return [promise_of(row, broken=row["broken"] or 0) for row in found]

    async def begin_promise(self, promise: Promise) -> bool:
        """Turn a due promise into a turn of its chat.

        False where that has happened, it is not due any more, or another one of the chat has begun.
        """

        def change(tx: Transaction) -> bool:
            tx.lock(f"promises {promise.lane}")
            key = {"id": promise.promise_id, "due": promise.due_time, "lane": promise.lane}
            if not shift(tx, PromiseState.RUNNING, _STARTABLE, **key):
                return False
            turn_id = _insert_turn(tx, promise, self._clock())
            tx.run(
                "INSERT INTO promise_runs (promise_id, due_time, turn_id, broken) VALUES (:id, :due, :turn, :broken)",
                id=promise.promise_id,
                due=promise.due_time,
                turn=turn_id,
                broken=promise.broken,
            )
            tx.notify("lanes", promise.lane)
            return True

        return await self._database.write(change)

    async def promised(self, turn: Turn) -> Turn:
        """A turn that carries out a promise, with what it is to do."""

        def query(tx: Transaction) -> Promise:
            run = tx.one("SELECT * FROM promise_runs WHERE turn_id = :turn", turn=turn.turn_id)
            if run is None:
                raise NotFound(f"Turn {turn.turn_id} carries out no promise.", reason="PROMISE_NOT_FOUND")
            promise = _load(tx, "p.id = :id", id=run["promise_id"])[0]
            return replace(promise, due_time=run["due_time"], broken=run["broken"])

        promise = await self._database.read(query)
        return replace(turn, promise=promise, message=replace(turn.message, text=promise.text))

    async def ended_promises(self) -> list[Ended]:
        """What runs, and whose turn has ended."""
        sql = (
            select(", o.state AS ended, o.reason, r.broken")
            + " JOIN promise_runs r ON r.promise_id = p.id AND r.due_time = p.due_time JOIN turns o ON o.id = r.turn_id"
            " WHERE p.state = 'running' AND o.state IN ('done', 'failed', 'cancelled')"
        )

        def query(tx: Transaction) -> list[Ended]:
            return [_ended(row, _failures(tx, row["id"])) for row in tx.all(sql)]

        return await self._database.read(query)

    async def end_promise(self, promise: Promise, to: PromiseState, due: float, words: str = "") -> bool:
        """Close a run, and say so if there are words; what waits again is due at the given time.

        False where that has happened, or the time was found by a clock that is not the person's any more.
        """

        def change(tx: Transaction) -> bool:
            where, now = "id = :id AND due_time = :due AND state = 'running'", self._clock()
            key = {"id": promise.promise_id, "due": promise.due_time}
            if to is PromiseState.WAITING and _zone(tx, promise) != promise.zone:
                return False
            if not shift(tx, to, where, **key, **({"next": due} if to is PromiseState.WAITING else {"now": now})):
                return False
            if words:
                turn_id = tx.value("SELECT turn_id FROM promise_runs WHERE promise_id = :id AND due_time = :due", **key)
                rows.insert_answer(tx, turn_id, [Draft(words)], now)
            return True

        return await self._database.write(change)

    async def measure_promises(self) -> tuple[int, float]:
        """How many promises wait, and for how many seconds the oldest one is due that could run."""

        def query(tx: Transaction) -> tuple[int, float]:
            now = self._clock()
            oldest = tx.value(f"SELECT MIN(p.due_time) FROM promises p WHERE {_READY}", now=now)
            waiting = tx.value("SELECT COUNT(*) FROM promises WHERE state = 'waiting'")
            return waiting, 0.0 if oldest is None else max(0.0, now - oldest)

        return await self._database.read(query)


def _load(tx: Transaction, where: str, **parameters: object) -> list[Promise]:
    found = tx.all(f"{select()} WHERE {where} ORDER BY p.due_time, p.id", **parameters)
    return [promise_of(row, waits_for=_parents(tx, row["id"])) for row in found]


def _ended(row: Row, failures: int) -> Ended:
    return Ended(promise_of(row, broken=row["broken"]), State(row["ended"]), row["reason"], failures)


def _failures(tx: Transaction, promise_id: int) -> int:
    """How many of the last runs failed in a row."""
    query = (
        "SELECT o.state FROM promise_runs r JOIN turns o ON o.id = r.turn_id WHERE r.promise_id = :id"
        " ORDER BY r.due_time DESC LIMIT :limit"
    )
    last = tx.all(query, id=promise_id, limit=FAILURES)
    return len(list(takewhile(lambda run: run["state"] == State.FAILED, last)))


def _zone(tx: Transaction, promise: Promise) -> str:
    """The time zone of a promise's person; until the commit it stays."""
    query = "SELECT zone FROM calendars WHERE person_id = (SELECT person_id FROM promises WHERE id = :id)"
    return tx.value(f"{query}{tx.for_update}", id=promise.promise_id) or schedule.DEFAULT


def _parents(tx: Transaction, promise_id: int) -> tuple[int, ...]:
    query = (
        "SELECT q.number FROM promise_parents d JOIN promises q ON q.id = d.parent_id WHERE d.promise_id = :id"
        " ORDER BY q.number"
    )
    return tuple(row["number"] for row in tx.all(query, id=promise_id))


def _insert(tx: Transaction, turn: Turn, call: str, wish: Wish, now: float) -> None:
    number = tx.value(
        "INSERT INTO calendars (person_id, promises) VALUES (:person, 1)"
        " ON CONFLICT (person_id) DO UPDATE SET promises = calendars.promises + 1 RETURNING promises",
        person=turn.person_id,
    )
    count = f"SELECT COUNT(*) FROM promises WHERE person_id = :person AND {_OPEN}"
    if tx.value(count, person=turn.person_id) >= MOST:
        raise WrongState(f"You have {MOST} open promises, which is as many as I keep.", reason="TOO_MANY_PROMISES")
    parents = [_parent(tx, turn.person_id, parent) for parent in dict.fromkeys(wish.waits_for)]
    promise_id = tx.value(
        "INSERT INTO promises (person_id, number, lane, turn_id, call, type, payload, cron, due_time, priority,"
        " minutes, state, create_time) VALUES (:person, :number, :lane, :turn, :call, :type, :payload, :cron, :due,"
        " :priority, :minutes, 'waiting', :now) RETURNING id",
        person=turn.person_id,
        number=number,
        lane=turn.message.lane,
        turn=turn.turn_id,
        call=call,
        type=wish.kind,
        payload=wish.text,
        cron=wish.cron,
        due=wish.due_time,
        priority=wish.priority,
        minutes=wish.minutes,
        now=now,
    )
    for parent in parents:
        link = "INSERT INTO promise_parents (promise_id, parent_id) VALUES (:id, :parent)"
        tx.run(link, id=promise_id, parent=parent["id"])


def _parent(tx: Transaction, person_id: str, number: int) -> Row:
    query = "SELECT id, cron FROM promises WHERE person_id = :person AND number = :number"
    found = tx.one(query, person=person_id, number=number)
    if found is None:
        raise NotFound(f"There is no promise {number} to wait for.", reason="PROMISE_NOT_FOUND")
    if found["cron"]:
        raise WrongState(f"Promise {number} recurs, so it is never over; nothing can wait for it.")
    return found


def _insert_turn(tx: Transaction, promise: Promise, now: float) -> int:
    """A turn behind everything that was said in the chat so far; who it is for is asked anew, for roles may change."""
    copied = "channel, account_id, account_name, chat_id, topic_id, chat_type, chat_title, user_id, user_name, username"
    history_id = tx.value(
        f"INSERT INTO chat_history ({copied}, promise_id, version, order_key, direction, disposition, message_type,"
        f" message, entities, reply_to, timestamp) SELECT {copied}, :id, 0,"
        " (SELECT MAX(o.order_key) FROM chat_history o WHERE o.channel = h.channel AND o.account_id = h.account_id"
        " AND o.chat_id = h.chat_id AND o.topic_id = h.topic_id), 'in', 'queued', 'promise', '', '[]',"
        " CASE WHEN h.promise_id IS NULL THEN h.order_key ELSE h.reply_to END, :now"
        " FROM chat_history h WHERE h.id = (SELECT t.history_id FROM turns t JOIN promises p ON p.turn_id = t.id"
        " WHERE p.id = :id) RETURNING id",
        id=promise.promise_id,
        now=now,
    )
    turn_id: int = tx.value(
        "INSERT INTO turns (history_id, lane, order_key, state, not_before, person_id, role, trace, accept_time)"
        " SELECT h.id, p.lane, h.order_key, 'waiting', :now, p.person_id, :role, :trace, :now"
        " FROM chat_history h, promises p WHERE h.id = :history AND p.id = :id RETURNING id",
        history=history_id,
        id=promise.promise_id,
        role=Role.UNKNOWN,
        trace=tracing.traceparent(),
        now=now,
    )
    return turn_id
