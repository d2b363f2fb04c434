"""Several keepers on one database: what is due is done once, in its order, and whoever dies is followed by another."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.chassis.errors import LostOwnership, WrongState
from services.pipeline import keep, schedule
from services.pipeline.model import Draft, Turn, Usage
from services.pipeline.promises import Wish
from tests.integration.pipeline.house import MEMBERS, House, broken_rules, message, until
from tests.integration.pipeline.test_promise_books import DAY, START, Books
from tests.integration.pipeline.test_replicas import replica
from tests.support.scripted_agent import Act

pytestmark = pytest.mark.postgres

ROUNDS = 10
EVERY_MORNING = "0 9 * * *"


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[Books, Books]]:
    one, other = [await Books(tmp_path).open() for _ in range(2)]
    yield one, other
    for books in (one, other):
        await books.close()
    assert broken_rules(tmp_path) == {}


async def at_once(*calls: Coroutine[Any, Any, Any]) -> list[Any]:
    """What each comes to; a run that was lost to the others comes to None."""

    async def tried(call: Coroutine[Any, Any, Any]) -> Any:
        with suppress(LostOwnership):
            return await call

    return await asyncio.gather(*map(tried, calls))


async def begun(books: Books, wish: Wish) -> Turn:
    """A promise is made, and its turn is worked on."""
    await books.make(wish)
    (turn,) = await books.look()
    return turn


async def test_every_due_time_runs_once_and_one_after_another_in_each_chat(pair: tuple[Books, Books]) -> None:
    """F18."""
    one, _ = pair
    for chat in range(1, 9):
        await one.make(*[Wish(f"{10 - rank}", START, priority=rank) for rank in (3, 10, 7)], chat=chat)
    order: dict[int, list[str]] = {chat: [] for chat in range(1, 9)}

    async def work(books: Books) -> None:
        while any(len(done) < 3 for done in order.values()):
            for turn in await books.look():
                order[turn.message.address.chat_id].append((await books.store.promised(turn)).message.text)
                await books.finish(turn)
            running = "SELECT COUNT(*) FROM promises WHERE state = 'running' GROUP BY lane"
            assert set(books.rows(running)) <= {1}

    async with asyncio.timeout(60):
        await asyncio.gather(*map(work, pair))
    assert order == {chat: ["0", "3", "7"] for chat in range(1, 9)}


async def test_a_limit_counts_what_is_promised_elsewhere_at_the_same_moment(
    pair: tuple[Books, Books], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.pipeline.adapters.store.promises.MOST", 5)
    turns = [await pair[0].ask(chat=chat) for chat in range(1, 9)]

    async def make(books: Books, turn: Turn) -> int:
        with suppress(WrongState):
            return (await books.store.make_promise(turn, 1, 1, Wish("x", START + DAY))).number
        return 0

    made = await asyncio.gather(*[make(pair[number % 2], turn) for number, turn in enumerate(turns)])
    assert sorted(made) == [0, 0, 0, 1, 2, 3, 4, 5]


async def test_the_same_call_at_two_replicas_promises_once(pair: tuple[Books, Books]) -> None:
    """F10."""
    turn = await pair[0].ask()
    for index in range(ROUNDS):
        calls = [books.store.make_promise(turn, 1, index, Wish("x", START + DAY)) for books in pair]
        made = await asyncio.gather(*calls)
        assert made[0] == made[1]
    assert len(pair[0].states()) == ROUNDS


async def test_what_is_cancelled_while_it_begins_does_not_run(pair: tuple[Books, Books]) -> None:
    one, other = pair
    for _ in range(ROUNDS):
        (promise,) = await one.make(Wish("x", START))
        turn = await one.ask("/cancel", chat=9)
        await at_once(one.keeper.look(), other.store.cancel_promise(turn, promise.number, None))
        assert set(one.states()) == {"cancelled"}
        await one.finish(turn)
        assert await other.look() == []


async def test_what_is_cancelled_while_its_run_ends_does_not_come_again(pair: tuple[Books, Books]) -> None:
    one, other = pair
    for _ in range(ROUNDS):
        await one.finish(await begun(one, Wish("x", START, EVERY_MORNING)))
        turn = await one.ask("/cancel", chat=9)
        number = one.rows("SELECT MAX(number) FROM promises")[0]
        await at_once(one.keeper.look(), other.store.cancel_promise(turn, number, None))
        await one.finish(turn)
        assert set(one.states()) == {"cancelled"}


async def test_a_new_time_zone_counts_for_what_ends_at_the_same_moment(pair: tuple[Books, Books]) -> None:
    one, other = pair
    await one.make(Wish("x", START, EVERY_MORNING))
    for round_, zone in enumerate(["Europe/Berlin", "Asia/Tokyo"] * (ROUNDS // 2)):
        (one.now,) = one.rows("SELECT due_time FROM promises")
        other.now = one.now
        (turn,) = await one.look()
        await one.finish(turn)
        await at_once(*[one.keeper.look(), other.store.set_zone("1", zone)][:: 1 if round_ % 4 < 2 else -1])
        await one.keeper.look()
        assert one.rows("SELECT due_time FROM promises") == [schedule.next_run(EVERY_MORNING, zone, one.now)]


async def test_a_turn_that_fails_while_it_promises_leaves_no_promise_behind(pair: tuple[Books, Books]) -> None:
    one, other = pair
    for _ in range(ROUNDS):
        turn = await one.ask()
        promising = one.store.make_promise(turn, 1, 1, Wish("x", START + DAY))
        await at_once(promising, other.store.fail(turn, Draft("no"), "STEP_LIMIT", ""))
        await one.deliver()
        assert set(one.states()) <= {"cancelled"}


async def test_an_edit_while_the_answer_is_written_drops_what_was_promised_or_comes_too_late(
    pair: tuple[Books, Books],
) -> None:
    one, other = pair
    for _ in range(ROUNDS):
        turn = await one.ask()
        await one.store.make_promise(turn, 1, 1, Wish("x", START))
        reworded = replace(turn.message, text="else", version=2)
        await at_once(one.finish(turn), other.store.edit(reworded), one.keeper.look())
        dropped = one.rows("SELECT state FROM promises ORDER BY id DESC LIMIT 1") == ["cancelled"]
        begun = await one.look()
        assert [bool(each.message.promise_id) for each in begun] == [not dropped]
        await one.finish(begun[0])
        await one.keeper.look()
        assert set(one.states()) <= {"cancelled", "kept"}


async def test_what_two_keepers_end_is_said_once(pair: tuple[Books, Books]) -> None:
    """F97."""
    one, other = pair
    await one.make(Wish("x", START + 300, "*/5 * * * *"))
    for _ in range(5):
        (one.now,) = one.rows("SELECT due_time FROM promises")
        other.now = one.now
        (turn,) = await one.look()
        await one.fail(turn)
        await asyncio.gather(one.keeper.look(), other.keeper.look())
    assert one.states() == ["failed"]
    await one.deliver()
    assert one.rows("SELECT COUNT(*) FROM parts WHERE body LIKE '%gave it up%'") == [1]


async def test_a_run_that_another_replica_took_over_is_kept_once(pair: tuple[Books, Books]) -> None:
    """F3, F15. The paused owner that wakes up writes nothing any more."""
    one, other = pair
    turn = await begun(one, Wish("x", START))
    assert await other.store.reclaim() == 1
    (taken,) = await other.look()
    assert (taken.turn_id, taken.fence) == (turn.turn_id, turn.fence + 1)
    with pytest.raises(LostOwnership):
        await one.store.finish(turn, [Draft("old")], Usage())
    await other.finish(taken)
    await asyncio.gather(one.keeper.look(), other.keeper.look())
    assert one.states() == ["kept"]


@pytest.fixture
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keep, "POLL", 0.02)


@pytest.mark.usefixtures("_often")
async def test_replicas_post_each_reminder_once(house: House) -> None:
    """F18."""
    async with replica(house) as (other, _):
        for number in range(1, 4):
            for chat in MEMBERS[:10]:
                await house.pipeline.submit(message(f"/remind in 1s {number}", chat=chat, number=number))
        await until(lambda: house.rows("SELECT DISTINCT state FROM promises") == ["kept"])
        assert other.errors == ""
    for chat in MEMBERS[:10]:
        reminded = [text for text in house.channel.texts(chat) if text.startswith("Reminder")]
        assert sorted(reminded) == [f"Reminder: {number}" for number in range(1, 4)]
    assert house.rows("SELECT COUNT(*) FROM promise_runs") == [30]


@pytest.mark.usefixtures("_often")
async def test_what_a_killed_replica_was_keeping_is_kept_by_another(house: House) -> None:
    """F3, F15, F18. Finished steps are not made again."""
    await house.service.stop()

    async def dig(act: Act) -> str:
        if not act.start.checkpoints:
            await act.step(1, b"first")
            await asyncio.Event().wait()
        return f"after {len(act.start.checkpoints)}"

    house.agent.on("dig", dig)
    async with replica(house) as (killed, pipeline):
        for chat in MEMBERS[:5]:
            await pipeline.submit(message("/every day at 9:00 dig", chat=chat))
        await until(lambda: house.rows("SELECT COUNT(*) FROM promises") == [5])
        house.rows("UPDATE promises SET due_time = 1")
        await until(lambda: len(house.rows("SELECT turn_id FROM checkpoints")) == 5)
        await house.service.start()
        await killed.kill()
        await until(lambda: house.rows("SELECT DISTINCT state FROM promises") == ["waiting"])
    results = [house.channel.texts(chat)[-1].splitlines()[-1] for chat in MEMBERS[:5]]
    assert results == ["after 1"] * 5
    assert [len(house.channel.texts(chat)) for chat in MEMBERS[:5]] == [2] * 5
