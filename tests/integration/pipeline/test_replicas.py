"""Several pipelines on one database: they share the queue, take over from each other, and answer nothing twice."""

import asyncio
import random
import re
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from services.chassis import client
from services.chassis.database import Database
from services.chassis.errors import LostOwnership, ValorError
from services.pipeline import migrations
from services.pipeline.adapters.store import SqlStore
from services.pipeline.gate import Pace
from services.pipeline.model import Checkpoint, Draft, Turn, Usage
from tests.integration.pipeline.house import ADA, GROUP, MEMBERS, House, Pipeline, broken_rules, message, until
from tests.integration.pipeline.processes import PipelineProcess
from tests.integration.pipeline.test_store import ACCOUNT, QUEUED, asked
from tests.support.process import CREDENTIAL
from tests.support.scripted_agent import Act, hang
from tests.support.store import place, rows
from valor.pipeline.v1 import pipeline_pb2 as pb

pytestmark = pytest.mark.postgres

LEASE = 1.0


@asynccontextmanager
async def replica(house: House) -> AsyncIterator[tuple[PipelineProcess, Pipeline]]:
    """Another pipeline, in a process of its own, and the calls to it."""
    process = PipelineProcess(house)
    async with client.connect(process.address, CREDENTIAL) as caller:
        pipeline = Pipeline(caller)
        try:
            await process.start(pipeline)
            yield process, pipeline
        finally:
            if process.process is not None and process.process.returncode is None:
                await process.kill()


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[SqlStore, SqlStore]]:
    async with AsyncExitStack() as stack:
        one, other = [
            SqlStore(
                await stack.enter_async_context(Database.open(place(tmp_path, "pipeline"), migrations)),
                Pace(6000, 6000),
                lease=0.3,
            )
            for _ in range(2)
        ]
        yield one, other


async def lapsed(store: SqlStore) -> None:
    """Wait until somebody's lease is over."""
    async with asyncio.timeout(60):
        while not await store.reclaim():
            await asyncio.sleep(0.01)


async def test_no_turn_is_claimed_twice_and_no_lane_runs_two(pair: tuple[SqlStore, SqlStore]) -> None:
    """F3, F7."""
    for number in range(1, 6):
        for chat in range(1, 11):
            await pair[number % 2].accept(asked(number, chat), QUEUED)
    order: dict[int, list[int]] = {chat: [] for chat in range(1, 11)}

    async def work(store: SqlStore) -> None:
        while any(len(done) < 5 for done in order.values()):
            for turn in await store.claim(None, 3):
                order[turn.message.address.chat_id].append(turn.message.message_id)
                await store.finish(turn, [Draft("x")], Usage())

    async with asyncio.timeout(60):
        await asyncio.gather(*[work(store) for store in pair for _ in range(2)])
    assert order == {chat: [1, 2, 3, 4, 5] for chat in range(1, 11)}


async def test_a_run_whose_lease_is_over_is_taken_over_with_its_checkpoints(pair: tuple[SqlStore, SqlStore]) -> None:
    """F3, F15. The paused owner that wakes up writes nothing any more."""
    one, other = pair
    await one.accept(asked(), QUEUED)
    (turn,) = await one.claim(None, 1)
    await one.add_checkpoint(turn, Checkpoint(1, b"x", Usage()))
    assert await other.reclaim() == 0
    await lapsed(other)
    (taken,) = await other.claim(None, 1)
    assert (taken.turn_id, taken.fence) == (turn.turn_id, turn.fence + 1)
    assert await other.checkpoints(taken) == (Checkpoint(1, b"x", Usage()),)
    for write in (
        one.add_checkpoint(turn, Checkpoint(2, b"y", Usage())),
        one.finish(turn, [Draft("x")], Usage()),
        one.fail(turn, Draft("x"), "X", "x"),
        one.react(turn, "👍", by_agent=True),
    ):
        with pytest.raises(LostOwnership):
            await write
    assert await one.keep({turn.run}) == set()
    assert await other.keep({taken.run}) == {taken.run}


async def test_a_run_that_shows_life_is_not_taken_over(pair: tuple[SqlStore, SqlStore]) -> None:
    """F67."""
    one, other = pair
    await one.accept(asked(), QUEUED)
    (turn,) = await one.claim(None, 1)
    until_later = time.monotonic() + 1.0
    while time.monotonic() < until_later:
        assert await one.keep({turn.run}) == {turn.run}
        assert await other.reclaim() == 0
        await asyncio.sleep(0.05)


async def test_a_claim_whose_answer_was_lost_is_taken_over(pair: tuple[SqlStore, SqlStore]) -> None:
    """F7. Its process lives, and runs something else: it does not know that it has this turn too."""
    one, other = pair
    for chat in (1, 2):
        await one.accept(asked(chat=chat), QUEUED)
    heard, lost = await one.claim(None, 2)
    async with asyncio.timeout(60):
        while not await other.reclaim():
            assert await one.keep({heard.run}) == {heard.run}
            await asyncio.sleep(0.01)
    (taken,) = await other.claim(None, 2)
    assert taken.turn_id == lost.turn_id


