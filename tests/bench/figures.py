"""The measurements, one function each. Model time is subtracted; everything is durable; defaults are on."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import grpc

from tests.bench.load import crowd, percentile
from tests.bench.stage import House, Stage, house
from tests.support.store import SERVER

WARM = 3.0
"""Seconds of load before a measurement counts."""

HOUSES = {"one process": (), "separate processes": ("-m", "services.cli", "up", "--processes")}
"""How the services run: together, or each for itself, as they are deployed."""

WARM_SESSIONS = 50
"""Live sessions that let the house make what it makes once; they count as live, and their memory does not."""


@dataclass(frozen=True)
class Figure:
    """A measured value beside its bar; no bar: shown for comparison."""

    name: str
    value: float
    unit: str
    bar: float | None = None
    higher: bool = False
    """True: more is better."""

    @property
    def met(self) -> bool:
        """The bar is reached."""
        if self.bar is None:
            return True
        return self.value >= self.bar if self.higher else self.value <= self.bar


async def start(on: Stage) -> list[Figure]:
    """From nothing to the first answer, embedded, and the memory of an idle house."""
    async with house(on) as running, crowd(on) as people:
        first = await people.ask(on.people[0])
        await asyncio.sleep(2)
        return [
            Figure("start to first answer", first.answered - running.started, "s", 5),
            Figure("idle memory, one process", running.memory(), "MB", 300),
        ]


async def one_chat(on: Stage, count: int) -> list[Figure]:
    """One person asks, waits, asks again; the model answers at once."""
    async with house(on), crowd(on) as people:
        for _ in range(20):
            await people.ask(on.people[0])
        on.model.asked.clear()
        answers = [await people.ask(on.people[0]) for _ in range(count)]
        added = [answer.milliseconds for answer in answers]
        reached = [(at - answer.asked) * 1000 for at, answer in zip(on.model.asked, answers, strict=True)]
    return [
        Figure("one chat: added latency p50", percentile(added, 0.5), "ms", 20),
        Figure("one chat: added latency p99", percentile(added, 0.99), "ms", 50),
        Figure("message to model call p50", percentile(reached, 0.5), "ms", 8),
    ]


async def busy_chats(on: Stage, seconds: float) -> list[Figure]:
    """50 people who each think for a second between an answer and the next question; the model takes 200 ms."""
    figures = []
    on.model.delay = 0.2
    for name, arguments in HOUSES.items():
        async with house(on, *arguments), crowd(on) as people:
            await people.busy(on.people[:50], WARM, thinking=1.0)
            answers = await people.busy(on.people[:50], seconds, thinking=1.0)
        added = [answer.milliseconds - 200 for answer in answers]
        figures.append(Figure(f"50 chats, {name}: added latency p50", percentile(added, 0.5), "ms", 100))
        figures.append(Figure(f"50 chats, {name}: added latency p99", percentile(added, 0.99), "ms", 300))
    on.model.delay = 0.0
    return figures


async def saturated(on: Stage, seconds: float) -> list[Figure]:
    """100 people ask as fast as they are answered: one process, then separate ones, then the floor."""
    figures = []
    rates = {"one process": 80.0, "separate processes": 80.0 if SERVER else 100.0}
    for name, arguments in HOUSES.items():
        async with house(on, *arguments) as running:
            speed, cost = await _speed(on, running, seconds)
        figures.append(Figure(f"answered, saturated, {name}", speed, "msg/s", rates[name], higher=True))
        figures.append(Figure(f"processor time per message, {name}", cost, "ms", 15.0))
    async with house(on, "-m", "tests.bench.floor", ready=b"ready") as running:
        speed, cost = await _speed(on, running, seconds)
        figures.append(Figure("floor: bare bot, saturated", speed, "msg/s"))
        figures.append(Figure("floor: bare bot, processor time per message", cost, "ms"))
        figures.append(Figure("floor: bare bot, memory", running.memory(), "MB"))
    return figures


async def _speed(on: Stage, running: House, seconds: float) -> tuple[float, float]:
    """Messages a second, and milliseconds of processor time for each."""
    async with crowd(on) as people:
        await people.busy(on.people[:100], WARM)
        processor, begin = running.cpu(), time.time()
        answers = await people.busy(on.people[:100], seconds)
        spent = running.cpu() - processor
        end = max(answer.answered for answer in answers)
    return len(answers) / (end - begin), spent * 1000 / len(answers)


async def floor_latency(on: Stage, count: int) -> list[Figure]:
    """The same latency for the bare bot, and for a bare call."""
    async with house(on, "-m", "tests.bench.floor", ready=b"ready"), crowd(on) as people:
        for _ in range(20):
            await people.ask(on.people[0])
        answers = [await people.ask(on.people[0]) for _ in range(count)]
    added = [answer.milliseconds for answer in answers]
    return [
        Figure("floor: bare bot, added latency p50", percentile(added, 0.5), "ms"),
        Figure("floor: bare gRPC echo p50", await _echo(count), "ms"),
    ]


async def _echo(count: int) -> float:
    async def echo(request: bytes, _context: object) -> bytes:
        return request

    server = grpc.aio.server()
    handler = grpc.method_handlers_generic_handler("echo", {"Echo": grpc.unary_unary_rpc_method_handler(echo)})
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: Any = channel.unary_unary("/echo/Echo")
        times = []
        for _ in range(count):
            begin = time.perf_counter()
            await call(b"x" * 200)
            times.append((time.perf_counter() - begin) * 1000)
    await server.stop(None)
    return percentile(times, 0.5)


async def live_sessions(on: Stage, count: int) -> list[Figure]:
    """So many chats at once whose answers are being written, and what each of them costs in memory."""
    on.model.delay = (
        1600.0  # a piece every 40 s: servers that are busy send a sign of life more often than once a minute
    )
    async with house(on) as running:
        warm = await _fill(on, min(WARM_SESSIONS, count))
        await asyncio.sleep(3)
        idle = running.memory()
        live = await _fill(on, count - warm)
        await asyncio.sleep(5)
        each = (running.memory() - idle) * 1000 / max(1, live)
        on.model.delay = 0.0
    return [
        Figure("live sessions at once", warm + live, "chats", 10_000, higher=True),
        Figure("memory per live session", each, "KB", 100),
    ]


async def _fill(on: Stage, count: int) -> int:
    """Let so many more people ask, and wait until the model writes to all of them or no more come; how many live."""
    asked = len(on.model.asked)
    people = on.people[asked : asked + count]
    for begin in range(0, len(people), 100):
        await on.sandbox.say_many([(person, on.bot, "tell me a long story") for person in people[begin : begin + 100]])
    before, quiet = -1, 0
    while (live := len(on.model.asked) - asked) < len(people) and quiet < 30:
        quiet = quiet + 1 if live == before else 0
        before = live
        await asyncio.sleep(1)
    server = on.model.server
    return min(live, server.streams - asked if server is not None else 0)
