"""What was buried is told to the pipeline."""

import asyncio
from contextlib import suppress

import pytest

from services.chassis.errors import InvalidArgument, Unavailable
from services.telegram import report
from services.telegram.model import Poison
from tests.unit.telegram.stubs import StubPipeline, StubStore


async def run(pipeline: StubPipeline, store: StubStore, rounds: int = 20) -> None:
    task = asyncio.create_task(report.run(pipeline, store))
    for _ in range(rounds):
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "POLL", 0)


async def test_every_burial_is_told_once_in_order() -> None:
    letters = [Poison(f"raw {number}", "odd") for number in range(3)]
    pipeline, store = StubPipeline(), StubStore(letters=letters)
    await run(pipeline, store)
    await run(pipeline, store)
    assert pipeline.reports == letters


async def test_a_pipeline_that_is_away_is_told_later() -> None:
    pipeline, store = StubPipeline(), StubStore(letters=[Poison("raw", "odd")])
    pipeline.away = [Unavailable("away"), Unavailable("away")]
    await run(pipeline, store)
    assert pipeline.reports == store.letters


async def test_a_report_that_is_refused_for_good_holds_up_no_other() -> None:
    letters = [Poison("one", "odd"), Poison("two", "odd")]
    pipeline, store = StubPipeline(), StubStore(letters=letters)
    pipeline.away = [InvalidArgument("no")]
    await run(pipeline, store)
    assert (pipeline.reports, store.told) == (letters[1:], {0, 1})
