"""Tools: what they give, how they fail, and when they are too many."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from services.chassis.errors import Denied, TimedOut, Unavailable, WrongState
from tests.integration.agent.scene import Toolrunner, agent, scene
from tests.support.model_server import Reply, serving
from tests.support.process import free_port
from valor.agent.v1 import agent_pb2 as pb
from valor.toolrunner.v1 import toolrunner_pb2 as tools

DONE = Reply("Done.")


async def _look(_arguments: dict[str, Any]) -> str:
    return "a view"


def told(request: dict[str, Any]) -> list[tuple[str, bool]]:
    """The tool results in a request: text, and whether it is an error."""
    return [(part["content"][0]["text"], part["is_error"]) for part in request["messages"][-1]["content"]]


def call(name: str, arguments: Any = None) -> Reply:
    return Reply(calls=((name, {} if arguments is None else arguments),))


def fails(category: tools.ErrorCategory.ValueType, message: str) -> Toolrunner:
    async def look(_arguments: dict[str, Any]) -> tools.ToolError:
        return tools.ToolError(category=category, message=message)

    return Toolrunner(look=look)


@pytest.mark.parametrize(
    ("category", "words"),
    [
        (tools.ERROR_CATEGORY_VALIDATION, "The tool failed (validation): no luck"),
        (tools.ERROR_CATEGORY_EXECUTION, "The tool failed (execution): no luck"),
        (tools.ERROR_CATEGORY_OUTCOME_UNKNOWN, "it may have happened. Do not repeat it; tell the person"),
    ],
)
async def test_the_model_is_told_how_a_tool_failed(
    tmp_path: Path, category: tools.ErrorCategory.ValueType, words: str
) -> None:
    async with scene(tmp_path, call("look"), DONE, toolrunner=fails(category, "no luck")) as it:
        async with it.agent.turn("Look!") as turn:
            assert (await turn.output()).text == "Done."
            assert [event.tool_finished.failed for event in turn.events if event.HasField("tool_finished")] == [True]
        ((text, failed),) = told(it.model.requests[1])
        assert words in text
        assert failed


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Denied("The scope has expired."), "The tool look could not be called: The scope has expired."),
        (TimedOut("Too slow."), "it may have happened. Do not repeat it"),
    ],
)
async def test_a_refusal_of_the_toolrunner_is_told_too(tmp_path: Path, error: Exception, words: str) -> None:
    async def look(_arguments: dict[str, Any]) -> str:
        raise error

    async with scene(tmp_path, call("look"), DONE, toolrunner=Toolrunner(look=look)) as it:
        assert (await it.agent.output("Look!")).text == "Done."
        ((text, failed),) = told(it.model.requests[1])
        assert words in text
        assert failed


async def test_a_toolrunner_that_is_busy_for_a_second_is_asked_again(tmp_path: Path) -> None:
    tries = iter(range(6))

    async def look(_arguments: dict[str, Any]) -> str:
        if next(tries) < 5:
            raise Unavailable("Not now.")
        return "seen"

    async with scene(tmp_path, call("look"), DONE, toolrunner=Toolrunner(look=look)) as it:
        await it.agent.output("Look!")
        assert told(it.model.requests[1]) == [("seen", False)]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (call("fly"), "There is no tool 'fly'. There are: look, make_promise, react, search_history."),
        (call("look", "{broken"), "The arguments are not a JSON object."),
        (call("look", "[1]"), "The arguments are not a JSON object."),
        (call("react", {"emoji": "✅"}), "That is no reaction here. Take one of:"),
        (call("search_history", {}), "query is missing."),
    ],
)
async def test_a_call_that_makes_no_sense_is_answered_here(tmp_path: Path, reply: Reply, words: str) -> None:
    async with scene(tmp_path, reply, DONE) as it:
        assert (await it.agent.output("Do it!")).text == "Done."
        ((text, failed),) = told(it.model.requests[1])
        assert text.startswith(words)
        assert failed
        assert not it.toolrunner.ran


async def test_the_conversation_serves_its_own_tools(tmp_path: Path) -> None:
    asked = Reply(calls=(("search_history", {"query": "figs", "limit": 3}), ("react", {"emoji": "👍"})))
    async with scene(tmp_path, asked, DONE) as it, it.agent.turn("What of figs?") as turn:
        turn.host = {"search_history": '[{"speaker": "Ada", "text": "figs"}]', "react": '{"error": "not now"}'}
        await turn.output()
        assert turn.served == [("search_history", {"query": "figs", "limit": 3}), ("react", {"emoji": "👍"})]
        assert told(it.model.requests[1]) == [(turn.host["search_history"], False), (turn.host["react"], True)]
        assert not it.toolrunner.ran


@pytest.mark.parametrize(
    ("reply", "limits", "reason", "counts"),
    [
        (call("look"), (8, 16, 3), "TOOL_LOOP", (4, 3)),
        (call("look"), (2, 16, 3), "STEP_LIMIT", (2, 1)),
        (call("look"), (8, 2, 3), "TOOL_LIMIT", (3, 2)),
        (Reply(calls=tuple(("look", {"n": n}) for n in range(9))), (8, 8, 3), "TOOL_LIMIT", (1, 0)),
        (call("fly"), (8, 16, 9), "TOOL_LOOP", (3, 0)),
    ],
)
async def test_a_model_that_does_not_stop_is_stopped(
    tmp_path: Path, reply: Reply, limits: tuple[int, int, int], reason: str, counts: tuple[int, int]
) -> None:
    async with scene(tmp_path, reply) as it:
        with pytest.raises(WrongState) as error:
            await it.agent.output("Look!", limits=limits)
        assert error.value.reason == reason
        assert (len(it.model.requests), it.toolrunner.ran.total()) == counts


async def test_what_earlier_attempts_did_counts(tmp_path: Path) -> None:
    async with scene(tmp_path, call("look")) as it:
        async with it.agent.turn("Look!") as turn:
            await turn.until("step")
            await turn.send(ack=pb.Ack(step=1))
            await turn.until("step")
        with pytest.raises(WrongState) as error:
            await it.agent.output("Look!", checkpoints=turn.checkpoints, limits=(8, 16, 2))
        assert error.value.reason == "TOOL_LOOP"
        assert len(it.model.requests) == 3


async def test_the_list_of_tools_is_asked_for_once_per_set_of_rights(tmp_path: Path) -> None:
    async with scene(tmp_path, DONE) as it:
        for rights in (["tools"], ["tools"], ["tools", "more"], ["more", "tools"]):
            await it.agent.output("Hi!", rights=rights)
        assert it.toolrunner.lists == 2


async def test_without_a_toolrunner_the_turn_goes_on(tmp_path: Path) -> None:
    async with serving(lambda request: DONE if len(request["messages"]) > 1 else call("fly")) as model:
        chosen = {"model": "anthropic:claude-haiku-5-5", "model_url": model.url, "tool_patience": 0}
        async with agent(tmp_path, "127.0.0.1:1", **chosen) as lonely:
            assert (await lonely.output("Look!")).text == "Done."


async def test_a_turn_waits_for_a_toolrunner_that_is_on_its_way(tmp_path: Path) -> None:
    async with serving(lambda request: DONE if len(request["messages"]) > 1 else call("look")) as model:
        chosen = {"model": "anthropic:claude-haiku-5-5", "model_url": model.url}
        toolrunner, address = Toolrunner(look=_look), f"127.0.0.1:{free_port()}"
        async with agent(tmp_path, address, **chosen) as early:
            answer = asyncio.create_task(early.output("Look!"))
            assert not (await asyncio.wait([answer], timeout=0.1))[0]
            async with toolrunner.serving(address):
                assert (await answer).text == "Done."
        assert toolrunner.ran.total() == 1


async def test_a_toolrunner_that_goes_away_makes_its_tools_unavailable(tmp_path: Path) -> None:
    async with serving(lambda request: DONE if len(request["messages"]) > 1 else call("look")) as model:
        chosen = {"model": "anthropic:claude-haiku-5-5", "model_url": model.url, "tool_patience": 0}
        toolrunner = Toolrunner(look=_never)
        serving_tools = toolrunner.serving()
        async with agent(tmp_path, await serving_tools.__aenter__(), **chosen) as it, it.turn("Look!") as turn:
            await turn.until("step")
            await serving_tools.__aexit__(None, None, None)
            await turn.send(ack=pb.Ack(step=1))
            assert (await turn.output()).text == "Done."
        assert told(model.requests[1]) == [("The tool look is unavailable at the moment.", True)]


async def test_a_toolrunner_that_restarts_is_waited_for(tmp_path: Path) -> None:
    async with serving(lambda request: DONE if len(request["messages"]) > 1 else call("look")) as model:
        toolrunner = Toolrunner(look=_never)
        first = toolrunner.serving()
        address = await first.__aenter__()
        chosen = {"model": "anthropic:claude-haiku-5-5", "model_url": model.url}
        async with agent(tmp_path, address, **chosen) as it, it.turn("Look!") as turn:
            await turn.until("step")
            await first.__aexit__(None, None, None)
            await turn.send(ack=pb.Ack(step=1))
            await turn.until("tool_started")
            again = Toolrunner(look=_seen)
            async with again.serving(address):
                assert (await turn.output()).text == "Done."
            assert again.ran.total() == 1
        assert told(model.requests[1]) == [("seen", False)]


async def test_tools_of_one_step_run_side_by_side(tmp_path: Path) -> None:
    both = asyncio.Barrier(2)

    async def look(arguments: dict[str, Any]) -> str:
        await both.wait()
        return json.dumps(arguments)

    asked = Reply(calls=(("look", {"n": 1}), ("look", {"n": 2})))
    async with scene(tmp_path, asked, DONE, toolrunner=Toolrunner(look=look)) as it:
        await it.agent.output("Look twice!")
        assert told(it.model.requests[1]) == [('{"n": 1}', False), ('{"n": 2}', False)]


async def _never(_arguments: dict[str, Any]) -> str:
    raise AssertionError


async def _seen(_arguments: dict[str, Any]) -> str:
    return "seen"
