"""A house of separate processes: each is started, watched, and started again whenever it ends."""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.chassis import logs
from services.chassis.backoff import pause
from services.chassis.errors import SettingsError
from services.cli.actors import people
from services.cli.plan import SERVICES, Plan

log = logs.get()

PAUSES = (0.05, 0.2, 1.0, 3.0)
"""Seconds before a process is started again; the last one as often as it takes."""
STEADY = 10.0
"""Seconds of life after which the next pause is the first one again."""
BAD_SETTING = 2
"""The exit code of a process that a setting keeps from starting: starting it again would not help."""
PATIENCE = 9.0
"""Seconds that a house may take to stop before what is left is killed."""


@asynccontextmanager
async def processes(plan: Plan) -> AsyncIterator[None]:
    """Run every service as a process of its own until the block ends.

    Raises:
        SettingsError: A service refuses to start; its own sentence.
    """
    (plan.folder / "logs").mkdir(parents=True, exist_ok=True)
    async with asyncio.TaskGroup() as tasks:
        children: dict[str, Child] = {}

        def start(name: str, environment: dict[str, str]) -> None:
            children[name] = Child(name, environment, plan.folder / "logs" / f"{name}.log")
            tasks.create_task(children[name].keep(), name=name)

        try:
            if plan.run.sandbox is not None:
                start("testdc", _sandbox_environment(plan))
                plan.settle_owner(await _person(plan))
            for name in SERVICES:
                start(name, plan.process_environment(name))
            yield
        finally:
            await _stop(children)


class Child:
    """One process of the house."""

    def __init__(self, name: str, environment: dict[str, str], log_file: Path) -> None:
        self._name, self._environment, self._log_file = name, environment, log_file
        self._process: Process | None = None
        self._stopping = False

    async def keep(self) -> None:
        """Keep the process running until `stop`."""
        failures = 0
        while not self._stopping:
            born = time.monotonic()
            code = await self._live()
            if code == BAD_SETTING:
                raise SettingsError(_last_line(self._log_file))
            failures = 0 if time.monotonic() - born > STEADY else failures + 1
            if not self._stopping:
                log.warning("process_ended", process=self._name, code=code)
                await asyncio.sleep(pause(PAUSES, failures))

    async def _live(self) -> int:
        with self._log_file.open("ab") as log_file:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                f"services.{self._name}",
                stdin=PIPE,  # its end tells the child that we are gone
                stdout=DEVNULL,
                stderr=log_file,
                env={**os.environ, **self._environment, "VALOR_STOP_WITH_PARENT": "1"},
                start_new_session=True,  # Ctrl-C is ours: we stop the children in order
            )
            return await self._process.wait()

    async def stop(self) -> None:
        """Ask the process to end, and wait until it has."""
        self._stopping = True
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            await self._process.wait()

    def kill(self) -> None:
        """End the process at once."""
        self._stopping = True
        if self._process is not None and self._process.returncode is None:
            self._process.kill()


async def _stop(children: dict[str, Child]) -> None:
    """Telegram first, so that nothing new comes in; then everybody else; the sandbox last."""
    try:
        async with asyncio.timeout(PATIENCE):
            for group in ({"telegram"}, set(SERVICES) - {"telegram"}, {"testdc"}):
                await asyncio.gather(*(child.stop() for name, child in children.items() if name in group))
    except TimeoutError:
        log.error("processes_killed")
    for child in children.values():
        child.kill()


def _sandbox_environment(plan: Plan) -> dict[str, str]:
    run = plan.sandbox
    return {
        "TESTDC_FOLDER": str(plan.folder / "testdc"),
        "TESTDC_LISTEN": run.listen,
        "TESTDC_CONTROL": run.control,
        "TESTDC_TOKEN": run.token,
        "TESTDC_BOT_TOKEN": run.bot_token,
    }


async def _person(plan: Plan) -> int:
    """The person at the terminal, once the sandbox is there."""
    while True:
        try:
            async with people(plan.sandbox) as (_, person, _):
                return person.id
        except ConnectionError:
            await asyncio.sleep(0.05)


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"{path.stem} refuses to start."
