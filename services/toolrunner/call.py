"""Runs each tool call once, whoever asks how often.

A call in flight is a task of its own: callers who repeat it join it, and when the last caller leaves it is cancelled.
What the ledger says decides about all others.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.chassis import logs
from services.chassis.errors import Unavailable, ValorError
from services.chassis.metrics import prepare
from services.toolrunner import metrics
from services.toolrunner.model import ELSEWHERE, LOST, Call, Category, Key, Outcome, Scope, ToolFailed, args_hash, shown
from services.toolrunner.ports import Ledger
from services.toolrunner.registry import Catalogue, Tool

log = logs.get()

BEAT = 3.0
"""Seconds between two signs of life of the calls that run."""

KEPT = 7 * 86_400.0
"""Seconds that a pure call is remembered: hardly a turn is interrupted for longer, and one that is runs it again."""

LOOK = 0.1
"""Seconds between two looks at a call that another process runs."""


@dataclass
class _Running:
    call: Call
    task: asyncio.Task[Outcome]
    callers: int = 0


class Calls:
    """The use cases of toolrunner."""

    def __init__(
        self, catalogue: Catalogue, ledger: Ledger, *, at_once: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._catalogue, self._ledger, self._clock = catalogue, ledger, clock
        names = [tool.name for tool in catalogue]
        prepare(metrics.CALLS, names, ("ok", "cancelled", *Category))
        prepare(metrics.SECONDS, names)
        self._places = asyncio.Semaphore(at_once)
        self._running: dict[Key, _Running] = {}
        self._placed: set[Key] = set()
        """What runs indeed: calls get their place before their row, and keep it until the row has their end."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Calls"]:
        """Take calls until the block ends; what still runs then is cancelled.

        Calls that an earlier process left behind are marked first, so that nobody takes them for running ones.
        """
        if lost := await self._ledger.lose_all():
            metrics.LEFT_BEHIND.inc(lost)
            log.warning("calls_left_behind", calls=lost)
        beat = asyncio.create_task(self._beat())
        try:
            yield self
        finally:
            beat.cancel()
            tasks = [running.task for running in self._running.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def tools(self, scope: Scope) -> list[Tool]:
        """What this scope may call."""
        scope.check(self._clock())
        return [tool for tool in self._catalogue if tool.right in scope.rights]

    async def call(self, scope: Scope, step: int, index: int, name: str, arguments: str) -> Outcome:
        """Run a tool, join the run of it, or return what came of it. Cancelling leaves the run.

        Raises:
            Denied: The scope has expired or lacks the right.
            InvalidArgument: The key is wrong.
            WrongState: Another call was made under this key.
        """
        scope.check(self._clock())
        tool = self._catalogue.get(name)
        if tool is None:
            return Outcome(f"There is no tool named {name}.", Category.CONFIGURATION)
        scope.demand(tool.right)
        call = Call(Key(scope.turn_id, step, index), name, args_hash(arguments))
        return await self._attend(await self._running_for(call, tool, arguments))

    async def _running_for(self, call: Call, tool: Tool, arguments: str) -> _Running:
        while running := self._running.get(call.key):
            if running.callers:
                running.call.demand_same(call.tool, call.args_hash)
                metrics.REPEATS.labels("joined").inc()
                return running
            await asyncio.wait([running.task])  # everybody left it; it is being cancelled
        running = _Running(call, asyncio.create_task(self._once(call, tool, arguments)))
        running.task.add_done_callback(lambda _: self._running.pop(call.key))
        self._running[call.key] = running
        return running

    async def _attend(self, running: _Running) -> Outcome:
        running.callers += 1
        try:
            return await asyncio.shield(running.task)
        finally:
            running.callers -= 1
            if not running.callers:
                running.task.cancel()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT)
            try:
                if self._placed:
                    await self._ledger.keep(tuple(self._placed))
                await self._ledger.forget(self._clock() - KEPT)
            except Unavailable as error:
                log.error("beat_failed", cause=error.message)

    async def _once(self, call: Call, tool: Tool, arguments: str) -> Outcome:
        while True:
            async with self._place(call.key):
                outcome = await self._begin(call, tool, arguments)
            if outcome is not ELSEWHERE:
                return outcome
            await asyncio.sleep(LOOK)

    @asynccontextmanager
    async def _place(self, key: Key) -> AsyncIterator[None]:
        with metrics.WAITING.track_inprogress():
            await self._places.acquire()
        self._placed.add(key)
        try:
            yield
        finally:
            self._placed.remove(key)
            self._places.release()

    async def _begin(self, call: Call, tool: Tool, arguments: str) -> Outcome:
        earlier = await self._ledger.begin(call, side_effects=tool.side_effects, now=self._clock())
        if earlier is not None:
            kinds = {id(LOST): "unknown", id(ELSEWHERE): "joined"}
            metrics.REPEATS.labels(kinds.get(id(earlier), "replayed")).inc()
            return earlier
        try:
            outcome = await self._measured(tool, arguments)
        except asyncio.CancelledError:
            await self._ledger.lose(call.key)
            raise
        await self._ledger.end(call.key, outcome, self._clock())
        return outcome

    async def _measured(self, tool: Tool, arguments: str) -> Outcome:
        result = "cancelled"
        with metrics.RUNNING.track_inprogress(), metrics.SECONDS.labels(tool.name).time():
            try:
                outcome = await _guarded(tool, arguments)
                result = outcome.category or "ok"
            finally:
                metrics.CALLS.labels(tool.name, result).inc()
        return outcome


async def _guarded(tool: Tool, arguments: str) -> Outcome:
    """The tool's outcome, whatever the tool does."""
    try:
        async with asyncio.timeout(tool.timeout):
            result = await tool.run(arguments)
    except TimeoutError:
        return Outcome(f"{tool.name} took longer than {tool.timeout:g} s and was stopped.", Category.EXECUTION)
    except ToolFailed as failure:
        return Outcome(shown(failure.message), failure.category)
    except ValorError as error:
        return Outcome(shown(error.message), Category.INTEGRATION)
    except Exception:  # a tool's bug must end neither the turn nor the process
        log.exception("tool_failed", tool=tool.name)
        return Outcome(f"{tool.name} failed inside.", Category.EXECUTION)
    if not isinstance(result, str):
        return Outcome(f"{tool.name} returned something that is no text.", Category.EXECUTION)
    return Outcome(shown(result))