async def test_a_checkpoint_and_an_edit_at_the_same_moment_leave_nothing_of_the_old_question(
    pair: tuple[SqlStore, SqlStore],
) -> None:
    """F38."""
    for number in range(1, 31):
        message = asked(number, chat=number)
        await pair[0].accept(message, QUEUED)
        (turn,) = await pair[0].claim(None, 1)

        async def keep(turn: Turn = turn) -> None:
            with suppress(LostOwnership):
                await pair[0].add_checkpoint(turn, Checkpoint(1, b"old", Usage()))

        await asyncio.gather(keep(), pair[1].edit(asked(number, chat=number, text="new", version=2)))
        (again,) = await pair[1].claim(None, 1)
        assert again.message.text == "new"
        assert await pair[1].checkpoints(again) == ()


async def test_two_parts_received_at_two_replicas_at_once_end_the_turn(
    pair: tuple[SqlStore, SqlStore], tmp_path: Path
) -> None:
    for number in range(1, 21):
        await pair[0].accept(asked(number, chat=number), QUEUED)
        (turn,) = await pair[0].claim(None, 1)
        await pair[0].finish(turn, [Draft("one"), Draft("two")], Usage())
        query = "SELECT id FROM parts WHERE turn_id = ? ORDER BY id"
        first, second = rows(place(tmp_path, "pipeline"), query, turn.turn_id)
        await asyncio.gather(pair[0].deliver(first, 1000 + first, ""), pair[1].deliver(second, 1000 + second, ""))
        view = await pair[0].show(turn.turn_id)
        assert view is not None
        assert view.state == "done"


async def test_the_same_message_at_two_replicas_is_one_turn(pair: tuple[SqlStore, SqlStore]) -> None:
    """F10."""
    for number in range(1, 21):
        outcomes = await asyncio.gather(*[store.accept(asked(number), QUEUED) for store in pair])
        assert outcomes[0] == outcomes[1]


async def test_stop_and_delete_reach_what_runs_elsewhere(pair: tuple[SqlStore, SqlStore]) -> None:
    await pair[0].accept(asked(), QUEUED)
    (turn,) = await pair[0].claim(None, 1)
    assert await pair[1].delete(ACCOUNT, 8, [1]) == 1
    with pytest.raises(LostOwnership):
        await pair[0].finish(turn, [Draft("x")], Usage())


async def test_replicas_share_the_work_and_keep_the_order_of_every_chat(house: House) -> None:
    """F3, F28. What one replica answers is sent through the stream at another."""
    async with replica(house) as (other, _):
        house.agent.script = echo
        for number in range(1, 6):
            for chat in MEMBERS[:10]:
                await house.pipeline.submit(message(f"{number}", chat=chat, number=number))
        await asyncio.gather(*(house.pipeline.until(5, "done", chat) for chat in MEMBERS[:10]))
        for chat in MEMBERS[:10]:
            assert house.channel.texts(chat) == [f"<{number}>" for number in range(1, 6)]
        assert other.errors == ""
    assert len(house.rows("SELECT DISTINCT owner FROM turns")) == 2


class Anywhere(Pipeline):
    """Replicas behind a router that has no rule: every call goes to one of them."""

    def __init__(self, *replicas: Pipeline) -> None:
        super().__init__(replicas[0].caller)
        self._replicas, self._dice = replicas, random.Random(77)

    async def call(self, name: str, request: Any) -> Any:
        return await self._dice.choice(self._replicas).call(name, request)

    def follow(self) -> Any:
        return self._dice.choice(self._replicas).follow()


async def test_a_conversation_goes_on_whichever_replica_each_call_reaches(house: House) -> None:
    """F77. What it knows, its settings, its limits and its stop button are in no process."""
    async with replica(house) as (_, other):
        house.pipeline = house.channel.pipeline = Anywhere(house.pipeline, other)
        for number in range(1, 21):
            await house.ask(f"{number}", number=number)
            assert house.agent.acts[-1].history[-2:] == ([f"{number - 1}", f"answer to {number - 1}"] * (number > 1))
        await house.ask("/steer on", number=21)
        house.agent.on("edit me", hang)
        house.agent.on("stop me", hang)
        for number in range(22, 32, 2):
            request = message("edit me", number=number)
            running = len(house.agent.acts)
            await house.pipeline.submit(request)
            await until(lambda running=running: len(house.agent.acts) > running)  # type: ignore[misc]
            await house.pipeline.edit(request, "edited")
            await house.pipeline.until(number, "done")
            assert house.channel.texts()[-1] == "answer to edited"
            turn_id = (await house.pipeline.submit(message("stop me", number=number + 1))).turn_id
            await until(lambda: [act.question for act in house.agent.running()] == ["stop me"])
            assert await house.pipeline.stop(turn_id)
            await until(lambda: not house.agent.running())
    assert house.channel.blind == []


