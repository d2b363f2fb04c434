"""What model calls cost: reserved, settled, counted by day."""

from services.chassis.writer import Row, Transaction
from services.pipeline.adapters.store import rows
from services.pipeline.adapters.store.rows import check_held
from services.pipeline.adapters.store.table import Table
from services.pipeline.budget import Amount, Limit, Need, Refusal, Scope, Standing, Window, day_of, decide, first_day
from services.pipeline.model import Message, Turn, Usage, chat_key
from services.pipeline.ports import Used

Subjects = dict[Scope, str]
"""Whose budgets a turn uses."""


class BudgetTable(Table):
    """`ports.Budgets` on SQL."""

    async def reserve(self, turn: Turn, need: Need) -> Refusal | None:
        """Reserve for the first call of an attempt, or say why it may not begin."""

        def change(tx: Transaction) -> Refusal | None:
            check_held(tx, turn)
            now = self._clock()
            settle_lost(tx, turn.turn_id, now)
            return reserve(tx, turn, need, now)

        return await self._database.write(change)

    async def give_back(self, turn: Turn) -> None:
        """The call that was reserved for was never made."""

        def change(tx: Transaction) -> None:
            check_held(tx, turn)
            _take(tx, turn.turn_id)

        await self._database.write(change)

    async def used(self, message: Message) -> list[Used]:
        """What the writer of a message, its chat, and everybody used today and this month."""
        query = (
            "SELECT t.person_id FROM turns t JOIN chat_history h ON h.id = t.history_id"
            f" WHERE {rows.LANE} AND h.order_key = :message ORDER BY t.id DESC LIMIT 1"
        )
        parameters = rows.lane(message.account, message.address)

        def read(tx: Transaction) -> list[Used]:
            person_id = tx.value(query, **parameters, message=message.message_id) or ""
            subjects, day = _subjects(person_id, _chat(message)), day_of(self._clock())
            return [
                (scope, window, _settled(tx, scope, subject, first_day(window, day), day))
                for scope, subject in subjects.items()
                for window in Window
            ]

        return await self._database.read(read)

    async def used_by_all(self) -> list[Used]:
        """What everybody used today and this month."""
        day = day_of(self._clock())

        def read(tx: Transaction) -> list[Used]:
            whole = (Scope.TOTAL, "")
            return [(Scope.TOTAL, window, _settled(tx, *whole, first_day(window, day), day)) for window in Window]

        return await self._database.read(read)


def reserve(tx: Transaction, turn: Turn, need: Need, now: float) -> Refusal | None:
    """Reserve for a call of a turn that has none under way, or say why it may not begin."""
    subjects, day = _subjects(turn.person_id, _chat(turn.message)), day_of(now)
    _count(tx, subjects, Amount(), day)  # locks these rows where others write too: who reserves at once sees the other
    refusal = decide(_standing(tx, limit, subjects, day) for limit in need.limits if limit.scope in subjects)
    if refusal is None:
        tx.run(
            "INSERT INTO reservations (turn_id, person_id, chat, tokens, cost)"
            " VALUES (:id, :person, :chat, :tokens, :cost)",
            id=turn.turn_id,
            person=turn.person_id,
            chat=subjects[Scope.CHAT],
            tokens=need.call.tokens,
            cost=need.call.cost,
        )
    return refusal


def settle(tx: Transaction, turn: Turn, usage: Usage, now: float) -> None:
    """A call has ended: count what it cost, and what was reserved for it is free again."""
    _take(tx, turn.turn_id)
    amount = Amount(usage.input_tokens + usage.output_tokens, usage.cost)
    _charge(tx, turn.turn_id, _subjects(turn.person_id, _chat(turn.message)), amount, now)


def settle_lost(tx: Transaction, turn_id: int, now: float) -> None:
    """Nobody saw how the call ended that is under way, if there is one: it costs what was reserved for it."""
    row = _take(tx, turn_id)
    if row is not None:
        _charge(tx, turn_id, _subjects(row["person_id"], row["chat"]), Amount(row["tokens"], row["cost"]), now)


def _take(tx: Transaction, turn_id: int) -> Row | None:
    return tx.one("DELETE FROM reservations WHERE turn_id = :id RETURNING person_id, chat, tokens, cost", id=turn_id)


def _chat(message: Message) -> str:
    return chat_key(message.account, message.address.chat_id)


def _subjects(person_id: str, chat: str) -> Subjects:
    """Whose budgets they are; who is not known has none of their own."""
    known = {Scope.PERSON: person_id} if person_id else {}
    return {**known, Scope.CHAT: chat, Scope.TOTAL: ""}


def _charge(tx: Transaction, turn_id: int, subjects: Subjects, amount: Amount, now: float) -> None:
    if amount == Amount():
        return
    _count(tx, subjects, amount, day_of(now))
    tx.run("UPDATE turns SET cost = cost + :cost WHERE id = :id", id=turn_id, cost=amount.cost)


def _count(tx: Transaction, subjects: Subjects, amount: Amount, day: str) -> None:
    rows_of = ", ".join(f"('{scope}', :{scope}, :day, :tokens, :cost)" for scope in subjects)
    tx.run(
        f"INSERT INTO budgets (scope, subject, day, tokens, cost) VALUES {rows_of} ON CONFLICT (scope, subject, day)"
        " DO UPDATE SET tokens = budgets.tokens + excluded.tokens, cost = budgets.cost + excluded.cost",
        day=day,
        tokens=amount.tokens,
        cost=amount.cost,
        **{str(scope): subject for scope, subject in subjects.items()},
    )


def _standing(tx: Transaction, limit: Limit, subjects: Subjects, day: str) -> Standing:
    subject = subjects[limit.scope]
    settled = _settled(tx, limit.scope, subject, first_day(limit.window, day), day)
    return Standing(limit, settled, _amount(tx.one(_RESERVED[limit.scope], subject=subject)))


_SUMS = "SELECT COALESCE(SUM(tokens), 0) AS tokens, COALESCE(SUM(cost), 0) AS cost"
_RESERVED = {
    Scope.PERSON: f"{_SUMS} FROM reservations WHERE person_id = :subject",
    Scope.CHAT: f"{_SUMS} FROM reservations WHERE chat = :subject",
    Scope.TOTAL: f"{_SUMS} FROM reservations WHERE :subject = ''",
}


def _settled(tx: Transaction, scope: Scope, subject: str, first: str, last: str) -> Amount:
    query = f"{_SUMS} FROM budgets WHERE scope = :scope AND subject = :subject AND day BETWEEN :first AND :last"
    return _amount(tx.one(query, scope=scope, subject=subject, first=first, last=last))


def _amount(row: Row | None) -> Amount:
    return Amount() if row is None else Amount(int(row["tokens"]), int(row["cost"]))
