"""What a measurement runs on: a sandbox Telegram and a model beside the house, so that figures count it alone."""

import asyncio
import json
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from services.testdc.model import Account
from services.testdc.remote import Sandbox
from services.testdc.server import TestDC
from tests.support.model_server import TEXT, ModelServer, Reply, Request, serving
from tests.support.store import database

BOT_TOKEN = "4242:bench-needs-no-secret"
CONTROL_TOKEN = "bench-needs-no-secret"
CHUNKS = 40

PURSE = "1000000 USD"
"""Enough for every session at once: each reserves what a long answer may cost, and a house has 20 USD a day."""


@dataclass
class Model:
    """The local model: every answer in 40 chunks over `delay` seconds, and when it was asked."""

    delay: float = 0.0
    asked: list[float] = field(default_factory=list)
    server: ModelServer | None = None

    def reply(self, _request: Request) -> Reply:
        """What it answers."""
        self.asked.append(time.time())
        if self.server is not None:
            self.server.requests.clear()
        return Reply(TEXT * 4, chunks=CHUNKS, delay=self.delay)


@dataclass
class Stage:
    """Everything but the house."""

    folder: Path
    sandbox: Sandbox
    bot: Account
    people: Sequence[Account]
    model: Model
    telegram: str

    def environment(self, data: Path) -> dict[str, str]:
        """What a house on this stage is started with."""
        if self.model.server is None:
            raise LookupError("the model does not run")
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("VALOR_")},
            "VALOR_DATA": str(data),
            "VALOR_MODEL": "anthropic:claude-haiku-4-5",
            "VALOR_MODEL_URL": self.model.server.url,
            "ANTHROPIC_API_KEY": "none",
            "VALOR_ALLOW": ",".join(str(person.id) for person in self.people),
            "VALOR_LOG_LEVEL": "info",
            "PIPELINE_RATE_PER_MINUTE": "1000000",
            **dict.fromkeys(("VALOR_BUDGET_TOTAL_DAY", "VALOR_BUDGET_TOTAL_MONTH"), PURSE),
            "TELEGRAM_API_ID": "1",
            "TELEGRAM_API_HASH": "0" * 32,
            "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
            "TELEGRAM_SERVER": self.telegram,
            "TELEGRAM_SERVER_KEY": str(self.folder / "testdc" / "server_key.pem"),
        }


@asynccontextmanager
async def stage(folder: Path, people: int) -> AsyncIterator[Stage]:
    """A sandbox with so many people in it, and a model."""
    world = TestDC(folder / "testdc")
    try:
        bot = world.world.add_bot("Valor", BOT_TOKEN)
        crowd = [world.world.add_user(f"P{number}") for number in range(people)]
    finally:
        world.world.close()
    async with AsyncExitStack() as running:
        telegram, control = await running.enter_async_context(_sandbox(folder / "testdc"))
        host, _, port = control.rpartition(":")
        sandbox = await running.enter_async_context(Sandbox.connect(host, int(port), CONTROL_TOKEN))
        model = Model()
        model.server = await running.enter_async_context(serving(model.reply))
        yield Stage(folder, sandbox, bot, crowd, model, telegram)


@asynccontextmanager
async def _sandbox(folder: Path) -> AsyncIterator[tuple[str, str]]:
    environment = {
        **os.environ,
        "TESTDC_FOLDER": str(folder),
        "TESTDC_LISTEN": "127.0.0.1:0",
        "TESTDC_CONTROL": "127.0.0.1:0",
        "TESTDC_TOKEN": CONTROL_TOKEN,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.testdc", env=environment, stderr=PIPE
    )
    if process.stderr is None:
        raise LookupError("no pipe")
    try:
        where = json.loads(await process.stderr.readline())
        yield where["address"], where["control"]
    finally:
        process.terminate()
        await process.wait()


@dataclass
class House:
    """A running house, or whatever else answers on the stage."""

    process: Process
    started: float
    up: float
    """Seconds from its start until it said that it is up."""

    def _members(self) -> list[psutil.Process]:
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def cpu(self) -> float:
        """Seconds of processor time so far, all processes."""
        times = [member.cpu_times() for member in self._members()]
        return float(sum(time.user + time.system for time in times))

    def memory(self) -> float:
        """Resident megabytes, all processes; what they share counts for each."""
        return float(sum(member.memory_info().rss for member in self._members())) / 1e6


@asynccontextmanager
async def house(on: Stage, *arguments: str, ready: bytes = b"Valor is up") -> AsyncIterator[House]:
    """Run a program on the stage until the block ends; by default Valor in one process, on the store of the run."""
    data = on.folder / f"data-{time.monotonic_ns()}"
    data.mkdir()
    program = arguments or ("-m", "services.cli", "up")
    with (data / "log").open("wb") as log, database() as url:
        started = time.time()
        process = await asyncio.create_subprocess_exec(
            sys.executable, *program, env=on.environment(data) | {"VALOR_DATABASE": url}, stdout=log, stderr=log
        )
        try:
            while ready not in (data / "log").read_bytes():
                if process.returncode is not None:
                    sys.exit((data / "log").read_text())
                await asyncio.sleep(0.01)
            yield House(process, started, time.time() - started)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


def save(path: Path, figures: object) -> None:
    """Write the figures as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=1))
