"""The store's books: whatever happens to turns, in whatever order, what was settled is what the counters say."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.chassis.database import Database
from services.pipeline import migrations
from services.pipeline.adapters.store import SqlStore
from services.pipeline.budget import Amount, Limit, Need, Scope, Unit, Window
from services.pipeline.gate import Pace
from services.pipeline.model import (
    Account,
    Address,
    ChatType,
    Checkpoint,
    Disposition,
    Draft,
    Message,
    Role,
    Sender,
    Turn,
    Usage,
)
from services.pipeline.ports import Admission, Person
from tests.integration.pipeline.house import broken_rules, rows

ACCOUNT = Account("telegram", 42, "valor_bot")
LIMITS = (Limit(Scope.TOTAL, Window.DAY, Unit.TOKENS, 60), Limit(Scope.PERSON, Window.MONTH, Unit.USD, 40))
MIDNIGHT = 1_767_225_600.0
"""2026-01-01."""

KINDS = ["ask", "ask", "reserve", "reserve", "step", "step", "finish", "fail", "stop", "crash", "back", "day"]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(KINDS),
        st.integers(0, 3),
        st.integers(0, 20),
    ),
    max_size=40,
)


@dataclass
class Books:
    """What a person with a pencil would write down."""

    store: SqlStore
    now: list[float]
    turns: dict[int, Turn] = field(default_factory=dict)
    held: dict[int, int] = field(default_factory=dict)
    asked: int = 0
    steps: int = 0
    paid: dict[str, int] = field(default_factory=dict)
    total: int = 0

    def pay(self, amount: int) -> None:
        self.total += amount
        day = "a" if self.now[0] == MIDNIGHT else "b"
        self.paid[day] = self.paid.get(day, 0) + amount

    def lose(self, chat: int) -> None:
        self.pay(self.held.pop(chat, 0))

    async def ask(self, chat: int, _amount: int) -> None:
        self.asked += 1
        message = Message(ACCOUNT, Address(8 + chat), ChatType.PRIVATE, self.asked, Sender(8, "Ada"), "hello")
        await self.store.accept(message, Admission(Disposition.QUEUED, Person(str(chat % 2), Role.MEMBER)))
        await self.claim()

    async def claim(self) -> None:
        for turn in await self.store.claim(None, 10):
            chat = turn.message.address.chat_id - 8
            self.lose(chat)
            self.turns[chat] = turn

    async def reserve(self, chat: int, amount: int) -> None:
        if chat in self.turns:
            self.lose(chat)
            refusal = await self.store.reserve(self.turns[chat], Need(Amount(amount, amount), LIMITS))
            if refusal is None:
                self.held[chat] = amount

    async def step(self, chat: int, amount: int) -> None:
        if chat in self.turns:
            self.steps += 1
            self.held.pop(chat, None)
            self.pay(amount)
            checkpoint = Checkpoint(self.steps, b"x", Usage(input_tokens=amount, cost=amount))
            for _ in range(2):  # keeping it again changes nothing
                refusal = await self.store.add_checkpoint(
                    self.turns[chat], checkpoint, Need(Amount(amount, amount), LIMITS)
                )
                if _ == 0 and refusal is None:
                    self.held[chat] = amount

    async def finish(self, chat: int, amount: int) -> None:
        if chat in self.turns:
            self.held.pop(chat, None)
            self.pay(amount)
            last = Usage(output_tokens=amount, cost=amount)
            await self.store.finish(self.turns.pop(chat), [Draft("done")], Usage(), last=last)
            await self.claim()

    async def fail(self, chat: int, _amount: int) -> None:
        if chat in self.turns:
            self.lose(chat)
            await self.store.fail(self.turns.pop(chat), Draft("sorry"), "X", "y")
            await self.claim()

    async def stop(self, chat: int, _amount: int) -> None:
        self.asked += 1
        self.lose(chat)
        self.turns.pop(chat, None)
        message = Message(ACCOUNT, Address(8 + chat), ChatType.PRIVATE, self.asked, Sender(8, "Ada"), "/stop")
        await self.store.stop(message, Person(str(chat % 2), Role.MEMBER))

    async def crash(self, _chat: int, _amount: int) -> None:
        await self.store.reclaim()
        self.turns.clear()
        await self.claim()

    async def back(self, chat: int, _amount: int) -> None:
        if chat in self.turns:
            self.held.pop(chat, None)
            await self.store.give_back(self.turns[chat])

    async def day(self, _chat: int, _amount: int) -> None:
        self.now[0] = MIDNIGHT + 86_400


async def play(folder: Path, steps: list[tuple[str, int, int]]) -> None:
    async with Database.open(folder / "pipeline.db", migrations) as database:
        now = [MIDNIGHT]
        books = Books(SqlStore(database, Pace(10_000, 10_000), lambda: now[0]), now)
        for name, chat, amount in steps:
            await getattr(books, name)(chat, amount)
            assert sum(rows(folder, "SELECT tokens FROM reservations")) == sum(books.held.values())
        for chat in list(books.turns):
            await books.fail(chat, 0)
        compare(folder, books)


def compare(folder: Path, books: Books) -> None:
    sums: list[Any] = rows(folder, "SELECT scope, SUM(tokens), SUM(cost) FROM budgets GROUP BY scope")
    assert {(tokens, cost) for _, tokens, cost in sums} <= {(books.total, books.total)}
    by_day = rows(folder, "SELECT tokens FROM budgets WHERE scope = 'total' AND tokens > 0 ORDER BY day")
    assert by_day == [books.paid[day] for day in "ab" if books.paid.get(day)]
    assert sum(rows(folder, "SELECT cost FROM turns")) == books.total
    left = set(rows(folder, "SELECT turn_id FROM reservations"))
    assert left <= set(rows(folder, "SELECT id FROM turns WHERE state IN ('waiting', 'running')"))
    assert broken_rules(folder) == {}


@pytest.mark.sqlite
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_the_counters_are_the_sum_of_what_was_settled(steps: list[tuple[str, int, int]]) -> None:
    """F101. Steps, answers, failures, stops, crashes, two days: no leak, no double count."""
    with tempfile.TemporaryDirectory() as folder:
        await play(Path(folder), steps)
