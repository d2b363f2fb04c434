"""Programs that containers are started or looked after with."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.chassis.health import Health
from tests.support.process import free_port


@asynccontextmanager
async def started(module: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    command = sys.executable, "-m", module
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env=os.environ | environment)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def probed(module: str, **environment: str) -> tuple[int | None, str]:
    async with started(module, **environment) as process:
        _, words = await process.communicate()
        return process.returncode, words.decode()


async def test_a_process_that_serves_is_healthy() -> None:
    health = Health()
    async with health.serve("127.0.0.1:0") as address:
        assert await probed("services.chassis.probe", VALOR_HEALTH=address) == (0, "")
        await health.set("", serving=False)
        assert await probed("services.chassis.probe", VALOR_HEALTH=address) == (1, "The process does not serve.\n")


async def test_a_process_that_does_not_answer_is_not() -> None:
    code, words = await probed("services.chassis.probe", VALOR_HEALTH=f"127.0.0.1:{free_port()}")
    assert code == 1
    assert words.count("\n") == 1
    assert "does not answer" in words


async def test_a_data_centre_is_healthy_when_it_takes_connections() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"0.0.0.0:{server.getsockname()[1]}"
        assert await probed("services.testdc.probe", TESTDC_LISTEN=address) == (0, "")
    code, words = await probed("services.testdc.probe", TESTDC_LISTEN=address)
    assert code == 1
    assert "takes no connections" in words


async def test_a_toolbox_waits_until_it_is_told_to_stop() -> None:
    async with started("services.cli.wait") as process:
        assert process.stdout is not None
        assert b"valor" in await process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
