"""A turn while it runs: checkpoints, failures of the model and of the agent, limits, calls back into the chat."""

import asyncio
import gc
import random
from pathlib import Path

import grpc
import pytest

from services.chassis.errors import Exhausted, Internal, InvalidArgument, TimedOut, Unavailable, ValorError, WrongState
from services.pipeline import failures
from services.pipeline.adapters.markdown import MarkdownRenderer
from services.pipeline.adapters.store.turns import TurnTable
from services.pipeline.model import Draft, Turn
from tests.integration.pipeline.house import ADA, GROUP, MEMBERS, House, message, until
from tests.support.scripted_agent import Act, echo, fails, hang
from tests.support.wire import Wire
from valor.pipeline.v1 import pipeline_pb2 as pb

SOON = 0.01


async def test_a_step_is_acknowledged_when_it_is_on_disk(house: House) -> None:
    kept: list[list[bytes]] = []

    async def work(act: Act) -> str:
        for number in (1, 2):
            await act.step(number, b"step %d" % number)
            kept.append(house.rows("SELECT data FROM checkpoints ORDER BY step"))
        return "done"

    house.agent.script = work
    await house.ask("hello")
    assert kept == [[b"step 1"], [b"step 1", b"step 2"]]
    assert house.rows("SELECT data FROM checkpoints") == []


async def test_the_same_step_twice_keeps_the_first(house: House) -> None:
    async def work(act: Act) -> str:
        await act.step(1, b"first")
        await act.step(1, b"second")
        return str(house.rows("SELECT data FROM checkpoints"))

    house.agent.script = work
    await house.ask("hello")
    assert house.channel.texts() == ["[b'first']"]


async def two_steps_then_hang(act: Act) -> None:
    await act.step(1, b"one")
    await act.tool(1, 0, "run_python")
    await act.step(2, b"two")
    await hang(act)


def is_two_steps_in(house: House) -> bool:
    return bool(house.agent.acts) and house.agent.acts[-1].acknowledged == [1, 2]


def assert_resumed(house: House, turn: pb.Turn) -> None:
    assert list(house.agent.acts[-1].start.checkpoints) == [b"one", b"two"]
    assert house.rows("SELECT attempts FROM turns WHERE id = ?", int(turn.turn_id)) == [0]
    assert house.channel.texts() == ["answer to hello"]


async def test_a_turn_goes_on_from_its_checkpoints_when_the_agent_stopped(house: House) -> None:
    house.agent.on("hello", two_steps_then_hang, echo)
    await house.pipeline.submit(message())
    await until(lambda: is_two_steps_in(house))
    await house.agents.restart()
    assert_resumed(house, await house.pipeline.until(1, "done"))


