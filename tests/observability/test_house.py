"""The whole house beside a real Prometheus: every panel shows something, alerts fire when they should, and only then.

One run for all tests of this module: people talk while all is well, then many things break at once, each on purpose.
`make observability` runs it; it takes about two and a half minutes.
"""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio

from services.testdc.faults import error, flood
from tests.observability.prometheus import NAMESPACE
from tests.observability.scene import Scene, scene

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(400)]

DASHBOARDS = {
    path.stem: json.loads(path.read_text())
    for path in sorted((Path(__file__).parents[2] / "charts" / "valor" / "files" / "dashboards").glob("*.json"))
}
VARIABLES = {
    "$namespace": NAMESPACE,
    "$instance": ".*",
    "$__rate_interval": "30s",
    "$__range": "5m",
}
SEND, TYPING = "messages.sendMessage", "messages.setTyping"

BROKEN = {
    "the model is overloaded": ("ValorModelFailing", "agent: Model calls that fail"),
    "the model's provider takes no more": ("ValorModelRateLimited", "agent: Model's pause"),
    "the model's key is refused": ("ValorModelRefused", "agent: Model calls"),
    "questions are given up": ("ValorTurnsFailing", "pipeline: Turns given up"),
    "letters are dead": ("ValorDeadLetters", "overview: Dead letters"),
    "the agent hangs": ("ValorProcessDown", "monitor: Services that take calls"),
    "so the house is not well": ("ValorHealthLow", "overview: Health"),
    "and a service takes no calls": ("ValorServiceTakesNoCalls", "monitor: Parts"),
    "no tool can be reached": ("ValorToolsFailing", "agent: Tool calls"),
    "the pipeline cannot be reached": ("ValorMessagesNotTakenIn", "overview: Not taken in"),
    "the pipeline's disk is full": ("ValorDatabaseRefuses", "pipeline: Trouble"),
    "Telegram fails": ("ValorTelegramFailing", "telegram: How they end"),
    "Telegram bans": ("ValorFloodBan", "telegram: Flood wait"),
    "the budget is nearly spent": ("ValorBudgetNearlySpent", "overview: The house's budget"),
    "the budget is spent": ("ValorBudgetSpent", "overview: Refused for budget"),
    "the owner hangs": ("ValorNoOwner", "overview: Owner"),
}
"""What is broken → the alert that fires, and a panel that shows it."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def calm(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """A house in which people have talked for a while."""
    async with scene(tmp_path_factory.mktemp("house")) as it:
        await talk(it)
        yield it


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broken(calm: Scene) -> Scene:
    """The same house after all of it was broken."""
    await break_all(calm)
    return calm


async def talk(it: Scene) -> None:
    """Everything that people do on a good day, a few at a time."""
    await it.status()
    await asyncio.gather(*(chat(it, number) for number in range(4)))
    await it.status()
    await it.say(it.people[0], "/remind in 2 seconds tea")
    await it.sandbox.say(it.people[0], it.group, "nobody is asked")
    await it.sandbox.ask(await it.sandbox.add_user("Stranger"), it.bot, "let me in", 20)
    await it.waste(it.people[1:2])
    await it.prometheus.until('increase(pipeline_ended_promises_total{outcome="kept"}[1m]) > 0', 20)
    await it.waste(it.people[1:2])
    await it.waste(it.people[1:2])
    await it.ask(it.people[1], "hello")
    await it.prometheus.until('pipeline_refused_calls_total{scope="person"} > 0', 20)


async def chat(it: Scene, number: int) -> None:
    who = it.people[number]
    for text in ("hello", "please calculate", "please look", "please slow", "thank you"):
        await it.ask(who, text)


async def break_all(it: Scene) -> None:
    """One thing after another; what does not disturb each other at once."""
    watch = it.prometheus
    questions = ["overloaded"] * 10 + ["limited"] * 2 + ["key", "refused"] + ["calculate"] * 8
    cut = asyncio.create_task(it.links["agent-toolrunner"].sever(12))
    await it.sandbox.fault(SEND, error(500, "INTERNAL"), times=None)
    for number, kind in enumerate(questions):
        await it.say(it.people[3 + number % 12], f"please {kind}")
    await asyncio.gather(*(watch.until_fired(alert) for alert in ("ValorModelRefused", "ValorModelRateLimited")), cut)
    away = asyncio.create_task(it.links["telegram-pipeline"].sever(75))
    await it.say(it.people[0], "are you there?")
    await fill_disk(it)
    await hang(it, "agent", watch.until_fired("ValorHealthLow"))
    await hang(it, "pipeline", watch.until("monitor_scale_held == 1", 30))
    await away
    await it.sandbox.clear_faults()
    await it.prometheus.until("pipeline_undelivered_parts == 0", 60)
    await it.drop_letters()
    await it.sandbox.fault(TYPING, flood(1000))
    await it.say(it.people[0], "please slow")
    await spend(it)
    await hang(it, "telegram", watch.until_fired("ValorNoOwner"))


async def hang(it: Scene, service: str, while_: Awaitable[None]) -> None:
    """A process does nothing for a while."""
    process = it.process(service)
    process.suspend()
    try:
        await while_
    finally:
        process.send_signal(signal.SIGCONT)


async def fill_disk(it: Scene) -> None:
    """No file of the pipeline can grow, while it has to write."""
    process = it.process("pipeline")
    process.rlimit(psutil.RLIMIT_FSIZE, (0, psutil.RLIM_INFINITY))
    try:
        await it.prometheus.until_fired("ValorDatabaseRefuses")
    finally:
        process.rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))


async def spend(it: Scene) -> None:
    """Waste until nothing is left for anybody."""
    await it.waste(it.people[3:])
    await it.prometheus.until_fired("ValorBudgetNearlySpent")
    await it.ask(it.people[0], "hello")
    await it.prometheus.until_fired("ValorBudgetSpent")


async def test_nothing_fires_while_all_is_well(calm: Scene) -> None:
    assert await calm.prometheus.fired() == set()
    assert await calm.prometheus.now('sum(pipeline_delivery_seconds_count{outcome="answered"})') > 20


@pytest.mark.parametrize("what", BROKEN)
async def test_what_is_broken_fires_its_alert_and_shows_on_its_panel(broken: Scene, what: str) -> None:
    """F95."""
    alert, panel = BROKEN[what]
    assert alert in await broken.prometheus.fired()
    values = [await broken.prometheus.values(expression) for expression in expressions(panel)]
    assert any(len(set(found)) > 1 for found in values), f"{panel} does not move"


@pytest.mark.parametrize("name", DASHBOARDS)
async def test_every_panel_has_data(broken: Scene, name: str) -> None:
    panels = (panel for panel in DASHBOARDS[name]["panels"] if panel["type"] != "row")
    asked = [(panel["title"], substituted(target)) for panel in panels for target in panel["targets"]]
    assert not [each for each in asked if not await broken.prometheus.values(each[1])]


def expressions(panel: str) -> list[str]:
    """What a panel asks for; `dashboard: title`."""
    name, _, title = panel.partition(": ")
    found = [each for each in DASHBOARDS[name]["panels"] if each["title"] == title]
    return [substituted(target) for each in found for target in each["targets"]]


def substituted(target: dict[str, Any]) -> str:
    """The expression of a panel, with Grafana's variables filled in."""
    expression = str(target["expr"])
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression
