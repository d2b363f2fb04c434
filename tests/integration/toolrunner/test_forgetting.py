"""The ledger does not grow for ever, and its size slows nobody down."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.chassis.database import Database
from services.toolrunner import call as calls_module
from services.toolrunner import migrations
from services.toolrunner.adapters import ledger as ledger_module
from services.toolrunner.adapters.ledger import SqlLedger
from services.toolrunner.call import Calls
from services.toolrunner.model import Call, Key, Outcome, Scope
from services.toolrunner.registry import Catalogue
from tests.integration.toolrunner.runner import Actor
from tests.support.store import place

DAY = 86_400
SCOPE = Scope("turn", frozenset({"tools"}), time.time() + DAY)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.open(place(tmp_path, "toolrunner"), migrations) as database:
        yield database


async def kept(ledger: SqlLedger) -> list[int]:
    """The indexes of the calls that are remembered."""
    return sorted(record.call.key.index for record in await ledger.newest("", None, 1_000))


async def test_pure_calls_are_forgotten_after_a_week_and_what_acted_never_runs_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls_module, "BEAT", 0.01)
    monkeypatch.setattr(ledger_module, "BATCH", 2)
    actor, ledger = Actor(), SqlLedger(database)
    actor.go.set()

    def calls(days_ago: int) -> Calls:
        return Calls(Catalogue(actor.tools()), ledger, at_once=4, clock=lambda: time.time() - days_ago * DAY)

    for index, name in enumerate(("wait", "wait", "act", "wait")):
        await calls(8).call(SCOPE, 0, index, name, "{}")
    await calls(6).call(SCOPE, 0, 4, "wait", "{}")
    async with calls(0).open() as now, asyncio.timeout(10):
        while await kept(ledger) != [2, 4]:
            await asyncio.sleep(0.01)
        assert await now.call(SCOPE, 0, 2, "act", "{}") == Outcome("done 3")
        assert await now.call(SCOPE, 0, 0, "wait", "{}") == Outcome("done 6")
    assert await kept(ledger) == [0, 2, 4]


async def test_a_few_are_forgotten_at_once_the_oldest_first(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "BATCH", 2)
    ledger = SqlLedger(database)
    for index in (3, 1, 0, 2):
        await ledger.begin(Call(Key("turn", 0, index), "wait", ""), side_effects=False, now=float(index))
    await ledger.forget(before=100.0)
    assert await kept(ledger) == [2, 3]


@pytest.mark.sqlite
@pytest.mark.parametrize("query", ["_KEEP", "_LOSE_ALL", "_OLD"])
async def test_no_beat_and_no_start_reads_what_has_ended(database: Database, query: str) -> None:
    given = dict.fromkeys(("turn", "step", "index", "owner", "until", "all", "now", "before", "batch"), 1)
    explained = f"EXPLAIN QUERY PLAN {getattr(ledger_module, query)}"
    steps = [row["detail"] for row in await database.read(lambda tx: tx.all(explained, **given))]
    assert all("INDEX" in step for step in steps), steps
