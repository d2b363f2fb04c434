"""The store itself: what it refuses, and that everything it does is whole or absent."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.chassis.database import Database
from services.chassis.errors import LostOwnership, ValorError
from services.chassis.writer import Transaction
from services.pipeline import migrations
from services.pipeline.adapters.store import SqlStore, rows, turns
from services.pipeline.budget import Amount, Limit, Need, Scope, Unit, Window
from services.pipeline.gate import Pace
from services.pipeline.model import (
    LEGAL,
    Account,
    Address,
    ChatType,
    Checkpoint,
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
from tests.integration.pipeline.house import broken_rules
from tests.integration.pipeline.house import rows as rows_of
from tests.support.store import REFUSED, dump, place

ACCOUNT = Account("telegram", 42, "valor_bot")
ADA, BOB = Person("1", Role.MEMBER), Person("2", Role.OWNER)
QUEUED = Admission(Disposition.QUEUED, ADA)
SAID = [Draft("one"), Draft("two")]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Store(SqlStore):
    """The store with a clock that a test turns, and its file."""

    def __init__(self, database: Database, folder: Path, pace: Pace) -> None:
        self.clock, self.folder = Clock(), folder
        super().__init__(database, pace, self.clock)

    @property
    def database(self) -> Database:
        return self._database

    def rows(self, query: str) -> list[Any]:
        return rows_of(self.folder, query)

    def dump(self) -> list[Any]:
        """Everything the tables hold."""
        return dump(place(self.folder, "pipeline"))

    async def claimed(self) -> Turn:
        (turn,) = await self.claim(None, 10)
        return turn

    async def set(self, statement: str) -> None:
        await self.database.write(lambda tx: tx.run(statement))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Database.open(place(tmp_path, "pipeline"), migrations) as database:
        yield Store(database, tmp_path, Pace(600, 600))


def asked(number: int = 1, chat: int = 8, text: str = "hello", **fields: Any) -> Message:
    kind = ChatType.PRIVATE if chat > 0 else ChatType.SUPERGROUP
    return Message(ACCOUNT, Address(chat), kind, number, Sender(8, "Ada"), text, **fields)


@pytest.mark.parametrize(("state", "to"), list(itertools.product(State, State)))
async def test_the_database_lets_a_turn_move_as_is_legal_and_no_other_way(
    store: Store, state: State, to: State
) -> None:
    """F4."""
    await store.accept(asked(), QUEUED)
    await store.set(f"UPDATE turns SET state = '{state}'")  # noqa: S608
    moved = await store.database.write(lambda tx: rows.move(tx, to, "id = 1", now=1.0))
    assert bool(moved) == (state in LEGAL[to])
    assert store.rows("SELECT state FROM turns") == [to if moved else state]


def test_what_has_ended_stays_ended() -> None:
    """F4."""
    ways = {(source, to) for to, sources in LEGAL.items() for source in sources}
    assert {to for source, to in ways if source in {State.DONE, State.CANCELLED}} == set()
    assert {to for source, to in ways if source is State.FAILED} == {State.WAITING, State.ANSWERING}
    assert all(source is not to for source, to in ways)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE turns SET state = 'sleeping'",
        "UPDATE turns SET state = 'running'",
        "UPDATE turns SET history_id = 1",
        "DELETE FROM chat_history",
        "INSERT INTO parts (turn_id, lane, kind, body, random_id, create_time) VALUES (99, '', 'text', '', 1, 0)",
        "INSERT INTO parts (turn_id, lane, kind, body, random_id, create_time) VALUES (1, '', 'song', '', 1, 0)",
        "INSERT INTO checkpoints (turn_id, step, data, usage) VALUES (99, 1, '', '')",
    ],
)
async def test_the_database_itself_refuses_what_must_not_be(store: Store, statement: str) -> None:
    """F28, F75."""
    for number in (1, 2):
        await store.accept(asked(number), QUEUED)
    before = store.dump()
    with pytest.raises(REFUSED):
        await store.set(statement)
    assert store.dump() == before


WISH = Need(Amount(1, 1), (Limit(Scope.TOTAL, Window.DAY, Unit.USD, 1),))

Act = Callable[[Store, Turn], Awaitable[Any]]

WRITES: dict[str, Act] = {
    "checkpoint": lambda store, turn: store.add_checkpoint(turn, Checkpoint(1, b"x", Usage())),
    "checkpoint and reserve": lambda store, turn: store.add_checkpoint(turn, Checkpoint(1, b"x", Usage()), WISH),
    "reserve": lambda store, turn: store.reserve(turn, WISH),
    "tell": lambda store, turn: store.tell(turn, Draft("wait")),
    "note a failure": lambda store, turn: store.note_failure(turn),
    "finish": lambda store, turn: store.finish(turn, SAID, Usage()),
    "fail": lambda store, turn: store.fail(turn, Draft("sorry"), "X", "y"),
    "preview": lambda store, turn: store.add_preview(turn, Draft("o")),
    "react": lambda store, turn: store.react(turn, "👍", by_agent=True),
    "identify": lambda store, turn: store.identify(turn, BOB),
    "drop the text": lambda store, turn: store.drop_text(turn),
    "forget": lambda store, turn: store.forget(turn),
}


@pytest.mark.parametrize("loss", ["claimed again", "handed over", "cancelled", "edited", "ended"])
@pytest.mark.parametrize("write", WRITES)
async def test_a_runner_that_lost_its_turn_writes_nothing(store: Store, write: str, loss: str) -> None:
    """F7."""
    await store.accept(asked(), QUEUED)
    turn = await store.claimed()
    if loss in {"claimed again", "handed over"}:
        await store.release(turn)
    if loss == "claimed again":
        await store.claimed()
    if loss == "cancelled":
        await store.delete(ACCOUNT, 8, [1])
    if loss == "edited":
        await store.edit(asked(text="other", version=2))
    if loss == "ended":
        await store.finish(turn, SAID, Usage())
    before = store.dump()
    with pytest.raises(LostOwnership):
        await WRITES[write](store, turn)
    await store.release(turn)
    assert store.dump() == before


async def test_a_turn_that_is_offered_to_many_is_taken_by_one_and_answered_once(store: Store) -> None:
    """F14."""
    await store.accept(asked(), QUEUED)
    claims = await asyncio.gather(*(store.claim(None, 10) for _ in range(20)))
    (turn,) = [turn for claim in claims for turn in claim]
    answers = (store.finish(turn, [Draft(f"answer {number}")], Usage()) for number in range(20))
    outcomes = await asyncio.gather(*answers, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes].count(LostOwnership) == 19
    assert len(store.rows("SELECT id FROM parts WHERE kind = 'text'")) == 1


async def test_turns_are_claimed_oldest_first_one_a_lane(store: Store) -> None:
    """F7."""
    for number, chat in [(5, 1), (3, 2), (4, 2), (9, 3), (1, 3)]:
        store.clock.now += 1
        await store.accept(asked(number, chat), QUEUED)
    assert [turn.message.message_id for turn in await store.claim(None, 2)] == [5, 3]
    (turn,) = await store.claim(["telegram:42:1:0", "telegram:42:2:0", "telegram:42:3:0"], 10)
    assert turn.message.message_id == 1
    assert await store.claim(None, 10) == []
    await store.finish(turn, SAID, Usage())
    assert [turn.message.message_id for turn in await store.claim(None, 10)] == [9]


async def test_of_more_claimable_lanes_than_wanted_the_rest_stays(store: Store) -> None:
    for chat in range(1, 6):
        await store.accept(asked(chat=chat), QUEUED)
    lanes = [f"telegram:42:{chat}:0" for chat in range(1, 6)]
    assert len(await store.claim(lanes, 3)) == 3
    assert len(await store.claim(lanes, 3)) == 2


async def _later(store: Store, seconds: float) -> tuple[float, int, float]:
    """The oldest claimable turn's age, how many could begin, and the age of what is not delivered, a while later."""
    store.clock.now += seconds
    queue = await store.queue()
    return queue.oldest_waiting, queue.claimable, queue.oldest_undelivered


