"""`valor up`: owns the data folder, starts the house, says where everything is, and stays until told to stop."""

import asyncio
import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.chassis import app, client, logs
from services.chassis.errors import SettingsError
from services.cli import plan as plans
from services.cli.chat import Chat, Terminal, pipe
from services.cli.house import one_process
from services.cli.plan import SERVICES, Plan, Run
from services.cli.sandbox import people
from services.cli.supervisor import processes as separate_processes

SLOW = 20.0
"""Seconds after which the start is said to be slow; the house goes on starting."""


async def up(*, processes: bool, chat: bool) -> None:
    """Run the house until Ctrl-C or SIGTERM; with `chat` until the end of standard input as well.

    Raises:
        SettingsError: A setting is missing or wrong, or a house runs on this folder already.
    """
    folder = plans.data_folder(os.environ)
    with _owned(folder):
        plan = plans.make(os.environ, processes=processes)
        where = _send_logs(folder, hide=chat)
        stop = app.stop_signal()
        async with (separate_processes if processes else one_process)(plan):
            plan.run.save(folder)
            await serving(plan.run, stop)
            sys.stderr.write(_greeting(plan, where))
            await _stay(plan.run, stop, chat=chat)
            sys.stderr.write("Stopping.\n")
        (folder / "run.json").unlink(missing_ok=True)


@contextmanager
def _owned(folder: Path) -> Iterator[None]:
    """One house a folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "run.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise SettingsError(f"VALOR_DATA is wrong: {folder} cannot be written ({error.strerror}).") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise SettingsError(f"Valor runs on {folder} already: stop it, or set VALOR_DATA to another folder.") from None
    finally:
        os.close(lock)


def _send_logs(folder: Path, *, hide: bool) -> str:
    """Logs go to standard error, but into a file where they would disturb a chat; says where."""
    level = os.environ.get("VALOR_LOG_LEVEL", "info")
    if not hide:
        logs.setup(level)
        return "standard error"
    path = folder / "valor.log"
    logs.setup(level, path.open("a", buffering=1))
    return str(path)


async def serving(run: Run, stop: asyncio.Event) -> None:
    """Wait until every service says that it serves."""
    names = {name: f"valor.{name}.v1.{name.capitalize()}Service" for name in SERVICES} | {"telegram": "telegram"}
    waits = [_healthy(run.health.get(name, run.health.get("valor", "")), service) for name, service in names.items()]
    ends: list[asyncio.Future[Any]] = [asyncio.gather(*waits), asyncio.create_task(stop.wait())]
    done, _ = await asyncio.wait(ends, timeout=SLOW, return_when=asyncio.FIRST_COMPLETED)
    if not done:
        sys.stderr.write("This takes longer than usual; `valor status` tells what is missing.\n")
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for end in ends:
        end.cancel()
    await asyncio.gather(*ends, return_exceptions=True)


async def _healthy(address: str, service: str) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        while True:
            try:
                request = health_pb2.HealthCheckRequest(service=service)
                if (await stub.Check(request, timeout=1)).status == health_pb2.HealthCheckResponse.SERVING:
                    return
            except grpc.aio.AioRpcError:
                pass  # it is on its way
            await asyncio.sleep(0.02)


def _greeting(plan: Plan, where: str) -> str:
    run = plan.run
    lines = [f"Valor is up. Data: {plan.folder} · logs: {where}"]
    lines += [f"  {name:<11} {address}" for name, address in run.addresses.items()]
    lines += [
        f"  {f'{name} health':<18} {run.health[name]}  metrics http://{run.metrics[name]}/metrics"
        for name in run.health
    ]
    if run.sandbox is None:
        lines.append("Write to your bot in Telegram. The first message of a stranger is answered with a pairing code.")
    else:
        lines.append(f"  {'telegram':<11} sandbox at {run.sandbox.listen}, control port {run.sandbox.control}")
        lines.append("No Telegram settings: this is a sandbox Telegram on this machine. Try: what is 17 * 23?")
    return "\n".join(lines) + "\n"


async def _stay(run: Run, stop: asyncio.Event, *, chat: bool) -> None:
    if not chat or run.sandbox is None or stop.is_set():
        await stop.wait()
        return
    talking, told = asyncio.create_task(converse(run)), asyncio.create_task(stop.wait())
    await asyncio.wait([talking, told], return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if not talking.done():
        talking.cancel()
    await asyncio.gather(talking, return_exceptions=True)


async def converse(run: Run) -> None:
    """The prompt on a terminal, line by line elsewhere; until the end of input."""
    if run.sandbox is None:
        raise SettingsError("This house is on the real Telegram: chat with your bot there.")
    async with (
        people(run.sandbox) as (sandbox, person, bot),
        client.connect(run.addresses["pipeline"], run.token) as pipeline,
    ):
        chat = Chat(sandbox, person, bot, pipeline)
        await (Terminal(chat).run() if sys.stdin.isatty() and sys.stdout.isatty() else pipe(chat))
