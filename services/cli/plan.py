"""What a house needs before it starts: addresses, secrets of this run, and the environment that every service reads."""

import json
import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.cli.run import Run, SandboxRun

SERVICES = ("people", "toolrunner", "agent", "pipeline", "telegram", "monitor")
"""Callee first: the order in which a house starts, and the reverse of that in which it stops."""

CALLED = ("people", "toolrunner", "agent", "pipeline", "monitor")
"""Services that take calls."""

HOST = "127.0.0.1"
FIRST_PORTS = range(7200, 32_000, 1000)
"""Calls from 7200 on, the status page at 7290, health from 7300, metrics from 7400, the sandbox Telegram at 7500; a
taken port is replaced.
A second house on the machine begins at 8200, and so on; those that programs get for their own calls lie above."""

TELEGRAM = ("API_ID", "API_HASH", "BOT_TOKEN", "SERVER", "SERVER_KEY")
"""Settings of telegram, any of which asks for the real one."""
SANDBOX_API = {"TELEGRAM_API_ID": "1", "TELEGRAM_API_HASH": "0" * 32}
"""The sandbox asks for no application; Telethon wants one."""


@dataclass(frozen=True)
class Plan:
    """A house that is about to start."""

    folder: Path
    run: Run
    environment: dict[str, str]
    """What every process gets; `process_environment` adds what is each process's own."""

    @property
    def sandbox(self) -> SandboxRun:
        """The sandbox of a house that has one."""
        if self.run.sandbox is None:
            raise LookupError("this house has no sandbox")
        return self.run.sandbox

    def settle_owner(self, person: int) -> None:
        """The person at the terminal owns the house, unless the settings name somebody else."""
        self.environment["VALOR_OWNER"] = os.environ.get("VALOR_OWNER") or str(person)

    def process_environment(self, process: str) -> dict[str, str]:
        """The environment of one process."""
        return {
            **self.environment,
            "VALOR_HEALTH": self.run.health[process],
            "VALOR_METRICS": self.run.metrics[process],
        }


def data_folder(environ: Mapping[str, str]) -> Path:
    """VALOR_DATA, or `data` below the present folder."""
    return Path(environ.get("VALOR_DATA") or "data").absolute()


@contextmanager
def first_port() -> Iterator[int]:
    """The first port of a block that no other house has, until our block ends, however that ends.

    A free port alone says little: two houses that start at the same time find the same ones.
    """
    with socket.socket() as mark:
        for first in FIRST_PORTS:
            try:
                mark.bind((HOST, first - 1))
                break
            except OSError:
                continue
        yield first


def make(environ: Mapping[str, str], *, processes: bool, first: int) -> Plan:
    """Choose addresses, from the port `first` on, and secrets.

    Without Telegram settings the house brings its own sandbox Telegram.
    """
    folder = data_folder(environ)
    ports = _Ports()
    sandbox = None if any(environ.get(f"TELEGRAM_{name}") for name in TELEGRAM) else _sandbox(folder, ports, first)
    addresses = {name: ports.take(first + number) for number, name in enumerate(CALLED)}
    members = SERVICES if processes else ("valor",)
    run = Run(
        pid=os.getpid(),
        token=secrets.token_urlsafe(32),
        addresses=addresses,
        health={name: ports.take(first + 100 + number) for number, name in enumerate(members)},
        metrics={name: ports.take(first + 200 + number) for number, name in enumerate(members)},
        sandbox=sandbox,
        page=environ.get("MONITOR_HTTP") or ports.take(first + 90),
    )
    return Plan(folder, run, _environment(folder, run))


def _environment(folder: Path, run: Run) -> dict[str, str]:
    shared = {
        "VALOR_DATA": str(folder),
        "VALOR_TOKEN": run.token,
        "VALOR_TLS": "",
        "VALOR_SCOPE_KEY": secrets.token_urlsafe(32),
        "MONITOR_TARGETS": ",".join(_target(run, name) for name in SERVICES),
        "MONITOR_HTTP": run.page,
    }
    for name, address in run.addresses.items():
        shared[f"{name.upper()}_LISTEN"] = shared[f"{name.upper()}_ADDRESS"] = address
    if run.sandbox is not None:
        shared |= SANDBOX_API | {
            "TELEGRAM_BOT_TOKEN": run.sandbox.bot_token,
            "TELEGRAM_SERVER": run.sandbox.listen,
            "TELEGRAM_SERVER_KEY": str(folder / "testdc" / "server_key.pem"),
        }
    return shared


def _target(run: Run, name: str) -> str:
    process = name if name in run.health else "valor"
    return f"{name}={run.health[process]}/{run.metrics[process].rpartition(':')[2]}"


def _sandbox(folder: Path, ports: "_Ports", first: int) -> SandboxRun:
    """The sandbox of a folder keeps its bot for ever, so that a second start goes on where the first ended."""
    path = folder / "sandbox.json"
    if not path.exists():
        token = f"{10_000 + secrets.randbelow(90_000)}:{secrets.token_urlsafe(24)}"
        draft = folder / "sandbox.new"
        draft.write_text(json.dumps({"bot_token": token}))
        draft.replace(path)  # whole or not at all, whenever the process is killed
    bot_token = json.loads(path.read_text())["bot_token"]
    return SandboxRun(
        listen=ports.take(first + 300),
        control=ports.take(first + 301),
        token=secrets.token_urlsafe(32),
        bot_token=bot_token,
    )


class _Ports:
    """Free ports: the wished-for one, or another where it is taken."""

    def __init__(self) -> None:
        self._given: set[int] = set()

    def take(self, wished: int) -> str:
        for port in (wished, 0):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((HOST, port))
                except OSError:
                    continue
                found = probe.getsockname()[1]
            if found not in self._given:
                self._given.add(found)
                return f"{HOST}:{found}"
        return self.take(0)