async def test_what_waits_behind_a_turn_of_its_lane_ages_from_the_end_of_that_turn(store: Store) -> None:
    """F95. Else a chat that floods would look, between two of its turns, as if nobody had worked for a long time."""
    for number in range(1, 4):
        await store.accept(asked(number), QUEUED)
    assert await _later(store, 2.0) == (2.0, 1, 0.0)
    turn = await store.claimed()
    assert await _later(store, 100.0) == (0.0, 0, 0.0)
    await store.finish(turn, SAID, Usage())
    assert await _later(store, 3.0) == (3.0, 1, 3.0)
    await store.accept(asked(1, chat=9), QUEUED)
    assert await _later(store, 1.0) == (4.0, 2, 4.0)
    first, second = await store.claim(None, 2)
    store.clock.now += 50.0
    await store.release(first)
    assert await _later(store, 0.0) == (50.0, 1, 54.0)
    await store.fail(second, Draft("sorry"), "X", "y")
    store.clock.now += 1_000.0
    await store.replay(second.turn_id)
    assert (await _later(store, 0.0))[1] == 2
    (again,) = await store.claim([second.message.lane], 1)
    assert again.turn_id == second.turn_id


@pytest.mark.sqlite
async def test_what_waits_is_found_without_a_look_at_what_has_begun(store: Store) -> None:
    """However long a lane is."""
    one_lane = f"SELECT t.id FROM turns t WHERE t.lane = 'x' AND {turns._CLAIMABLE}"  # noqa: S608
    for query in (turns._FAIR.format(lanes=""), one_lane):
        explained = f"EXPLAIN QUERY PLAN {query}"
        steps = await store.database.read(lambda tx, it=explained: tx.all(it, now=0.0, limit=1))  # type: ignore[misc]
        used = " ".join(step["detail"] for step in steps)
        assert "turns_waiting" in used
        assert "turns_begun" not in used


