"""Tools that throw, hang, flood or lie harm nobody but themselves."""

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from prometheus_client import REGISTRY

from services.chassis import logs
from tests.integration.toolrunner.runner import Actor, Runner, serving
from valor.toolrunner.v1 import toolrunner_pb2 as pb

EXECUTION = pb.ERROR_CATEGORY_EXECUTION


@pytest.fixture
def actor() -> Actor:
    return Actor()


@pytest.fixture
async def runner(actor: Actor, tmp_path: Path) -> AsyncIterator[Runner]:
    async with serving(actor.tools(), tmp_path) as runner:
        yield runner


@pytest.mark.parametrize(
    ("name", "arguments", "category", "message"),
    [
        ("throws", "{}", EXECUTION, "throws failed inside."),
        ("hangs", "{}", EXECUTION, "hangs took longer than 0.01 s and was stopped."),
        ("odd", "{}", EXECUTION, "odd returned something that is no text."),
        ("outside", "{}", pb.ERROR_CATEGORY_INTEGRATION, "The weather service does not answer."),
        (
            "throws",
            '{"loud": 1}',
            pb.ERROR_CATEGORY_VALIDATION,
            "throws has no argument loud; its arguments are: none.",
        ),
        ("none", "{}", pb.ERROR_CATEGORY_CONFIGURATION, "There is no tool named none."),
    ],
)
async def test_the_model_gets_a_category_and_a_plain_sentence(
    runner: Runner, name: str, arguments: str, category: int, message: str
) -> None:
    assert await runner.error(name, arguments, index=0) == (category, message)
    assert await runner.error(name, arguments, index=0) == (category, message)


async def test_a_flood_is_cut_and_says_so(runner: Runner) -> None:
    text = await runner.text("floods")
    assert len(text) < 20_100
    assert text.endswith("… cut, 104857600 characters in all")


async def test_half_characters_do_not_break_the_ledger(runner: Runner) -> None:
    assert await runner.text("broken_text", index=0) == await runner.text("broken_text", index=0) == "a?\ufffdb"


async def test_the_details_of_a_failure_stand_in_the_log_alone(runner: Runner) -> None:
    log = io.StringIO()
    logs.setup(stream=log)
    _, message = await runner.error("throws")
    assert "swordfish" not in message
    assert "swordfish" in log.getvalue()


async def test_other_calls_go_on_beside_bad_ones(runner: Runner, actor: Actor) -> None:
    good = asyncio.create_task(runner.text("wait"))
    await asyncio.gather(*[runner.error(name) for name in ("throws", "hangs", "odd") for _ in range(20)])
    actor.go.set()
    assert await good == "done 1"


async def test_every_outcome_is_counted(runner: Runner, actor: Actor) -> None:
    def count(tool: str, outcome: str) -> float:
        return REGISTRY.get_sample_value("toolrunner_calls_total", {"tool": tool, "outcome": outcome}) or 0.0

    counted = [("wait", "ok"), ("throws", "execution"), ("throws", "validation"), ("outside", "integration")]
    before = [count(*each) for each in counted]
    actor.go.set()
    for name, arguments in (("wait", "{}"), ("throws", "{}"), ("throws", '{"x": 1}'), ("outside", "{}")):
        await runner.call(name, arguments)
    assert [count(*each) for each in counted] == [number + 1 for number in before]
    assert REGISTRY.get_sample_value("toolrunner_call_seconds_count", {"tool": "outside"})
    assert REGISTRY.get_sample_value("toolrunner_running") == 0


async def test_a_running_and_a_cancelled_call_are_counted(runner: Runner, actor: Actor) -> None:
    labels = {"tool": "wait", "outcome": "cancelled"}
    before = REGISTRY.get_sample_value("toolrunner_calls_total", labels) or 0.0
    caller = asyncio.create_task(runner.call("wait", index=0))
    await actor.running.wait()
    assert REGISTRY.get_sample_value("toolrunner_running") == 1
    caller.cancel()
    await runner.until(0, "unknown")
    assert REGISTRY.get_sample_value("toolrunner_calls_total", labels) == before + 1


async def test_memory_stays_flat_over_a_thousand_bad_calls(runner: Runner) -> None:
    process = psutil.Process()
    await _bad_calls(runner, 100)
    before = process.memory_info().rss
    await _bad_calls(runner, 1_000)
    assert process.memory_info().rss - before < 20 << 20


async def _bad_calls(runner: Runner, count: int) -> None:
    names = ["throws", "hangs", "odd", "broken_text", "outside"] * (count // 5)
    names[::50] = ["floods"] * len(names[::50])
    for start in range(0, count, 20):
        await asyncio.gather(*[runner.call(name) for name in names[start : start + 20]])
