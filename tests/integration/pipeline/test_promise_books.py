"""The books of promises in a real store, with a clock that the test turns."""

import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from services.chassis.database import Database
from services.chassis.errors import LostOwnership, Unavailable
from services.pipeline import migrations, schedule
from services.pipeline.adapters.store import SqlStore, promise_rows
from services.pipeline.gate import Pace
from services.pipeline.keep import Keeper
from services.pipeline.model import (
    Account,
    Address,
    ChatType,
    Disposition,
    Draft,
    Message,
    Role,
    Sender,
    State,
    Turn,
    Usage,
)
from services.pipeline.ports import Admission, Person
from services.pipeline.promises import LEGAL, Promise, PromiseState, Wish, reminder
from tests.integration.pipeline.house import broken_rules
from tests.integration.pipeline.house import rows as rows_of
from tests.support.store import place

ACCOUNT = Account("telegram", 42, "valor_bot")
QUEUED = Admission(Disposition.QUEUED, Person("1", Role.MEMBER))
DAY = 86_400.0
START = 20_000 * DAY
"""A midnight in UTC."""
LEASE = -1.0
"""Whoever comes next finds it over: the one before was killed."""


class Books:
    """Store and keeper of a pipeline that can be killed: what was committed is what the next one finds."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now, self.number = folder, START, 0
        self._life = AsyncExitStack()

    async def open(self) -> "Books":
        database = await self._life.enter_async_context(Database.open(place(self.folder, "pipeline"), migrations))
        self.store = SqlStore(database, Pace(10_000, 10_000), lambda: self.now, lease=LEASE)
        self.keeper = Keeper(self.store, lambda: self.now)
        await self.store.reclaim()
        return self

    async def close(self) -> None:
        await self._life.aclose()

    async def restart(self) -> None:
        await self.close()
        await self.open()

    async def ask(self, text: str = "please", *, chat: int = 8) -> Turn:
        """Somebody asks; the turn that is worked on for it."""
        self.number += 1
        message = Message(ACCOUNT, Address(chat), ChatType.PRIVATE, self.number, Sender(8, "Ada"), text)
        await self.store.accept(message, QUEUED)
        (turn,) = await self.store.claim([message.lane], 1)
        return turn

    async def make(self, *wishes: Wish, chat: int = 8) -> list[Promise]:
        """Somebody asks, and is promised something."""
        turn = await self.ask(chat=chat)
        made = [await self.store.make_promise(turn, 1, index, wish) for index, wish in enumerate(wishes)]
        await self.finish(turn)
        return made

    async def finish(self, turn: Turn) -> None:
        await self.store.finish(turn, [Draft("done")], Usage())
        await self.deliver()

    async def fail(self, turn: Turn) -> None:
        await self.store.fail(turn, Draft("no"), "STEP_LIMIT", "")
        await self.deliver()

    async def deliver(self) -> None:
        while parts := await self.store.due(ACCOUNT, None):
            for part in parts:
                await self.store.deliver(part.part_id, 1_000_000 + part.part_id, "")

    async def look(self) -> list[Turn]:
        """Keep promises once, and begin the turns that this made."""
        await self.keeper.look()
        return await self.store.claim(None, 100)

    def rows(self, query: str) -> list[Any]:
        return rows_of(self.folder, query)

    def states(self) -> list[str]:
        return self.rows("SELECT state FROM promises ORDER BY id")


@pytest.fixture
async def books(tmp_path: Path) -> AsyncIterator[Books]:
    books = await Books(tmp_path).open()
    yield books
    await books.close()
    assert broken_rules(tmp_path) == {}


@pytest.mark.parametrize(("state", "to"), list(itertools.product(PromiseState, PromiseState)))
async def test_the_database_lets_a_promise_move_as_is_legal_and_no_other_way(
    books: Books, state: PromiseState, to: PromiseState
) -> None:
    """F4."""
    await books.make(Wish("x", START))
    database = books.store._database
    await database.write(lambda tx: tx.run(f"UPDATE promises SET state = '{state}'"))  # noqa: S608
    moved = await database.write(lambda tx: promise_rows.shift(tx, to, "id = 1", now=1.0, next=2.0))
    assert bool(moved) == (state in LEGAL[to])
    assert books.states() == [to if moved else state]
    await database.write(lambda tx: tx.run("DELETE FROM promises"))


def test_what_has_ended_stays_ended() -> None:
    """F4."""
    assert set().union(*LEGAL.values()) == {PromiseState.WAITING, PromiseState.RUNNING}


async def test_a_promise_begins_when_it_is_due_and_not_before(books: Books) -> None:
    await books.make(Wish("x", START + 10))
    books.now += 9.9
    assert await books.look() == []
    books.now += 0.1
    (turn,) = await books.look()
    assert (turn.message.message_id, turn.message.answered, turn.role) == (0, 1, Role.UNKNOWN)
    assert (await books.store.promised(turn)).message.text == "x"


async def test_what_is_promised_begins_when_the_answer_tells_of_it_and_is_not_late(books: Books) -> None:
    turn = await books.ask()
    await books.store.make_promise(turn, 1, 1, Wish("x", START))
    books.now += 100
    assert await books.look() == []
    assert await books.store.measure_promises() == (1, 0.0)
    await books.finish(turn)
    (begun,) = await books.look()
    promise = (await books.store.promised(begun)).promise
    assert promise is not None
    assert reminder(promise, begun.accept_time) == "Reminder: x"


async def test_two_keepers_begin_and_end_it_once(books: Books) -> None:
    """F18: as with two replicas."""
    await books.make(Wish("x", START))
    (promise,) = await books.store.ready_promises(10)
    assert [await books.store.begin_promise(promise) for _ in range(2)] == [True, False]
    (turn,) = await books.look()
    await books.finish(turn)
    (ended,) = await books.store.ended_promises()
    closed = [await books.store.end_promise(ended.promise, PromiseState.KEPT, 0) for _ in range(2)]
    assert closed == [True, False]


async def test_what_was_moved_meanwhile_does_not_begin_at_its_old_time(books: Books) -> None:
    await books.make(Wish("x", START, "0 9 * * *"))
    (stale,) = await books.store.ready_promises(10)
    await books.store.set_zone("1", "Europe/Berlin")
    assert not await books.store.begin_promise(stale)
    assert await books.look() == []
    books.now += 7 * 3600
    assert len(await books.look()) == 1


async def test_of_two_keepers_that_saw_the_same_the_second_begins_nothing_beside_the_first(books: Books) -> None:
    """F18: as with two replicas."""
    await books.make(Wish("a", START), Wish("b", START))
    first, second = await books.store.ready_promises(10)
    assert await books.store.begin_promise(first)
    assert not await books.store.begin_promise(second)


async def test_a_time_zone_that_changes_while_a_run_ends_counts_for_the_next_one(books: Books) -> None:
    await books.make(Wish("x", START, "0 9 * * *"))
    (turn,) = await books.look()
    await books.finish(turn)
    (ended,) = await books.store.ended_promises()
    await books.store.set_zone("1", "Europe/Berlin")
    assert not await books.store.end_promise(ended.promise, PromiseState.WAITING, START + 9 * 3600)
    await books.keeper.look()
    assert books.rows("SELECT state, due_time FROM promises") == [("waiting", START + 7 * 3600)]


async def test_a_time_zone_never_brings_back_what_has_run(books: Books) -> None:
    """F18: by a clock that is behind the one that it ran by."""
    due = START + 9 * 3600
    await books.make(Wish("x", due, "0 9 * * *"))
    books.now = due
    (turn,) = await books.look()
    await books.finish(turn)
    await books.keeper.look()
    books.now = due - 2
    await books.store.set_zone("1", "Africa/Abidjan")  # which has the same time
    assert books.rows("SELECT state, due_time FROM promises") == [("waiting", due + DAY)]


async def test_it_is_kept_when_its_answer_was_received_and_not_before(books: Books) -> None:
    """F92."""
    await books.make(Wish("x", START))
    (turn,) = await books.look()
    await books.store.finish(turn, [Draft("done")], Usage())
    await books.look()
    assert books.states() == ["running"]
    await books.deliver()
    await books.look()
    assert books.states() == ["kept"]


async def test_one_after_another_in_a_chat_and_side_by_side_in_two(books: Books) -> None:
    await books.make(Wish("a", START), Wish("b", START), chat=8)
    await books.make(Wish("c", START), chat=9)
    first, other = await books.look()
    assert [(await books.store.promised(turn)).message.text for turn in (first, other)] == ["a", "c"]
    assert await books.look() == []
    assert await books.store.measure_promises() == (1, 0.0)
    books.now += 7
    assert await books.store.measure_promises() == (1, 7.0)
    await books.finish(first)
    (second,) = await books.look()
    assert (await books.store.promised(second)).message.text == "b"


async def test_what_was_said_before_stands_before_what_is_promised(books: Books) -> None:
    """A message that came first is answered first, one that comes later is answered later."""
    await books.make(Wish("x", START))
    message = Message(ACCOUNT, Address(8), ChatType.PRIVATE, 7, Sender(8, "Ada"), "before")
    await books.store.accept(message, QUEUED)
    await books.keeper.look()
    later = Message(ACCOUNT, Address(8), ChatType.PRIVATE, 8, Sender(8, "Ada"), "after")
    await books.store.accept(later, QUEUED)
    order, told = [], list[list[str]]()
    while turns := await books.store.claim(None, 10):
        (turn,) = turns
        order.append(turn.message.text)
        told.append([said.text for said in await books.store.before(turn.message, 10)])
        await books.finish(turn)
    assert order == ["before", "", "after"]
    assert told[1] == ["please", "done", "before", "done"]
    assert told[2] == ["please", "done", "before", "done", "done"]


@pytest.mark.parametrize(
    ("down", "runs", "following"),
    [
        (0.0, 1, START + DAY + 9 * 3600),
        (3600.0, 1, START + DAY + 9 * 3600),
        (40 * DAY, 1, START + 41 * DAY + 9 * 3600),
    ],
)
async def test_runs_that_were_missed_are_made_up_for_once(
    books: Books, down: float, runs: int, following: float
) -> None:
    """F18."""
    due = schedule.next_run("0 9 * * *", "UTC", START)
    await books.make(Wish("x", due, "0 9 * * *"))
    await books.close()
    books.now = due + down
    await books.open()
    begun = 0
    for _ in range(5):
        for turn in await books.look():
            begun += 1
            await books.finish(turn)
    assert begun == runs
    assert books.rows("SELECT state, due_time FROM promises") == [("waiting", following)]


async def test_a_run_that_takes_longer_than_its_period_does_not_pile_up(books: Books) -> None:
    await books.make(Wish("x", START + 300, "*/5 * * * *"))
    books.now += 300
    (turn,) = await books.look()
    books.now += 1000
    assert await books.look() == []
    await books.fail(turn)
    await books.keeper.look()
    assert books.rows("SELECT state, due_time FROM promises") == [("waiting", START + 1500)]


async def run_with(books: Books, outcomes: str) -> None:
    """One run after another, at their due times; what ends as x fails."""
    for outcome in outcomes:
        (books.now,) = books.rows("SELECT due_time FROM promises")
        (turn,) = await books.look()
        await (books.fail if outcome == "x" else books.finish)(turn)
        await books.keeper.look()


async def test_what_recurs_is_given_up_when_it_failed_too_often_in_a_row_and_says_so_once(books: Books) -> None:
    """F97."""
    await books.make(Wish("x", START + 300, "*/5 * * * *"))
    await run_with(books, "xxxx-xxxx")
    await books.restart()
    assert books.states() == ["waiting"]
    await run_with(books, "x")
    assert books.states() == ["failed"]
    for _ in range(2):
        await books.look()
        await books.deliver()
    words = "Promise 1 (“x”) failed 5 times in a row, so I gave it up. Ask me for it again when it can work."
    assert books.rows("SELECT body, reply_to FROM parts ORDER BY id DESC LIMIT 2") == [(words, 1), ("no", 1)]
    assert books.rows(f"SELECT COUNT(*) FROM parts WHERE body = '{words}'") == [1]  # noqa: S608


async def test_what_can_never_be_kept_is_not_measured_as_late(books: Books) -> None:
    (parent,) = await books.make(Wish("x", START))
    await books.make(Wish("y", START + DAY, waits_for=(parent.number,)))
    (turn,) = await books.look()
    await books.fail(turn)
    (ended,) = await books.store.ended_promises()
    await books.store.end_promise(ended.promise, PromiseState.FAILED, 0)
    assert await books.store.measure_promises() == (1, 0.0)
    (told,) = await books.look()
    carried = (await books.store.promised(told)).promise
    assert carried is not None
    assert carried.broken == parent.number


async def test_a_disk_that_refuses_is_waited_for(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """F37."""
    looks = iter([Unavailable("full"), None])

    async def look() -> None:
        if (error := next(looks, LostOwnership("the test is over"))) is not None:
            raise error
        books.keeper.wake()

    monkeypatch.setattr(books.keeper, "look", look)
    monkeypatch.setattr("services.pipeline.keep.POLL", 0.01)
    with pytest.raises(LostOwnership):
        await books.keeper.run()


async def test_one_that_breaks_keeps_no_other_from_being_kept(books: Books) -> None:
    await books.make(Wish("broken", START, priority=10), chat=8)
    await books.make(Wish("whole", START, "0 9 * * *"), chat=9)
    begin = books.store.begin_promise

    async def broken(promise: Promise) -> bool:
        if promise.text == "broken":
            raise ValueError(promise.text)
        return await begin(promise)

    books.store.begin_promise = broken  # type: ignore[method-assign]
    (turn,) = await books.look()
    assert (await books.store.promised(turn)).message.text == "whole"


class Life:
    """Anything may happen at any time, kills included; every due time runs once, and everything ends."""

    def __init__(self, books: Books, seed: int) -> None:
        self.books, self.dice = books, random.Random(seed)
        self.held: list[Turn] = []

    async def live(self, steps: int) -> None:
        make, look, end = [self.make] * 4, [self.look] * 3, [self.end] * 3
        ways = [*make, *look, *end, self.wait, self.kill, self.cancel]
        for _ in range(steps):
            await self.dice.choice(ways)()

    async def make(self) -> None:
        if self.held:
            return  # its chat is busy
        due = self.books.now + self.dice.choice([0, 1, 400])
        count = self.books.rows("SELECT COUNT(*) FROM promises")[0]
        waits = (self.dice.randrange(1, count + 1),) if count and self.dice.random() < 0.4 else ()
        recurring = {number for number, cron in self.books.rows("SELECT number, cron FROM promises") if cron}
        cron = "*/5 * * * *" if self.dice.random() < 0.3 else ""
        await self.books.make(Wish("x", due, cron, waits_for=tuple(set(waits) - recurring)))

    async def wait(self) -> None:
        self.books.now += self.dice.choice([1, 60, 301, 10_000])

    async def look(self) -> None:
        self.held += await self.books.look()

    async def end(self) -> None:
        if self.held:
            turn = self.held.pop()
            with suppress(LostOwnership):
                await (self.books.finish if self.dice.random() < 0.7 else self.books.fail)(turn)

    async def kill(self) -> None:
        self.held.clear()
        await self.books.restart()

    async def cancel(self) -> None:
        open_ones = self.books.rows("SELECT number FROM promises WHERE state IN ('waiting', 'running')")
        if open_ones and not self.held:
            number = self.dice.choice(open_ones)
            turn = await self.books.ask(f"/cancel {number}", chat=9)
            await self.books.store.cancel_promise(turn, number, None)
            await self.books.finish(turn)

    async def come_to_rest(self) -> None:
        await self.books.store._database.write(
            lambda tx: tx.run("UPDATE promises SET cron = '' WHERE cron != ''")  # or it would never end
        )
        await self.books.restart()
        self.books.now += 20_000
        for _ in range(500):
            for turn in await self.books.look():
                await self.books.finish(turn)
            if not set(self.books.states()) & {"waiting", "running"}:
                return
        raise AssertionError(self.books.states())


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_happens_every_due_time_runs_once_and_everything_ends(books: Books, seed: int) -> None:
    """F4, F18."""
    life = Life(books, seed)
    await life.live(80)
    await life.come_to_rest()
    runs = Counter(books.rows("SELECT promise_id, due_time FROM promise_runs"))
    assert set(runs.values()) <= {1}
    turns = books.rows("SELECT state FROM turns t JOIN chat_history h ON h.id = t.history_id WHERE promise_id NOTNULL")
    assert set(turns) <= {State.DONE, State.FAILED, State.CANCELLED}
    assert len(turns) == sum(runs.values())
    kept_too_early = books.rows(
        "SELECT p.id FROM promises p JOIN promise_parents d ON d.promise_id = p.id"
        " JOIN promises q ON q.id = d.parent_id WHERE p.state = 'kept' AND q.state != 'kept'"
    )
    assert kept_too_early == []
