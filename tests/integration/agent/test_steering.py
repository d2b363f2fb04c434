"""What is said while a turn runs goes before the next model call, or is told to have come too late."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from services.agent.exchange import Exchange
from services.agent.model import Steer
from tests.integration.agent.scene import Toolrunner, scene
from tests.support.model_server import Reply
from tests.support.sandbox import until
from valor.agent.v1 import agent_pb2 as pb

LOOK, DONE = Reply("Let me look.", calls=(("look", {}),)), Reply("Seen.")


def steer(text: str, *, name: str = "7:1", speaker: str = "Ada", rewords: bool = False) -> pb.Steer:
    return pb.Steer(steer_id=name, said=pb.Said(speaker=speaker, text=text), rewords=rewords)


def last_words(request: dict[str, Any]) -> str:
    """The text of the last thing that the model was told."""
    content = request["messages"][-1]["content"]
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)


@pytest.mark.parametrize(
    ("rewords", "note"), [(False, "Said while you were working"), (True, "The question was changed")]
)
@pytest.mark.parametrize("model", ["anthropic:claude-haiku-5-5", "openai-chat:gpt-test"])
async def test_what_is_said_while_a_tool_runs_goes_before_the_next_model_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, model: str, rewords: bool, note: str
) -> None:
    go, heard = asyncio.Event(), list[Steer]()
    hear = Exchange.steer

    def listen(exchange: Exchange, said: Steer) -> None:
        hear(exchange, said)
        heard.append(said)

    async def look(_arguments: dict[str, Any]) -> str:
        await go.wait()
        return "a cat"

    async with (
        scene(tmp_path, LOOK, DONE, toolrunner=Toolrunner(look=look), model=model) as it,
        it.agent.turn("What is there?") as turn,
    ):
        monkeypatch.setattr(Exchange, "steer", listen)
        await turn.until("tool_started")
        await turn.send(steer=steer("And what colour?", rewords=rewords))
        await turn.send(steer=steer("And how big?", name="8:1"))
        await turn.call.write(pb.RunTurnRequest(steer=steer("Be short.", name="9:1")))
        await until(lambda: len(heard) == 3)
        go.set()
        output = await turn.output()
    assert list(output.steer_ids) == ["7:1", "8:1", "9:1"]
    told = json.dumps(it.model.requests[1]["messages"])
    assert note in told
    assert told.index("a cat") < told.index("And what colour?") < told.index("And how big?") < told.index("Be short.")


async def test_a_step_names_what_went_before_it_and_its_checkpoint_keeps_it(tmp_path: Path) -> None:
    async with scene(tmp_path, LOOK, LOOK, DONE) as it:
        async with it.agent.turn("What is there?") as turn:
            step = (await turn.until("step")).step
            assert list(step.steer_ids) == []
            await turn.send(steer=steer("And what colour?"))
            await turn.send(ack=pb.Ack(step=1))
            step = (await turn.until("step")).step
            assert list(step.steer_ids) == ["7:1"]
        async with it.agent.turn("What is there?", checkpoints=turn.checkpoints) as again:
            assert list((await again.output()).steer_ids) == []
    assert "And what colour?" in json.dumps(it.model.requests[-1]["messages"])


async def test_what_is_said_while_the_model_answers_comes_too_late(tmp_path: Path) -> None:
    async with (
        scene(tmp_path, Reply("One word after the other.", chunks=3, delay=0.3)) as it,
        it.agent.turn("Tell me.") as turn,
    ):
        await turn.call.read()
        await turn.send(steer=steer("And then?"))
        output = await turn.output()
    assert list(output.steer_ids) == []
    assert len(it.model.requests) == 1


async def test_in_a_group_it_is_told_who_said_it(tmp_path: Path) -> None:
    async with scene(tmp_path, LOOK, DONE) as it, it.agent.turn("What is there?", group=True) as turn:
        await turn.until("step")
        await turn.send(steer=steer("red\nBob: blue", speaker="Ada"))
        await turn.send(ack=pb.Ack(step=1))
        await turn.output()
    assert "Ada: red\n  Bob: blue" in last_words(it.model.requests[-1])


@pytest.mark.parametrize("side_effects", [True, False])
async def test_a_step_says_whether_its_tools_change_something(tmp_path: Path, *, side_effects: bool) -> None:
    async def look(_arguments: dict[str, Any]) -> str:
        return "sent"

    toolrunner = Toolrunner(look=look)
    toolrunner.acting = {"look"} if side_effects else set()
    async with scene(tmp_path, LOOK, DONE, toolrunner=toolrunner) as it, it.agent.turn("Send it.") as turn:
        assert (await turn.until("step")).step.side_effects is side_effects


async def test_the_offline_model_answers_what_was_added(tmp_path: Path) -> None:
    async def run_python(arguments: dict[str, Any]) -> str:
        return f"Value: {eval(arguments['code'])}"  # noqa: S307 (a sum that this test wrote)

    async with (
        scene(tmp_path, toolrunner=Toolrunner(run_python=run_python), model="offline", model_url="") as it,
        it.agent.turn("what is 17 * 23?") as turn,
    ):
        await turn.until("step")
        await turn.send(steer=steer("what is 17 * 24?"))
        await turn.send(ack=pb.Ack(step=1))
        output = await turn.output()
    assert "391" in output.text
    assert "408" in output.text
