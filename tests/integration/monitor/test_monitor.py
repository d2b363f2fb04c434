"""The monitor looks at a real house: health ports, a pipeline, this machine."""

import asyncio
import json
import math
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest

from services.chassis.health import Health
from services.monitor.__main__ import serve
from services.monitor.adapters import health as health_ports
from services.monitor.adapters.machine import ThisMachine
from services.monitor.settings import Settings
from tests.integration.monitor.house import NAMES, House, Pipeline, a_house, metric
from tests.support.process import TOKEN, running
from valor.pipeline.v1 import pipeline_pb2


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with a_house(tmp_path) as house:
        yield house


async def test_a_house_that_is_well_says_so_part_by_part(house: House) -> None:
    seen = await house.fresh()
    assert [check.name for check in seen.checks] == [*NAMES, "memory", "resources", "waiting", "dead letters"]
    of_the_machine = {"memory", "resources"}
    assert {check.score for check in seen.checks if check.name not in of_the_machine} == {100}
    assert seen.measure_time.ToSeconds() > 0


@pytest.mark.parametrize("name", NAMES)
async def test_each_service_that_is_cut_is_named_and_comes_back(house: House, name: str) -> None:
    well = (await house.fresh()).score
    await house.cut(name)
    parts = await house.parts()
    assert [part.name for part in parts.values() if part.score == 0] == [name]
    nobody = "telegram lives, and nobody is at work."
    assert parts[name].detail == (nobody if name == "telegram" else f"{name} says that it takes no calls.")
    assert (await house.fresh()).score < well
    assert metric("monitor_target_up", target=name) == 0
    await house.cut(name, serving=True)
    assert (await house.fresh()).score == well
    assert metric("monitor_target_up", target=name) == 1
    assert metric("monitor_health_score") == well


async def test_what_waits_and_what_is_dead_is_measured(house: House) -> None:
    house.pipeline.queue = pipeline_pb2.GetQueueResponse(
        waiting=5,
        running=2,
        undelivered=3,
        oldest_waiting_seconds=31,
        dead=1,
        claimable=4,
        oldest_undelivered_seconds=7,
    )
    parts = await house.parts()
    assert (parts["waiting"].score, parts["dead letters"].score) == (50, 90)
    assert metric("monitor_waiting_turns") == 5
    assert metric("monitor_running_turns") == 2
    assert metric("monitor_undelivered_parts") == 3
    assert metric("monitor_oldest_waiting_seconds") == 31
    assert metric("monitor_dead_letters") == 1
    assert metric("monitor_claimable_turns") == 4
    assert metric("monitor_oldest_undelivered_seconds") == 7
    assert metric("monitor_check_score", check="waiting") == 50


async def test_a_pipeline_that_gives_no_answer_is_no_empty_queue(house: House) -> None:
    house.pipeline.broken = True
    parts = await house.parts()
    assert (parts["waiting"].score, parts["dead letters"].score) == (0, 0)
    assert parts["waiting"].detail == "The pipeline does not say what waits."
    assert math.isnan(metric("monitor_oldest_waiting_seconds") or 0)


async def test_without_a_pipeline_nobody_pretends_to_know_the_queue(tmp_path: Path) -> None:
    async with a_house(tmp_path, with_queue=False) as house:
        assert set(await house.parts()) == {*NAMES, "memory", "resources"}


async def test_within_the_interval_the_last_measurement_is_returned(tmp_path: Path) -> None:
    async with a_house(tmp_path, interval=3_600) as house:
        first = await house.seen()
        await house.cut("people")
        assert await house.seen() == first


async def test_it_measures_without_being_asked(house: House) -> None:
    for up in (1, 0, 1):
        await house.cut("people", serving=bool(up))
        while metric("monitor_target_up", target="people") != up:
            await asyncio.sleep(0)


@pytest.fixture
def deaf() -> Iterator[str]:
    """An address where somebody listens and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


async def test_silence_absence_and_strangers_are_told_apart(
    tmp_path: Path, deaf: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_ports, "SECONDS", 0.3)
    health = Health()
    async with health.serve("127.0.0.1:0") as probed:
        targets = f"agent={probed},people={deaf},pipeline=127.0.0.1:1"
        async with running(serve, Settings(data=tmp_path, token=TOKEN, targets=targets, interval=60)) as caller:
            details = {check.name: check.detail for check in (await House(caller, health, Pipeline()).seen()).checks}
    assert details["agent"] == f"agent does not run at {probed}."
    assert details["people"] == f"people at {deaf} did not answer within 0.3 s."
    assert details["pipeline"] == "pipeline at 127.0.0.1:1 cannot be reached."


async def test_a_process_is_measured_by_its_own_page(house: House) -> None:
    await house.fresh()
    labels = {"process": "telegram, pipeline, people", "address": house.page}
    used = metric("monitor_process_resident_bytes", **labels)
    assert used == pytest.approx(psutil.Process().memory_info().rss, rel=0.2)
    while not metric("monitor_process_cpu_cores", **labels):  # a process's time is counted in ticks
        await house.fresh()
    assert metric("monitor_process_step", **labels) in {0, 1, 2, 3}


async def test_a_container_is_measured_by_its_own_limit(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("400000\n")
    memory = await ThisMachine(tmp_path).memory()
    assert (memory.available, memory.total) == (600_000, 1_000_000)
    (tmp_path / "memory.max").write_text("max\n")
    assert (await ThisMachine(tmp_path).memory()).total == psutil.virtual_memory().total


async def test_it_stops_at_once_even_while_a_target_is_silent(tmp_path: Path, deaf: str) -> None:
    environment = {"VALOR_DATA": str(tmp_path), "VALOR_TOKEN": TOKEN, "MONITOR_TARGETS": f"agent={deaf}"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.monitor", env=os.environ | environment, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    assert json.loads(await process.stderr.readline())["event"] == "serving"
    process.send_signal(signal.SIGTERM)
    lines = (await process.stderr.read()).decode().splitlines()
    assert await process.wait() == 0
    assert [json.loads(line)["event"] for line in lines] == ["stopping", "stopped"]
