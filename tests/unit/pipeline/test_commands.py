"""Commands and what they say of the house."""

import inspect
from typing import Any, cast

import pytest

from services.pipeline.budget import Limit
from services.pipeline.commands import COMMANDS, Commands, status, stopped, traced
from services.pipeline.model import ChatType, Message, Queue, Role
from services.pipeline.outcome import Work
from services.pipeline.plan import Planner
from services.pipeline.ports import Promises, Store, Used
from tests.unit.pipeline.messages import said


class Quiet:
    async def queue(self) -> Queue:
        return Queue(running=1)

    async def used(self, _message: Message) -> list[Used]:
        return []

    async def work_on(self, _message: Message) -> Work | None:
        return None


async def no_limits() -> tuple[Limit, ...]:
    return ()


COMMAND = Commands(cast("Store", Quiet()), no_limits)
PLANNER = Planner(cast("Promises", None))
PRIVATE = said("/x", chat=ChatType.PRIVATE)


@pytest.mark.parametrize("spec", COMMANDS, ids=lambda spec: spec.name)
async def test_every_command_of_the_menu_is_answered(spec: Any) -> None:
    """F97."""
    if PLANNER.knows(spec.name):
        return  # test_plan.py has their answers
    answer = await COMMAND.answer(spec.name, PRIVATE, Role.MEMBER)
    assert answer
    assert "do not know" not in answer


async def test_the_menu_shows_every_command_that_is_answered() -> None:
    """F97."""
    menu = await COMMAND.answer("help", PRIVATE, Role.MEMBER)
    handlers = {name.removeprefix("_") for name, _ in inspect.getmembers(Commands) if inspect.iscoroutinefunction(_)}
    assert {spec.name for spec in COMMANDS} == (handlers - {"answer"}) | set(PLANNER._commands)
    assert all(f"/{spec.name}: {spec.help}" in menu for spec in COMMANDS)


@pytest.mark.parametrize("name", ["", "nonsense", "x" * 100_000, "HELP", "`", "help me"])
async def test_an_unknown_command_is_told_what_there_is(name: str) -> None:
    answer = await COMMAND.answer(name, PRIVATE, Role.MEMBER)
    assert "I do not know" in answer
    assert "/help" in answer
    assert len(answer) < 1500


@pytest.mark.parametrize(
    ("queue", "words"),
    [
        (Queue(running=1), "I am here."),
        (Queue(running=2), "I am answering 1 other message."),
        (Queue(running=4), "I am answering 3 other messages."),
        (Queue(running=1, waiting=2, oldest_waiting=3.4), "I am here; 2 wait, the oldest for 3 s."),
        (Queue(), "I am here."),
    ],
)
def test_status_says_what_is_measured(queue: Queue, words: str) -> None:
    """F95."""
    assert status(queue) == words


def test_stop_says_whether_something_was_stopped() -> None:
    assert (stopped(0), stopped(1), stopped(7)) == ("There was nothing to stop.", "Stopped.", "Stopped.")


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (Work(17, 1_767_225_600.0, "0af7651916cd43dd8448eb211c80319c"), "Trace `0af7651916cd43dd8448eb211c80319c`"),
        (Work(17, 1_767_225_600.0, ""), "no trace was kept"),
    ],
)
def test_trace_tells_turn_time_and_number(work: Work, words: str) -> None:
    told = traced(work)
    assert "Turn 17, asked on 2026-01-01 at 00:00:00 UTC" in told
    assert words in told


async def test_start_greets_by_first_name_and_groups_are_told_how_to_call() -> None:
    assert (await COMMAND.answer("start", PRIVATE, Role.MEMBER)).startswith("Hello, Ada!")
    assert "mention me" in await COMMAND.answer("help", said("/help"), Role.MEMBER)