async def test_who_is_too_fast_waits_and_who_comes_next_does_not(tmp_path: Path) -> None:
    async with Database.open(place(tmp_path, "pipeline"), migrations) as database:
        store = Store(database, tmp_path, Pace(60, 1))
        for number in (1, 2, 3):
            await store.accept(asked(number, chat=number), QUEUED)
        await store.accept(asked(4, chat=4), Admission(Disposition.QUEUED, BOB))
        times = []
        for _ in range(3):
            times.append([turn.message.message_id for turn in await store.claim(None, 10)])
            store.clock.now += 1
        assert times == [[1, 4], [2], [3]]
        assert store.rows("SELECT COUNT(*) FROM parts WHERE kind = 'notice'") == [1]


async def test_an_edit_of_a_turn_that_was_handed_over_voids_what_was_thought(store: Store) -> None:
    """F38."""
    await store.accept(asked(text="old"), QUEUED)
    turn = await store.claimed()
    await store.add_checkpoint(turn, Checkpoint(1, b"about the old text", Usage()))
    await store.release(turn)
    await store.edit(asked(text="new", version=2))
    turn = await store.claimed()
    assert turn.message.text == "new"
    assert await store.checkpoints(turn) == ()


@pytest.mark.sqlite
async def test_after_a_kill_everything_that_ran_waits_again_with_its_checkpoints(store: Store) -> None:
    """F3, F15."""
    for chat in (1, 2):
        await store.accept(asked(chat=chat), QUEUED)
    turns = await store.claim(None, 10)
    await store.add_checkpoint(turns[0], Checkpoint(1, b"x", Usage(requests=1)))
    assert await store.reclaim() == 2
    assert await store.reclaim() == 0
    again = await store.claim(None, 10)
    assert [(turn.fence, turn.attempts) for turn in again] == [(2, 0)] * 2
    assert await store.checkpoints(again[0]) == (Checkpoint(1, b"x", Usage(requests=1)),)


@pytest.mark.sqlite
async def test_deleting_many_messages_of_a_long_history_is_quick(store: Store) -> None:
    await store.set(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)"
        " INSERT INTO chat_history (channel, account_id, account_name, chat_id, topic_id, chat_type, chat_title,"
        " message_id, version, order_key, direction, disposition, user_id, user_name, message_type, message, entities,"
        " reply_to, timestamp) SELECT 'telegram', 42, '', i, 0, 'private', '', i, 1, i, 'in', 'context', 1, '', 'text',"
        " 'x', '[]', 0, 0 FROM n"
    )
    plan = await store.database.read(
        lambda tx: [
            row["detail"]
            for row in tx.all(
                "EXPLAIN QUERY PLAN UPDATE chat_history SET deleted = 1 WHERE channel = 'telegram' AND account_id = 42"
                " AND chat_type != 'supergroup' AND message_id = 7"
            )
        ]
    )
    assert any("message_id=?" in line for line in plan), plan
    assert await store.delete(ACCOUNT, 0, range(1, 101)) == 100


class Crash(Exception):
    """The process ends here."""


