"""Rows of promises ⇄ domain words, and what other tables need of them."""

from services.chassis.writer import Row, Transaction
from services.pipeline.promises import LEGAL, Kind, Promise, PromiseState
from services.pipeline.schedule import DEFAULT


def select(more: str = "") -> str:
    """The beginning of a query for promises, with further columns."""
    return (
        f"SELECT p.*, c.zone, h.chat_title{more} FROM promises p JOIN calendars c ON c.person_id = p.person_id"
        " JOIN turns t ON t.id = p.turn_id JOIN chat_history h ON h.id = t.history_id"
    )


def promise_of(row: Row, *, waits_for: tuple[int, ...] = (), broken: int = 0) -> Promise:
    """The promise of a row of `select`."""
    return Promise(
        promise_id=row["id"],
        number=row["number"],
        lane=row["lane"],
        place=row["chat_title"],
        text=row["payload"],
        due_time=row["due_time"],
        cron=row["cron"],
        kind=Kind(row["type"]),
        priority=row["priority"],
        minutes=row["minutes"],
        state=PromiseState(row["state"]),
        create_time=row["create_time"],
        zone=row["zone"] or DEFAULT,
        waits_for=waits_for,
        broken=broken,
    )


def shift(tx: Transaction, to: PromiseState, where: str, **parameters: object) -> list[Row]:
    """Take promises to a state from the states it may be entered from, and from no other; those that moved.

    This is the one place where a state changes.
    """
    sources = ", ".join(f"'{state}'" for state in sorted(LEGAL[to]))
    return tx.all(
        f"UPDATE promises SET state = '{to}', {_STAMP[to]} WHERE {where} AND state IN ({sources}) RETURNING id, lane",
        **parameters,
    )


_STAMP = {
    PromiseState.WAITING: "due_time = :next",
    PromiseState.RUNNING: "end_time = NULL",
    PromiseState.KEPT: "end_time = :now",
    PromiseState.FAILED: "end_time = :now",
    PromiseState.CANCELLED: "end_time = :now",
}


def release(tx: Transaction, turn_id: int, now: float) -> None:
    """The turn is answered, so its person is told of what it promised: what was due before begins now, and not late."""
    due = "UPDATE promises SET due_time = :now WHERE turn_id = :turn AND state = 'waiting' AND due_time <= :now"
    if tx.run(due, turn=turn_id, now=now):
        tx.notify("promises")


def void(tx: Transaction, turn_id: int, now: float) -> None:
    """The turn begins anew or has no answer: nobody was told of what it promised, so that is dropped."""
    shift(tx, PromiseState.CANCELLED, "turn_id = :turn AND state = 'waiting'", turn=turn_id, now=now)
