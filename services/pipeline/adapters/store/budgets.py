"""What model calls cost: reserved, settled, counted by day."""

from collections.abc import Iterable

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
            settled = _settled(tx, _subjects(person_id, _chat(message)), day_of(self._clock()))
            return [(*of, amount) for of, amount in settled.items()]

        return await self._database.read(read)

    async def used_by_all(self) -> list[Used]:
        """What everybody used today and this month."""
        settled = await self._database.read(lambda tx: _settled(tx, {Scope.TOTAL: ""}, day_of(self._clock())))
        return [(*of, amount) for of, amount in settled.items()]


def reserve(tx: Transaction, turn: Turn, need: Need, now: float) -> Refusal | None:
    """Reserve for a call of a turn that has none under way, or say why it may not begin."""
    subjects, day = _subjects(turn.person_id, _chat(turn.message)), day_of(now)
    _count(tx, subjects, Amount(), day)  # locks these rows where others write too: who reserves at once sees the other
    refusal = decide(_standings(tx, need.limits, subjects, day))
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
        **_named(subjects),
    )


def _standings(tx: Transaction, limits: Iterable[Limit], subjects: Subjects, day: str) -> list[Standing]:
    settled, reserved = _settled(tx, subjects, day), _reserved(tx, subjects)
    return [
        Standing(limit, settled[limit.scope, limit.window], reserved[limit.scope])
        for limit in limits
        if limit.scope in subjects
    ]


def _settled(tx: Transaction, subjects: Subjects, day: str) -> dict[tuple[Scope, Window], Amount]:
    """What each of them used in the windows that the day lies in."""
    theirs = " OR ".join(f"(scope = '{scope}' AND subject = :{scope})" for scope in subjects)
    found = tx.all(
        f"SELECT scope, {_sums(Window.DAY, 'day = :day')}, {_sums(Window.MONTH, 'day >= :first')} FROM budgets"
        f" WHERE ({theirs}) AND day BETWEEN :first AND :day GROUP BY scope",
        day=day,
        first=first_day(Window.MONTH, day),
        **_named(subjects),
    )
    of = {row["scope"]: row for row in found}
    return {(scope, window): _amount(of.get(scope), window) for scope in subjects for window in Window}


_OWNED = {Scope.PERSON: "person_id = :person", Scope.CHAT: "chat = :chat", Scope.TOTAL: "1 = 1"}
"""Whose reservations count for whom."""


def _reserved(tx: Transaction, subjects: Subjects) -> dict[Scope, Amount]:
    """What calls under way have reserved."""
    sums = ", ".join(_sums(scope, _OWNED[scope]) for scope in subjects)
    row = tx.one(f"SELECT {sums} FROM reservations", **_named(subjects))
    return {scope: _amount(row, scope) for scope in subjects}


def _sums(name: str, where: str) -> str:
    """Columns that hold an amount: the sum of those rows."""
    columns = ("tokens", "cost")
    return ", ".join(f"COALESCE(SUM(CASE WHEN {where} THEN {each} END), 0) AS {name}_{each}" for each in columns)


def _amount(row: Row | None, name: str) -> Amount:
    return Amount() if row is None else Amount(int(row[f"{name}_tokens"]), int(row[f"{name}_cost"]))


def _named(subjects: Subjects) -> dict[str, str]:
    """Them as parameters."""
    return {str(scope): subject for scope, subject in subjects.items()}