async def echo(act: Act) -> str:
    await asyncio.sleep(0.02)  # a model takes its time
    return f"<{act.question}>"


async def test_the_turns_of_a_killed_replica_go_on_within_the_lease(house: House) -> None:
    """F3, F15. Finished steps are not made again."""
    await house.service.stop()
    second = asyncio.Event()

    async def two_steps(act: Act) -> str:
        if not act.start.checkpoints:
            await act.step(1, b"first")
            await second.wait()
        return f"after {len(act.start.checkpoints)}"

    house.agent.script = two_steps
    async with replica(house) as (killed, pipeline):
        for chat in MEMBERS[:5]:
            await pipeline.submit(message(chat=chat))
        await until(lambda: len(house.rows("SELECT turn_id FROM checkpoints")) == 5)
        await house.service.start()
        await killed.kill()
        died = time.monotonic()
        await asyncio.gather(*(house.pipeline.until(1, "done", chat) for chat in MEMBERS[:5]))
        assert time.monotonic() - died < LEASE + 3  # the survivor looks every half second
    assert [house.channel.texts(chat) for chat in MEMBERS[:5]] == [["after 1"]] * 5


async def test_a_paused_replica_that_wakes_up_stops_what_it_lost(house: House) -> None:
    """F7, F14. Two agents work on the same turn at the same time, and one of them answers."""
    go = asyncio.Event()

    async def second(act: Act) -> str:
        await go.wait()
        return "the second"

    house.agent.on("who?", hang, second)
    await house.service.stop()
    async with replica(house) as (paused, pipeline):
        await pipeline.submit(message("who?"))
        await until(lambda: len(house.agent.running()) == 1)
        assert paused.process is not None
        paused.process.send_signal(signal.SIGSTOP)
        await house.service.start()
        await until(lambda: len(house.agent.running()) == 2)
        paused.process.send_signal(signal.SIGCONT)
        await until(lambda: house.agent.acts[0].ending == "cancelled")
        go.set()
        await house.pipeline.until(1, "done")
    assert house.channel.texts() == ["the second"]
    assert broken_rules(house.data) == {}


async def test_what_a_turn_shows_reaches_the_replica_that_is_followed(house: House) -> None:
    go = asyncio.Event()

    async def speak(act: Act) -> str:
        for number in range(1000):
            if go.is_set():
                break
            await act.say(f"so far {number} ")
            await asyncio.sleep(0.02)  # as a model streams
        return "done"

    house.agent.script = speak
    await house.service.stop()
    async with replica(house) as (_, pipeline):
        await pipeline.submit(message("speak"))
        await until(house.agent.running)
        await house.service.start()
        await until(lambda: len([event for event in house.channel.events if event.HasField("draft")]) > 1)
        go.set()
        await house.pipeline.until(1, "done")
    assert house.channel.texts() == ["done"]


async def insist(house: House, request: pb.SubmitMessageRequest) -> None:
    """Submit as a channel does: again until it is kept."""
    while True:
        try:
            await house.pipeline.submit(request)
        except ValorError:
            await asyncio.sleep(0.02)
        else:
            break


async def test_a_database_that_drops_all_connections_costs_nothing(house: House) -> None:
    """F37."""
    chats = [*MEMBERS[:5], GROUP]
    async with replica(house) as _:
        house.agent.script = echo
        kick = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"

        async def write(chat: int) -> None:
            for number in range(1, 11):
                await insist(house, message(f"@valor_bot {number}", chat=chat, number=number))

        writing = asyncio.gather(*(write(chat) for chat in chats))
        for _ in range(8):
            await asyncio.sleep(0.05)
            house.rows(f"{kick} AND pid != pg_backend_pid()")
        await writing
        await asyncio.gather(*(house.pipeline.until(10, "done", chat) for chat in chats))
    for chat in chats:
        words = " ".join(house.channel.texts(chat))
        assert re.findall(r"\d+", words) == [str(number) for number in range(1, 11)]
    assert house.channel.blind == []


async def test_a_version_without_leases_works_beside_one_with_them(house: House) -> None:
    """The columns that it does not know have defaults; what it runs is not its own for long, which costs time alone."""
    house.rows(
        "INSERT INTO chat_history (channel, account_id, account_name, chat_id, topic_id, chat_type, chat_title,"
        " message_id, version, order_key, direction, disposition, user_id, user_name, message_type, message, entities,"
        " reply_to, timestamp) VALUES ('telegram', 42, 'valor_bot', 8, 0, 'private', '', 1, 1, 1, 'in', 'queued', 8,"
        " 'Ada', 'text', 'old', '[]', 0, 0)"
    )
    house.rows(
        "INSERT INTO turns (history_id, lane, order_key, state, person_id, role, accept_time)"
        " SELECT id, 'telegram:42:8:0', 1, 'waiting', '1', 'member', 0 FROM chat_history"
    )
    await house.pipeline.until(1, "done", ADA)
    assert house.channel.texts() == ["answer to old"]
