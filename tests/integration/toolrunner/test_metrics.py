"""F95: tool calls, sandboxes and documents are counted as they come and go."""

import asyncio
import json
from pathlib import Path

import pytest

from services.chassis.database import Database
from services.toolrunner import migrations
from services.toolrunner.__main__ import serve
from services.toolrunner.adapters.ledger import SqlLedger
from services.toolrunner.model import Call, Key
from services.toolrunner.settings import Settings
from tests.integration.toolrunner.runner import KEY, Actor, Runner, serving
from tests.support.metrics import change, metric
from tests.support.process import TOKEN, running
from tests.support.sandbox import until
from tests.support.store import place

LOOP = json.dumps({"code": "x = 0\nfor n in range(5_000_000):\n    x += n\nx"})


async def test_calls_without_a_place_are_seen_to_wait(tmp_path: Path) -> None:
    actor = Actor()
    async with serving(actor.tools(), tmp_path, at_once=1) as runner:
        calls = [asyncio.create_task(runner.text("wait")) for _ in range(3)]
        await until(lambda: (metric("toolrunner_waiting_calls"), metric("toolrunner_running")) == (2, 1))
        actor.go.set()
        await asyncio.gather(*calls)
    assert metric("toolrunner_waiting_calls") == metric("toolrunner_running") == 0


async def test_a_busy_sandbox_is_seen_and_so_is_who_waits_for_one(tmp_path: Path) -> None:
    waited, runs = change("toolrunner_sandbox_wait_seconds_sum"), change("toolrunner_sandbox_wait_seconds_count")
    async with running(serve, Settings(data=tmp_path, token=TOKEN, scope_key=KEY, workers=1)) as caller:
        runner = Runner(caller)
        calls = [asyncio.create_task(runner.text("run_python", LOOP)) for _ in range(2)]
        await until(lambda: metric("toolrunner_busy_sandboxes") == 1)
        await asyncio.gather(*calls)
    assert metric("toolrunner_busy_sandboxes") == 0
    assert runs() == 2
    assert waited() > 0.02


async def test_documents_are_counted(tmp_path: Path) -> None:
    books = tmp_path / "knowledge"
    books.mkdir()
    (books / "one.md").write_text("# One\nText.")
    async with running(serve, Settings(data=tmp_path, token=TOKEN, scope_key=KEY)) as caller:
        assert metric("toolrunner_documents") == 1
        (books / "two.md").write_text("# Two\nText.")
        await Runner(caller).text("search_knowledge", '{"query": "text"}')
        assert metric("toolrunner_documents") == 2


@pytest.mark.sqlite
async def test_calls_that_a_dead_process_left_are_counted_at_the_start(tmp_path: Path) -> None:
    async with Database.open(place(tmp_path, "toolrunner"), migrations) as database:
        await SqlLedger(database).begin(Call(Key("turn", 1, 0), "act", "hash"), side_effects=True, now=0.0)
    left = change("toolrunner_calls_left_behind_total")
    async with serving(Actor().tools(), tmp_path):
        assert left() == 1
