"""Stop, steer and topics through all services: real Telethon, real gRPC, real sandbox of code, a local model."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from services.pipeline import __main__ as pipeline_main
from services.testdc.model import Post
from services.testdc.server import TestDC
from tests.integration.toolrunner.runner import alive
from tests.support.model_server import Reply
from tests.support.sandbox import dc, server_key, until
from tests.support.whole_house import WholeHouse, asked, tool, whole_house

__all__ = ["dc", "server_key"]

ENDLESS = Reply("One word after the other. " * 40, chunks=400, delay=40)
LOOP = "while True:\n    pass"
AT_ONCE = 3.0
"""Seconds within which stop means stop."""

Stop = Callable[[WholeHouse, Post], object]
STOPS: dict[str, Stop] = {
    "command": lambda house, _: house.dc.world.say(house.anna, house.bot, "/stop"),
    "deletion": lambda house, question: house.dc.world.delete(house.anna, question),
    "button": lambda house, _: house.dc.world.signs.press_stop(house.anna, house.bot),
}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_main, "GRACE", 0.1)


@pytest.mark.parametrize("stop", STOPS)
async def test_stop_ends_the_model_call_within_a_second(dc: TestDC, tmp_path: Path, stop: str) -> None:
    """F73."""
    async with whole_house(dc, tmp_path, lambda _: ENDLESS) as house:
        question = dc.world.say(house.anna, house.bot, "tell me everything")
        await until(lambda: dc.world.view(house.anna, house.bot).drafts)
        began = time.monotonic()
        STOPS[stop](house, question)
        await house.model.until(lambda model: model.streams == 0)
        assert time.monotonic() - began < AT_ONCE
        assert len(house.model.requests) == 1
        if stop != "deletion":
            assert await house.answered(1) == ["Stopped."]


@pytest.mark.parametrize("stop", ["command", "deletion"])
async def test_stop_kills_the_sandbox_and_asks_for_no_token_within_a_second(
    dc: TestDC, tmp_path: Path, stop: str
) -> None:
    """F73. The code loops; its worker has to die, and the model hears nothing of it."""

    def script(request: dict[str, Any]) -> Reply:
        return tool("run_python", code=LOOP) if asked(request).endswith("loop") else Reply("Here I am.")

    async with whole_house(dc, tmp_path, script) as house:
        question = dc.world.say(house.anna, house.bot, "loop")
        await until(lambda: house.model.requests)
        await until(busy_workers)
        workers = busy_workers()
        began = time.monotonic()
        STOPS[stop](house, question)
        await until(lambda: not alive(workers))
        assert time.monotonic() - began < AT_ONCE
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(house.model.until(lambda model: len(model.requests) > 1), AT_ONCE)
        dc.world.say(house.anna, house.bot, "still there?")
        assert (await house.answered(1 if stop == "deletion" else 2))[-1] == "Here I am."


def busy_workers() -> list[psutil.Process]:
    """Sandboxes that have computed for a while."""
    workers = [child for child in psutil.Process().children() if child.name() == "monty"]
    return [worker for worker in workers if worker.cpu_times().user > 0.05]


async def test_topics_are_conversations_of_their_own(dc: TestDC, tmp_path: Path) -> None:
    """F87. Asked at once in two topics and in General: answers stay apart, in order, and know their own topic alone."""
    async with whole_house(dc, tmp_path, lambda request: Reply(asked(request).splitlines()[-1].upper())) as house:
        world, team = dc.world, house.team
        places: dict[str, Post | None] = {
            "red": world.begin_topic(house.anna, team, "Red"),
            "blue": world.begin_topic(house.anna, team, "Blue"),
            "general": None,
        }
        for number in (1, 2, 3):
            for name, topic in places.items():
                world.say(house.anna, team, f"@{house.bot.username} {name} {number}", topic=topic)
        await house.answered(9, team)
        for name, topic in places.items():
            place = topic.message_id(house.anna.id) if topic else 0
            found = [text for text, where in house.seen(team) if where == place]
            assert found == [f"ANNA: {name} {number}".upper() for number in (1, 2, 3)]
            told = [asked(request) for request in house.model.requests if f"{name} 3" in asked(request)]
            assert len(told) == 1
            assert f"{name} 1" in told[0]
            assert not any(other in told[0].lower() for other in places.keys() - {name})


async def test_with_steering_a_second_message_joins_the_first_answer(dc: TestDC, tmp_path: Path) -> None:
    asking = asyncio.Event()

    def script(request: dict[str, Any]) -> Reply:
        told = asked(request)
        if "tool_result" in str(request["messages"]):
            return Reply("Blue and green." if "green" in told else "Blue.")
        asking.set()
        return Reply("Let me see. ", calls=(("current_time", {}),), chunks=4, delay=0.4)

    async with whole_house(dc, tmp_path, script) as house:
        world = dc.world
        world.say(house.anna, house.bot, "/steer on")
        await house.answered(1)
        world.say(house.anna, house.bot, "what about blue?")
        await asking.wait()
        world.say(house.anna, house.bot, "and green?")
        assert (await house.answered(2))[1:] == ["Blue and green."]
        world.say(house.anna, house.bot, "/status")
        assert (await house.answered(3))[2].startswith("I am here.")
        assert len(house.model.requests) == 2