async def test_a_turn_goes_on_from_its_checkpoints_when_the_connection_broke(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.agents.start()
    wire = Wire(house.agents.address)
    async with wire.open() as address:
        house.settings["agent_address"] = address
        async with house.open():
            house.agent.on("hello", two_steps_then_hang, echo)
            await house.pipeline.submit(message())
            await until(lambda: is_two_steps_in(house))
            wire.cut()
            assert_resumed(house, await house.pipeline.until(1, "done"))


async def test_a_turn_goes_on_from_its_checkpoints_when_the_pipeline_restarted(house: House) -> None:
    """F64."""
    house.agent.on("hello", two_steps_then_hang, echo)
    await house.pipeline.submit(message())
    await until(lambda: is_two_steps_in(house))
    await house.service.restart()
    assert_resumed(house, await house.pipeline.until(1, "done"))
    assert house.agent.acts[0].ending == "cancelled"


async def test_connections_that_break_all_the_time_fail_no_turn(tmp_path: Path) -> None:
    """Whatever the pipeline was about to write, or to read, when the agent went away."""

    async def work(act: Act) -> str:
        for number in (1, 2, 3):
            await act.say("…")
            await act.step(number, b"%d" % number)
        await act.host("search_history", {"query": "x"})
        return act.question

    house, dice = House(tmp_path), random.Random(3)
    await house.agents.start()
    wire = Wire(house.agents.address)
    async with wire.open() as address:
        house.settings["agent_address"] = address
        async with house.open():
            house.agent.script = work
            for chat in MEMBERS:
                for number in range(1, 4):
                    await house.pipeline.submit(message(f"{number}", chat=chat, number=number))
            for _ in range(60):
                await asyncio.sleep(dice.random() * 0.02)  # at any moment
                wire.cut()
            for chat in MEMBERS:
                await house.pipeline.until(3, "done", chat)
                assert house.channel.texts(chat) == ["1", "2", "3"]
            assert (await house.pipeline.queue()).dead == 0


async def test_the_call_of_a_run_that_is_over_is_freed_without_the_collector(house: House) -> None:
    """Its full rounds are rare, and a call is 14 KB outside of Python."""
    gc.collect()
    gc.disable()
    try:
        for number in range(1, 6):
            await house.ask("hello", number=number)
        await until(lambda: not any(isinstance(it, grpc.aio.StreamStreamCall) for it in gc.get_objects()))
    finally:
        gc.enable()


async def test_an_agent_that_leaves_between_a_step_and_its_acknowledgement_costs_nothing(house: House) -> None:
    async def leave(act: Act) -> None:
        await act.offer(1, b"one")
        raise Unavailable("The agent is being replaced.")

    house.agent.on("hello", *[leave] * 4, echo)
    await house.ask("hello")
    assert house.channel.texts() == ["answer to hello"]
    assert house.rows("SELECT attempts, reason FROM turns") == [(0, "")]


async def test_an_agent_that_is_away_is_waited_for(house: House) -> None:
    await house.agents.stop()
    await house.pipeline.submit(message())
    await until(lambda: house.rows("SELECT state FROM turns") == ["running"])
    await house.agents.start()
    await house.pipeline.until(1, "done")
    assert house.channel.texts() == ["answer to hello"]


async def test_a_stream_that_ends_without_an_answer_is_asked_again(house: House) -> None:
    async def forget(act: Act) -> None:
        await act.say("I think")

    house.agent.on("hello", forget, forget, echo)
    await house.ask("hello")
    assert len(house.agent.acts) == 3


async def assert_given_up(house: House, reason: str, words: str) -> None:
    turn = await house.pipeline.until(1, "failed")
    await until(house.channel.texts)
    assert house.channel.texts() == [words]
    assert turn.reason == reason
    letters = (await house.pipeline.dead()).dead_letters
    assert [(letter.turn_id, letter.reason) for letter in letters] == [(turn.turn_id, reason)]


@pytest.mark.parametrize(
    "error",
    [
        Exhausted("slow down", reason="MODEL_RATE_LIMITED", retry_after=SOON),
        Unavailable("busy", reason="MODEL_OVERLOADED", retry_after=SOON),
        Unavailable("gone", reason="MODEL_UNREACHABLE", retry_after=SOON),
        TimedOut("slow", reason="MODEL_TIMEOUT", retry_after=SOON),
    ],
    ids=lambda error: error.reason,
)
async def test_a_failing_model_is_asked_again_and_then_given_up_in_plain_words(house: House, error: ValorError) -> None:
    house.agent.script = fails(error)
    await house.pipeline.submit(message())
    await assert_given_up(house, error.reason, failures.WORDS[error.reason])
    assert len(house.agent.acts) == failures.attempts(error)


async def test_a_model_that_recovers_answers(house: House) -> None:
    busy = fails(Unavailable("busy", reason="MODEL_OVERLOADED", retry_after=SOON))
    house.agent.on("hello", busy, busy, busy, echo)
    await house.ask("hello")
    assert house.channel.texts() == ["answer to hello"]


async def test_a_store_that_was_lost_while_it_counted_a_failure_fails_no_turn(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F28. The turn is handed over, whether the count was kept or not."""
    note_failure, lost = TurnTable.note_failure, list[int]()

    async def loses(table: TurnTable, turn: Turn) -> int:
        count = await note_failure(table, turn)
        if not lost:
            lost.append(count)
            raise Unavailable("The database was lost while it committed.", reason="COMMIT_UNKNOWN")
        return count

    monkeypatch.setattr(TurnTable, "note_failure", loses)
    busy = fails(Unavailable("busy", reason="MODEL_OVERLOADED", retry_after=SOON))
    house.agent.on("hello", busy, busy, echo)
    await house.ask("hello")
    assert lost == [1]
    assert house.channel.texts() == ["answer to hello"]


async def test_failures_of_the_model_are_counted_across_restarts(house: House) -> None:
    busy = fails(Unavailable("busy", reason="MODEL_OVERLOADED", retry_after=SOON))
    house.agent.on("hello", busy, busy, hang, busy)
    await house.pipeline.submit(message())
    await until(lambda: len(house.agent.acts) == 3)
    await house.service.restart()
    await house.pipeline.until(1, "failed")
    assert len(house.agent.acts) == 5


@pytest.mark.parametrize(
    "error",
    [
        InvalidArgument("no", reason="MODEL_REFUSED_REQUEST"),
        WrongState("no key", reason="MODEL_REFUSED_KEY"),
        WrongState("again and again", reason="TOOL_LOOP"),
        WrongState("too many", reason="STEP_LIMIT"),
        WrongState("nothing, twice", reason="MODEL_EMPTY"),
    ],
    ids=lambda error: error.reason,
)
async def test_what_waiting_cannot_help_is_given_up_at_once(house: House, error: ValorError) -> None:
    """F39, F100."""
    house.agent.script = fails(error)
    await house.pipeline.submit(message())
    await assert_given_up(house, error.reason, failures.WORDS[error.reason])
    assert len(house.agent.acts) == 1


@pytest.mark.parametrize("error", [Internal("a path: /etc/x"), RuntimeError("boom"), InvalidArgument("?", reason="X")])
async def test_a_bug_of_the_agent_is_told_in_plain_words(house: House, error: Exception) -> None:
    """F93."""
    house.agent.script = fails(error)
    await house.pipeline.submit(message())
    await house.pipeline.until(1, "failed")
    await until(house.channel.texts)
    assert house.channel.texts() == [failures.UNKNOWN]


@pytest.mark.parametrize("text", ["", " \n\t "])
async def test_an_empty_answer_is_never_shown(house: House, text: str) -> None:
    """F39."""

    async def say_nothing(act: Act) -> str:
        return text

    house.agent.script = say_nothing
    await house.pipeline.submit(message())
    await assert_given_up(house, "MODEL_EMPTY", failures.WORDS["MODEL_EMPTY"])


async def test_an_answer_whose_rendering_is_stopped_is_delivered(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """F32. Until its parts are written nothing is answered."""
    real, stops = MarkdownRenderer.render, 2

    def render(self: MarkdownRenderer, text: str) -> list[Draft]:
        nonlocal stops
        if stops:
            stops -= 1
            raise asyncio.CancelledError
        return real(self, text)

    monkeypatch.setattr(MarkdownRenderer, "render", render)
    await house.ask("hello")
    assert stops == 0
    assert house.channel.texts() == ["answer to hello"]


async def test_a_call_that_makes_no_sense_is_answered_so(house: House) -> None:
    async def call(act: Act) -> str:
        names, nonsense = ("search_history", "react", "fly"), ("{", "[1]", "null", '"x"', "")
        answers = [await act.host(name, raw=raw) for name in names for raw in nonsense]
        return "errors" if all("error" in answer for answer in answers) else str(answers)

    house.agent.script = call
    await house.ask("hello")
    assert house.channel.texts() == ["errors"]


async def test_a_turn_that_takes_too_long_is_ended_in_words(tmp_path: Path) -> None:
    async with House(tmp_path, turn_seconds=0.2).open() as house:
        house.agent.script = hang
        await house.pipeline.submit(message())
        await assert_given_up(house, "TURN_TIMEOUT", failures.WORDS["TURN_TIMEOUT"])
        await until(lambda: not house.agent.running())


async def test_a_turn_that_kills_its_runner_every_time_is_given_up(house: House) -> None:
    house.agent.script = hang
    await house.pipeline.submit(message())
    await until(house.agent.running)
    await house.service.stop()
    house.rows("UPDATE turns SET fence = 20, state = 'running'")
    await house.service.start()
    await assert_given_up(house, "CRASH_LOOP", failures.UNKNOWN)
    house.agent.script = echo  # whoever runs it has mended what it was
    await house.pipeline.replay((await house.pipeline.turn(1)).turn_id)
    await house.pipeline.until(1, "done")
    assert house.channel.texts()[-1] == "answer to hello"


async def test_a_search_finds_what_this_chat_and_topic_said_and_nothing_else(house: House) -> None:
    """F80."""
    found: dict[str, list[str]] = {}

    async def search(act: Act) -> str:
        result = await act.host("search_history", {"query": "harbour code"})
        found[act.question] = [one["text"] for one in result]
        return "ok"

    house.agent.script = search
    await house.ask("the harbour code is 1", chat=ADA)
    await house.ask("the harbour code is 2", chat=MEMBERS[0])
    await house.ask("@valor_bot the harbour code is 3", chat=GROUP, topic=1, number=1)
    await house.ask("@valor_bot the harbour code is 4", chat=GROUP, topic=2, number=2)
    await house.pipeline.submit(message("a harbourmaster", number=2))
    await house.pipeline.delete(2)
    await house.ask("which?", number=3)
    await house.ask("@valor_bot which one?", chat=GROUP, topic=2, number=3)
    assert found["which?"] == ["the harbour code is 1"]
    assert found["which one?"] == ["@valor_bot the harbour code is 4"]
    assert found["the harbour code is 1"] == []


async def test_any_query_is_answered(house: House) -> None:
    async def search(act: Act) -> str:
        queries = ("", "%_*\"'", "NOT AND OR", "word " * 5000, "\0", "ünï 日本 🙂", "a" * 50_000)
        return str([await act.host("search_history", {"query": query}) for query in queries])

    house.agent.script = search
    await house.ask("hello")
    assert house.channel.texts() == [str([[]] * 7)]


async def test_the_agents_reaction_takes_the_place_of_an_earlier_one(house: House) -> None:
    """F94."""

    async def react(act: Act) -> str:
        results = [await act.host("react", {"emoji": emoji}) for emoji in ("👍", "👍", "🦄", "🦄️", "🧨", "", "👍👍")]
        return str(["error" if "error" in result else "done" for result in results])

    house.agent.script = react
    await house.ask("hello")
    assert house.channel.texts() == ["['done', 'done', 'done', 'done', 'error', 'error', 'error']"]
    await until(lambda: house.channel.reactions[ADA, 1][-1:] == ["🦄"])
    assert set(house.channel.reactions[ADA, 1]) <= {"👍", "🦄"}


async def test_the_agent_is_told_its_limits_and_the_message_that_is_replied_to(house: House) -> None:
    await house.ask("hello")
    await house.ask("what about this?", number=2, reply_to_message_id=1)
    await house.ask("and that?", number=3, reply_to_message_id=999)
    starts = [act.start for act in house.agent.acts]
    assert (starts[0].limits.steps, starts[0].limits.tool_calls, starts[0].limits.equal_calls) == (20, 40, 3)
    assert (starts[1].reply_to.speaker, starts[1].reply_to.text) == ("Person 8", "hello")
    assert not starts[2].HasField("reply_to")
