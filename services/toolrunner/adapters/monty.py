"""The sandbox: Monty, a Python interpreter in Rust, in worker processes that have no files and no network to give."""

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic_monty import (
    AsyncMonty,
    CollectString,
    MontyCrashedError,
    MontyRuntimeError,
    MontySyntaxError,
    OSPolicy,
    ResourceLimits,
)

from services.chassis.errors import SettingsError
from services.toolrunner import metrics
from services.toolrunner.model import Ran

SECONDS = 5.0
"""Of computing. The worker stops itself; a second later it is killed."""

MEMORY = 64 << 20
PRINTED = 1 << 20
"""Bytes; what a program prints beyond them is thrown away while it runs on."""

LIMITS = ResourceLimits(max_feed_duration_secs=SECONDS, max_memory=MEMORY)

POLICY = OSPolicy(sleep="zero")
"""Waiting would only hold a worker."""

RUNS_PER_WORKER = 100
"""Then it is replaced: whatever it keeps of what it ran is bounded."""

PLAIN = (
    (re.compile(r"TimeoutError: feed time limit"), f"It ran longer than {SECONDS:g} s and was stopped."),
    (re.compile(rf"MemoryError: .*> {PRINTED} bytes"), f"It printed more than {PRINTED >> 20} MB and was stopped."),
    (re.compile(r"MemoryError: "), f"It needed more than {MEMORY >> 20} MB and was stopped."),
)


class MontySandbox:
    """The sandbox of `ports.Sandbox`. Each run has a worker, and a world, of its own."""

    def __init__(self, pool: AsyncMonty) -> None:
        self._pool = pool

    @staticmethod
    @asynccontextmanager
    async def open(workers: int) -> "AsyncIterator[MontySandbox]":
        """Keep one worker warm, and up to `workers` busy, until the block ends; none outlives it.

        If this process is killed, idle workers end at once (their input ends) and busy ones at their time limit.

        Raises:
            SettingsError: The worker's program does not start.
        """
        pool = AsyncMonty(min_processes=1, max_processes=workers, max_checkouts_per_worker=RUNS_PER_WORKER)
        try:
            await pool.__aenter__()
        except (OSError, RuntimeError) as error:
            raise SettingsError(
                f"The sandbox cannot start: {error}; install pydantic-monty or set MONTY_BIN."
            ) from None
        try:
            yield MontySandbox(pool)
        finally:
            await pool.__aexit__(None, None, None)

    async def run(self, code: str) -> Ran:
        """Run it; the last expression's value is written as Python writes it, text as it stands."""
        printed, asked = CollectString(PRINTED), time.perf_counter()
        try:
            async with self._pool.checkout(limits=LIMITS, os_policy=POLICY) as session:
                metrics.SANDBOX_WAIT.observe(time.perf_counter() - asked)
                with metrics.SANDBOXES.track_inprogress():
                    value = await session.feed_run(code, print_callback=printed)
        except (MontySyntaxError, MontyRuntimeError) as error:
            return Ran(printed.output, error=_plain(error))
        except MontyCrashedError:
            metrics.BROKEN_SANDBOXES.inc()
            return Ran(printed.output, error="It broke the sandbox and was stopped.")
        return Ran(printed.output, value=_written(value))


def _plain(error: MontySyntaxError | MontyRuntimeError) -> str:
    text = error.display("type-msg")
    for pattern, sentence in PLAIN:
        if pattern.match(text):
            return sentence
    frames = error.traceback()
    return f"{text} (line {frames[-1].line})" if frames else text


def _written(value: object) -> str:
    if value is None:
        return ""
    try:
        return value if isinstance(value, str) else repr(value)
    except ValueError:  # Python does not write numbers of more than 4,300 digits
        return "a number too long to write"
