"""Steps, acknowledgements and checkpoints: nothing paid is paid again, nothing done is done again."""

import json
from pathlib import Path
from typing import Any

from tests.integration.agent.scene import Toolrunner, agent, scene
from tests.support.model_server import Reply, Request, serving
from valor.agent.v1 import agent_pb2 as pb

LOOK = Reply("Let me look.", calls=(("look", {"at": "sky"}), ("look", {"at": "sea"})))
AGAIN = Reply(calls=(("look", {"at": "land"}),))
DONE = Reply("Both are blue.")


def script(request: Request) -> Reply:
    """What the model says next follows from what it was told, as with a real one."""
    told = json.dumps(request["messages"])
    return DONE if "land" in told else AGAIN if "sea" in told else LOOK


async def test_tools_start_after_the_acknowledgement_and_not_before(tmp_path: Path) -> None:
    async with scene(tmp_path, LOOK, DONE) as it, it.agent.turn("What colour?") as turn:
        step = (await turn.next()).step
        await it.agent.output("Another turn has time to run.", turn_id="turn-2")
        assert (step.step, step.usage.requests, step.usage.tool_calls) == (1, 1, 2)
        assert turn.shown == "Let me look."
        assert not it.toolrunner.ran
        await turn.send(ack=pb.Ack(step=1))
        output = await turn.output()
        assert turn.kinds == [
            *["delta"] * turn.kinds.index("step"),
            "step",
            "tool_started",
            "tool_started",
            "tool_finished",
            "tool_finished",
            *["delta"] * (len(turn.kinds) - turn.kinds.index("step") - 6),
            "output",
        ]
        assert turn.shown == output.text == "Both are blue."
        assert [delta.restart for delta in turn.deltas].count(True) == 1
        assert it.toolrunner.ran == {("turn-1", 1, 0): 1, ("turn-1", 1, 1): 1}
        assert (output.usage.requests, output.usage.tool_calls) == (2, 2)
        results = it.model.requests[2]["messages"][-1]["content"]
        assert [part["content"][0]["text"] for part in results] == ['seen: {"at": "sky"}', 'seen: {"at": "sea"}']


async def test_steps_are_counted_and_their_checkpoints_hold_what_each_added(tmp_path: Path) -> None:
    async with scene(tmp_path, LOOK, AGAIN, DONE) as it, it.agent.turn("What colour?") as turn:
        await turn.output()
        assert [event.step.step for event in turn.events if event.HasField("step")] == [1, 2]
        first, second = (json.loads(checkpoint) for checkpoint in turn.checkpoints)
        assert [message["kind"] for message in first] == ["response"]
        assert [message["kind"] for message in second] == ["request", "response"]
        assert it.toolrunner.ran.keys() == {("turn-1", 1, 0), ("turn-1", 1, 1), ("turn-1", 2, 0)}


async def test_another_agent_goes_on_where_the_first_one_died(tmp_path: Path) -> None:
    toolrunner = Toolrunner(look=_look)
    async with serving(script) as model, toolrunner.serving() as address:
        chosen = {"model": "anthropic:claude-haiku-5-5", "model_url": model.url}
        async with agent(tmp_path, address, **chosen) as first, first.turn("What colour?") as turn:
            await turn.until("step")
            await turn.send(ack=pb.Ack(step=1))
            await turn.until("step")
            checkpoints = turn.checkpoints
        assert len(model.requests) == 2
        async with agent(tmp_path, address, **chosen) as second:
            async with second.turn("What colour?", checkpoints=checkpoints) as turn:
                output = await turn.output()
                assert turn.kinds[:2] == ["tool_started", "tool_finished"]
            assert output.text == "Both are blue."
            assert len(model.requests) == 3
            assert (output.usage.requests, output.usage.tool_calls) == (3, 3)
            async with second.turn("What colour?", checkpoints=checkpoints[:1]) as turn:
                assert (await turn.until("step")).step.step == 2
        assert toolrunner.ran == {("turn-1", 1, 0): 1, ("turn-1", 1, 1): 1, ("turn-1", 2, 0): 1}


async def test_a_tool_that_was_under_way_is_joined_under_its_first_name(tmp_path: Path) -> None:
    """Killed between acknowledgement and result: the call is made again under the same step and index."""
    async with scene(tmp_path, LOOK, DONE) as it:
        async with it.agent.turn("What colour?") as turn:
            await turn.until("step")
        async with it.agent.turn("What colour?", checkpoints=turn.checkpoints) as again:
            output = await again.output()
        assert output.text == "Both are blue."
        assert len(it.model.requests) == 2
        assert [(event.tool_started.step, event.tool_started.index) for event in again.events[:2]] == [(1, 0), (1, 1)]


async def _look(arguments: dict[str, Any]) -> str:
    return f"seen: {arguments['at']}"
