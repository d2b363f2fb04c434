"""Toolrunner as a process that is told to stop, or killed."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from services.chassis import client
from services.toolrunner.adapters.monty import SECONDS
from tests.integration.toolrunner.runner import KEY, Runner, alive
from tests.support.process import CREDENTIAL, TOKEN

LOOP = json.dumps({"code": "while True: pass"})


@contextmanager
def _process(data: Path) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    environment = os.environ | {
        "VALOR_DATA": str(data),
        "VALOR_TOKEN": TOKEN,
        "VALOR_SCOPE_KEY": KEY,
        "TOOLRUNNER_WORKERS": "10",
    }
    command = [sys.executable, "-m", "services.toolrunner"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            serving = next(json.loads(line) for line in process.stderr if '"serving"' in line)
            yield process, serving["address"]
        finally:
            process.kill()


async def _loops(count: int, runner: Runner, process: int) -> tuple[list["asyncio.Task[object]"], list[psutil.Process]]:
    """Programs that never end, and the workers that run them."""
    calls = [asyncio.create_task(runner.call("run_python", LOOP, index=n)) for n in range(count)]
    children = psutil.Process(process).children
    while sum(child.cpu_times().user > 0 for child in children()) < count:
        await asyncio.sleep(0)
    return [*calls], children()


async def _leave(calls: list["asyncio.Task[object]"]) -> None:
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)


async def test_running_sandboxes_end_with_the_process_that_is_told_to_stop(tmp_path: Path) -> None:
    with _process(tmp_path) as (process, address):
        async with client.connect(address, CREDENTIAL) as caller:
            calls, workers = await _loops(10, Runner(caller), process.pid)
            process.send_signal(signal.SIGTERM)
            await _leave(calls)
            assert await asyncio.to_thread(process.wait, 10) == 0
            assert alive(workers) == []


async def test_large_values_leave_no_trace_in_memory(tmp_path: Path) -> None:
    large, small = (json.dumps({"code": f"'x' * ({size} << 20)"}) for size in (20, 0))
    with _process(tmp_path) as (process, address):
        async with client.connect(address, CREDENTIAL) as caller:
            runner, memory = Runner(caller), psutil.Process(process.pid).memory_info
            await runner.text("run_python", small)
            before = memory().rss
            for _ in range(20):
                await runner.text("run_python", large)
            await runner.text("run_python", small)
            assert memory().rss - before < 20 << 20


@pytest.mark.sqlite
async def test_after_a_kill_no_worker_is_left_and_the_calls_it_left_are_known(tmp_path: Path) -> None:
    """F68. Its workers end themselves, so nobody has to find out later which processes were its own."""
    with _process(tmp_path) as (process, address):
        async with client.connect(address, CREDENTIAL) as caller:
            calls, workers = await _loops(10, Runner(caller), process.pid)
            process.kill()
            await _leave(calls)
    with _process(tmp_path) as (process, address):
        async with client.connect(address, CREDENTIAL) as caller:
            listed = (await Runner(caller).calls()).calls
            assert [call.state for call in listed] == ["unknown"] * 10
            assert await Runner(caller).text("run_python", '{"code": "1"}') == "Value: 1"
    async with asyncio.timeout(SECONDS + 30):
        while alive(workers):
            await asyncio.sleep(0.05)
