"""A process keeps within its memory limits: it cleans up, takes no new work, and in the end asks to be started anew."""

import asyncio
import json
import os
import sys

import grpc
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.chassis.health import Health
from services.chassis.ladder import MB, PATIENCE, Limits, Step
from services.chassis.resources import APART, Guard, give_back, resident
from tests.support.grower import NAME
from tests.support.process import TOKEN, free_port

SERVING, NOT_SERVING = 1, 2
LIMITS = {"VALOR_MEMORY_LIMIT": "300", "VALOR_MEMORY_EMERGENCY": "700"}
"""It sheds from 500 MB on, and takes work again below 450."""


async def _says(address: str, status: int, service: str = NAME) -> None:
    """Wait until a process's health says so."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service=service)
        while (await stub.Check(request, wait_for_ready=True)).status != status:
            await asyncio.sleep(0.01)


async def test_a_process_that_grows_sheds_and_recovers_and_at_the_emergency_ends_well() -> None:
    """F69. It ends by itself, with all it had under way done; what runs it starts it again, as after every end."""
    health = f"127.0.0.1:{free_port()}"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.grower"),
        env={**os.environ, "VALOR_TOKEN": TOKEN, "VALOR_HEALTH": health, **LIMITS},
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stderr is not None
    log = [json.loads(await process.stderr.readline())]
    for blocks, status in ((13, SERVING), (23, NOT_SERVING), (15, SERVING)):  # of 20 MB; it needs about 90 itself
        process.stdin.write(f"{blocks}\n".encode())
        await _says(health, status)
        await _says(health, SERVING, "")
    process.stdin.write(b"40\n")
    log += [json.loads(line) for line in (await process.stderr.read()).splitlines()]
    assert await process.wait() == 0
    steps = [line["step"] for line in log if line["event"] == "memory_step"]
    assert [step for step in steps if step != "clean"] == ["shed", "restart"]
    assert [line["event"] for line in log][-2:] == ["stopping", "stopped"]


class Memory:
    """A process's memory, clock and cleaning as a test wants them."""

    def __init__(self) -> None:
        self.now, self.used, self.garbage, self.cleanings = 0.0, 100, 0, 0
        self.stop, self.health = asyncio.Event(), Health()
        self.guard = Guard(
            Limits(500 * MB, 800 * MB),
            self.health,
            self.stop,
            memory=lambda: (self.used + self.garbage) * MB,
            clean=self.clean,
            clock=lambda: self.now,
        )

    def clean(self) -> None:
        self.garbage = 0
        self.cleanings += 1

    async def after(self, seconds: float, used: int, garbage: int = 0) -> Step:
        self.now, self.used, self.garbage = self.now + seconds, used, garbage
        return await self.guard.look()


async def test_what_cleaning_frees_is_no_reason_for_more() -> None:
    memory = Memory()
    assert await memory.after(1, 300, garbage=600) is Step.FINE
    assert (memory.cleanings, memory.health.shedding) == (1, False)


async def test_it_cleans_once_a_minute_at_most() -> None:
    memory = Memory()
    for _ in range(round(2.5 * APART)):
        assert await memory.after(1, 550) is Step.CLEAN
    assert memory.cleanings == 3


async def test_shedding_that_does_not_help_ends_the_process() -> None:
    memory = Memory()
    assert await memory.after(1, 700) is Step.SHED
    assert memory.health.shedding
    assert await memory.after(PATIENCE - 1, 700) is Step.SHED
    assert not memory.stop.is_set()
    memory.now += 1
    await memory.guard.watch()
    assert memory.stop.is_set()


def test_its_own_memory_is_measured_and_given_back() -> None:
    assert resident() == pytest.approx(psutil.Process().memory_info().rss, rel=0.1)
    give_back()
