"""The life of a process: settings, logs, probes, serve until told to stop, drain, exit code."""

import asyncio
import ctypes
import gc
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import ModuleType
from typing import TypeVar

import uvloop

from services.chassis import logs, metrics, settings, tracing
from services.chassis.errors import SettingsError
from services.chassis.health import Health
from services.chassis.ladder import Limits
from services.chassis.resources import Guard

S = TypeVar("S", bound=settings.ProcessSettings)
Serve = Callable[[S, Health], AbstractAsyncContextManager[str]]
"""Serves until the block ends and yields its address; leaving the block drains."""

log = logs.get()


MIGRATE = "migrate"
"""The argument that asks for nothing but tables that are up to date."""


def main(name: str, kind: type[S], serve: Serve[S], migrations: ModuleType | None = None) -> None:
    """Run one service as a process of its own; never returns. With `migrate` it only brings its tables up to date.

    Exit codes: 0 told to stop, 1 a fault, 2 a setting is missing or wrong.
    """
    try:
        loaded = settings.load(kind)
        logs.setup(loaded.log_level)
        sys.excepthook = logs.crashed
        if sys.argv[1:] == [MIGRATE]:
            _migrate(name, loaded, migrations)
        else:
            uvloop.run(_run(name, loaded, serve))
    except* SettingsError as group:
        sys.stderr.write(f"{innermost(group)}\n")
        sys.exit(2)


def innermost(error: BaseException) -> BaseException:
    """The first error inside nested groups, as task groups make them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _migrate(name: str, loaded: settings.ProcessSettings, migrations: ModuleType | None) -> None:
    if migrations is None:
        raise SettingsError(f"{name} has no tables to migrate.")
    from services.chassis.database import Database  # noqa: PLC0415 (services without tables do without the library)

    Database.migrate(loaded.tables(), migrations)
    log.info("migrated", service=name)


async def _run(name: str, loaded: S, serve: Serve[S]) -> None:
    metrics.announce(name)
    stop = stop_signal(with_parent=loaded.stop_with_parent)
    watch = asyncio.create_task(_stop_when_replaced(loaded, stop))
    async with process(name, loaded, stop) as health, serve(loaded, health) as address:
        log.info("serving", service=name, address=address)
        await stop.wait()
        log.info("stopping", service=name)
    log.info("stopped", service=name)
    watch.cancel()


async def _stop_when_replaced(loaded: settings.ProcessSettings, stop: asyncio.Event) -> None:
    """A new certificate is used by a new process: whoever runs us starts it, as after every end."""
    await loaded.credential().replaced()
    log.info("certificate_replaced")
    stop.set()


@asynccontextmanager
async def process(name: str, loaded: settings.ProcessSettings, stop: asyncio.Event) -> AsyncIterator[Health]:
    """What every process has once, however many services it runs: traces, a metrics port, a health port, a guard.

    Whoever runs the process ends it when `stop` is set; where it has limits, its guard sets it too.
    """
    tracing.setup(name)
    tune_memory()
    health = Health()
    watch = asyncio.create_task(metrics.watch_the_loop())
    try:
        with metrics.serve(loaded.metrics):
            async with health.serve(loaded.health), _guarded(loaded.ladder(), health, stop):
                yield health
    finally:
        watch.cancel()


@asynccontextmanager
async def _guarded(limits: Limits | None, health: Health, stop: asyncio.Event) -> AsyncIterator[None]:
    if limits is None:
        yield
        return
    guard = asyncio.create_task(Guard(limits, health, stop).watch())
    try:
        yield
    finally:
        guard.cancel()
        await asyncio.wait([guard])


def stop_signal(*, with_parent: bool = False) -> asyncio.Event:
    """An event that SIGTERM and Ctrl-C set; `with_parent`: also the end of standard input, as when the parent dies."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if with_parent:
        loop.add_reader(sys.stdin.fileno(), stop.set)
    return stop


M_MMAP_THRESHOLD = -3
"""glibc's number for the size from which a block is the system's own."""


def tune_memory() -> None:
    """Collect garbage less often: what start-up made stays, and a turn's objects mostly die by reference count.

    And give large blocks back at once: glibc would learn from each to keep the next, up to 32 MB, in its heap.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(M_MMAP_THRESHOLD, 1 << 20)
