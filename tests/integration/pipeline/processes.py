"""A pipeline in a process of its own, that can be killed."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from services.chassis import client
from services.chassis.errors import ValorError
from tests.integration.pipeline.house import BASIC_GROUP, GROUP, KEY, House, Pipeline, until
from tests.support.process import CREDENTIAL, TOKEN, free_port

ROOT = Path(__file__).parents[3]


class PipelineProcess:
    """`python -m services.pipeline`, beside the agent and the people of a house."""

    def __init__(self, house: House, **environment: str) -> None:
        self._house, self._environment = house, environment
        self.process: Process | None = None
        self.address = f"127.0.0.1:{free_port()}"
        self.errors = ""

    async def spawn(self) -> Process:
        """Begin a process; it need not be serving yet."""
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT}:{ROOT / 'protos' / 'gen'}",
            "VALOR_DATA": str(self._house.data),
            "VALOR_TOKEN": TOKEN,
            "VALOR_SCOPE_KEY": KEY,
            "VALOR_GROUPS": f"{GROUP},{BASIC_GROUP}",
            "VALOR_LOG_LEVEL": "warning",
            "PIPELINE_LISTEN": self.address,
            "PIPELINE_RATE_PER_MINUTE": "100000",
            "AGENT_ADDRESS": self._house.agents.address,
            "PEOPLE_ADDRESS": self._house.people.address,
            "PIPELINE_LEASE_SECONDS": "1",
            **{name: os.environ[name] for name in ("VALOR_DATABASE",) if name in os.environ},
            **self._environment,
        }
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.pipeline", cwd=ROOT, env=environment, stdin=PIPE, stderr=PIPE
        )

    async def start(self, pipeline: Pipeline | None = None) -> None:
        """Begin, and wait until it serves, as this caller sees it."""
        pipeline = pipeline or self._house.pipeline
        self.process = await self.spawn()
        self._reading = asyncio.create_task(self._read(self.process))
        async with asyncio.timeout(60):
            while True:
                try:
                    await pipeline.queue()
                except ValorError:
                    assert self.process.returncode is None, self.errors
                    await asyncio.sleep(0.01)
                else:
                    return

    @asynccontextmanager
    async def running(self) -> AsyncIterator["PipelineProcess"]:
        """Serve until the block ends, and be what the house's channel talks to."""
        async with client.connect(self.address, CREDENTIAL) as caller:
            await self._house.unfollow()
            self._house.pipeline = self._house.channel.pipeline = Pipeline(caller)
            self._house.follow()
            await self.start()
            try:
                yield self
            finally:
                await self._house.unfollow()
                if self.process is not None and self.process.returncode is None:
                    await self.kill()

    async def _read(self, process: Process) -> None:
        assert process.stderr is not None
        while line := await process.stderr.readline():
            self.errors += line.decode()

    async def signal(self, number: signal.Signals) -> int:
        """Send a signal, and wait for the end; the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        code = await self.process.wait()
        await self._reading
        return code

    async def kill(self) -> None:
        await self.signal(signal.SIGKILL)

    def memory(self) -> float:
        """MB that the process holds."""
        assert self.process is not None
        return float(psutil.Process(self.process.pid).memory_info().rss) / 1e6


async def quiet(house: House) -> None:
    """Wait until nothing is left to do."""
    pending = "SELECT id FROM turns WHERE state NOT IN ('done', 'failed', 'cancelled')"
    await until(lambda: not house.rows(pending), limit=90)
