"""Stop means stop: whoever leaves ends the model call and the tools, and no token is written after."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from services.chassis.errors import WrongState
from tests.integration.agent.scene import Scene, Toolrunner, scene
from tests.support.model_server import Reply

ENDLESS = Reply("One word after the other. " * 40, chunks=400, delay=40)
AT_ONCE = 3.0
"""Seconds; what does not stop by itself takes longer even on a busy machine."""


async def ended(it: Scene) -> None:
    """Wait until nobody listens to the model any more."""
    async with asyncio.timeout(AT_ONCE):
        await it.model.until(lambda model: model.streams == 0)


async def test_leaving_while_the_model_writes_closes_its_stream(tmp_path: Path) -> None:
    async with scene(tmp_path, ENDLESS) as it:
        async with it.agent.turn("Tell me everything.") as turn:
            await turn.call.read()
            assert it.model.streams == 1
        await ended(it)
        assert it.model.hung_up == 1


async def test_leaving_while_the_model_thinks_closes_its_stream(tmp_path: Path) -> None:
    async with scene(tmp_path, Reply("x", fault="stall")) as it:
        async with it.agent.turn("Think."):
            await it.model.until(lambda model: model.streams == 1)
        await ended(it)


async def test_leaving_while_a_tool_runs_cancels_it(tmp_path: Path) -> None:
    cancelled = asyncio.Event()

    async def look(_arguments: dict[str, Any]) -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return ""

    async with scene(tmp_path, Reply(calls=(("look", {}),)), toolrunner=Toolrunner(look=look)) as it:
        async with it.agent.turn("Look!") as turn:
            await turn.until("tool_started")
            while not it.toolrunner.ran:
                await asyncio.sleep(0)
        async with asyncio.timeout(AT_ONCE):
            await cancelled.wait()


async def test_ending_the_own_side_of_the_stream_is_leaving(tmp_path: Path) -> None:
    async with scene(tmp_path, ENDLESS) as it, it.agent.turn("Tell me everything.") as turn:
        await turn.call.read()
        await turn.call.done_writing()
        with pytest.raises(WrongState) as error:
            await turn.next()
        assert error.value.reason == "STREAM_CLOSED"
        await ended(it)


async def test_leaving_before_the_acknowledgement_leaves_the_tools_alone(tmp_path: Path) -> None:
    async with scene(tmp_path, Reply(calls=(("look", {}),))) as it:
        async with it.agent.turn("Look!") as turn:
            await turn.until("step")
        await turns_end()
        assert not it.toolrunner.ran


async def test_many_turns_that_are_left_leave_nothing_behind(tmp_path: Path) -> None:
    async with scene(tmp_path, ENDLESS) as it:
        tasks = len(asyncio.all_tasks())
        async with asyncio.TaskGroup() as group:
            for number in range(50):
                group.create_task(_leave(it, number))
        await ended(it)
        async with asyncio.timeout(AT_ONCE):
            while len(asyncio.all_tasks()) > tasks:
                await asyncio.sleep(0)


async def _leave(it: Scene, number: int) -> None:
    async with it.agent.turn("Tell me everything.", turn_id=f"turn-{number}") as turn:
        await turn.call.read()


async def turns_end() -> None:
    async with asyncio.timeout(AT_ONCE):
        while REGISTRY.get_sample_value("agent_live_turns"):
            await asyncio.sleep(0)
