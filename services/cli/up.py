"""`valor up`: owns the data folder, starts the house, says where everything is, and stays until told to stop."""

import asyncio
import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TextIO

from services.chassis import app, logs
from services.chassis.errors import SettingsError
from services.cli import plan as plans
from services.cli.check import check
from services.cli.converse import converse
from services.cli.greeting import greeting
from services.cli.house import one_process
from services.cli.price import assumed
from services.cli.ready import ready
from services.cli.run import Run
from services.cli.supervisor import processes as separate_processes


async def up(*, processes: bool, chat: bool) -> None:
    """Run the house until Ctrl-C or SIGTERM; with `chat` until the end of standard input as well.

    What it says goes to standard output; with `chat` that belongs to the bot, so it goes to standard error.

    Raises:
        SettingsError: A setting is missing or wrong, or a house runs on this folder already.
    """
    folder, words = plans.data_folder(os.environ), sys.stderr if chat else sys.stdout
    os.umask(0o077)  # the data folder holds chats, a login and the run's secrets
    with _owned(folder), plans.first_port() as first:
        given = tuple(os.environ)
        plan = plans.make(os.environ, processes=processes, first=first)
        os.environ.update(plan.environment)
        check(given)
        where = _send_logs(folder, hide=chat)
        if processes:
            where = f"{folder / 'logs'}"
        stop = app.stop_signal()
        async with separate_processes(plan) if processes else one_process(plan, stop):
            plan.run.save(folder)
            await ready(plan.run, stop, lambda who: _say(words, f"Waiting for {' and '.join(who)}; logs: {where}\n"))
            _say(words, greeting(plan.run, folder, where, chat=chat) + await assumed(plan.run))
            await _stay(plan.run, stop, chat=chat)
            _say(words, "Stopping.\n")
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
    level = os.environ.get("VALOR_LOG_LEVEL") or "info"
    sys.excepthook = logs.crashed
    if not hide:
        logs.setup(level)
        return "standard error"
    path = folder / "valor.log"
    logs.setup(level, path.open("a", buffering=1))

    def crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        logs.crashed(kind, error, trace)
        cause = str(app.innermost(error)).partition("\n")[0]
        sys.stderr.write(f"Valor broke: {cause}; more is in {path}.\n")

    sys.excepthook = crashed
    return str(path)


def _say(words: TextIO, text: str) -> None:
    words.write(text)
    words.flush()


async def _stay(run: Run, stop: asyncio.Event, *, chat: bool) -> None:
    if chat and run.sandbox is not None and not stop.is_set():
        await converse(run, stop)
    else:
        await stop.wait()