@contextmanager
def crash_at(statement: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """End the transaction before its nth statement."""
    left = statement

    def count(name: str) -> Callable[..., Any]:
        real = getattr(Transaction, name)

        def run(self: Transaction, sql: str, **parameters: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                raise Crash
            return real(self, sql, **parameters)

        return run

    with monkeypatch.context() as patch:
        for name in ("all", "one", "run"):  # `value` is `one`
            patch.setattr(Transaction, name, count(name))
        yield


async def with_turn(store: Store, act: Act) -> None:
    await act(store, await store.claimed())


CHANGES: dict[str, Act] = {
    **WRITES,
    "accept": lambda store, _: store.accept(asked(2), Admission(Disposition.QUEUED)),
    "accept one too many": lambda store, _: store.accept(asked(2), QUEUED),
    "pair": lambda store, _: store.accept(asked(4), Admission(Disposition.PAIRING, at_once=Draft("code"))),
    "edit": lambda store, _: store.edit(asked(text="other", version=2)),
    "stop": lambda store, _: store.stop(asked(5, text="/stop"), ADA),
    "delete": lambda store, _: store.delete(ACCOUNT, 0, [1]),
    "release": lambda store, turn: store.release(turn),
    "reclaim": lambda store, _: store.reclaim(),
    "claim": lambda store, _: store.claim(None, 10),
    "receive the last part": lambda store, _: store.deliver(2, 1002, ""),
    "refuse the last part": lambda store, _: store.deliver(2, 0, "NO"),
    "replay": lambda store, _: store.replay(3),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_crash_between_any_two_statements_leaves_all_or_nothing(
    tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F28."""
    async with Database.open(place(tmp_path, "pipeline"), migrations) as database:
        store = Store(database, tmp_path, Pace(600, 600))
        await store.accept(asked(1, chat=77), QUEUED)
        await store.finish(await store.claimed(), SAID, Usage())
        await store.deliver(1, 1001, "")
        await store.accept(asked(1, chat=-78), QUEUED)
        turn = await store.claimed()
        await store.add_preview(turn, Draft("o"))
        await store.react(turn, "👀", by_agent=False)
        await store.accept(asked(1, chat=79), QUEUED)
        await store.fail(await store.claimed(), Draft("sorry"), "X", "y")
        await store.accept(asked(1), QUEUED)
        turn = await store.claimed()
        await store.add_checkpoint(turn, Checkpoint(7, b"x", Usage()))
        await store.accept(asked(1, chat=80), Admission(Disposition.QUEUED, BOB))
        await store.set("UPDATE rate SET arrival = 9999")
        await store.set("UPDATE turns SET lease_until = 0")
        before, count = store.dump(), 0
        while store.dump() == before:
            count += 1
            with crash_at(count, monkeypatch):
                try:
                    await CHANGES[change](store, turn)
                except Crash:
                    assert store.dump() == before
                else:
                    break
        assert count > 1
        assert store.dump() != before
        assert broken_rules(tmp_path) == {}


class Life:
    """Random things that happen to a store."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store, self.dice = store, random.Random(seed)
        self.held: list[Turn] = []
        often, sometimes, seldom = 4, 2, 1
        self._moves = [
            *[self._accept] * often,
            *[self._claim] * often,
            *[self._write] * often,
            *[self._deliver] * sometimes,
            *[self._edit, self._delete, self._stop, self._replay, self._wait, self._reclaim] * seldom,
        ]

    async def happens(self) -> None:
        with suppress(ValorError):
            await self.dice.choice(self._moves)()

    def _message(self) -> Message:
        chat, text = self.dice.choice([1, -2]), self.dice.choice("abc")
        return asked(self.dice.randrange(1, 12), chat, text=text, version=self.dice.randrange(9))

    async def _accept(self) -> None:
        person = Person() if self.dice.random() < 0.2 else ADA
        await self.store.accept(self._message(), Admission(Disposition.QUEUED, person))

    async def _claim(self) -> None:
        self.held += await self.store.claim(None, self.dice.randrange(3))

    async def _write(self) -> None:
        if self.held:
            writes: list[Act] = [*WRITES.values(), lambda store, turn: store.release(turn)]
            await self.dice.choice(writes)(self.store, self.dice.choice(self.held))

    async def _deliver(self) -> None:
        for part in await self.store.due(ACCOUNT, None):
            refused = self.dice.random() < 0.2
            await self.store.deliver(part.part_id, 0 if refused else 10_000 + part.part_id, "NO" if refused else "")

    async def _edit(self) -> None:
        await self.store.edit(self._message())

    async def _delete(self) -> None:
        await self.store.delete(ACCOUNT, self.dice.choice([0, -2]), [self.dice.randrange(1, 12)])

    async def _stop(self) -> None:
        await self.store.stop(replace(self._message(), message_id=self.dice.randrange(100, 110)), ADA)

    async def _replay(self) -> None:
        await self.store.replay(self.dice.randrange(1, 20))

    async def _wait(self) -> None:
        self.store.clock.now += self.dice.random() * 10

    async def _reclaim(self) -> None:
        await self.store.reclaim()


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_happens_in_whatever_order_no_row_loses_its_parent(tmp_path: Path, seed: int) -> None:
    """F28, F75."""
    async with Database.open(place(tmp_path, "pipeline"), migrations) as database:
        life = Life(Store(database, tmp_path, Pace(60, 2)), seed)
        for number in range(1500):
            await life.happens()
            if number % 50 == 49:
                assert broken_rules(tmp_path) == {}
        states = set(life.store.rows("SELECT DISTINCT state FROM turns"))
        assert states >= {"done", "failed", "cancelled"}
