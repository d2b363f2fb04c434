"""The monitor finds every replica behind a name, and none of them can stall it: real ports on loopback addresses."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from services.chassis.health import Health
from services.monitor.__main__ import serve
from services.monitor.adapters import health as health_ports
from services.monitor.adapters import pages, resolver
from services.monitor.adapters.pages import MetricsPages
from services.monitor.adapters.resolver import Resolver
from services.monitor.model import Figures, Target
from services.monitor.settings import Settings
from tests.support.process import TOKEN, free_port, running
from valor.monitor.v1 import monitor_pb2 as pb
from valor.monitor.v1 import monitor_pb2_grpc as rpc

HOST = "replicas.test"
NOBODY = "telegram lives, and nobody is at work."

LIMIT = 0.3
"""Seconds that the monitor waits for anybody here."""


class Zone:
    """What the name server says of HOST; `hangs`: nothing, for a while."""

    def __init__(self) -> None:
        self.addresses: list[str] = []
        self.hangs = False
        self.asked = 0

    def look_up(self, host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        self.asked += 1
        assert host == HOST
        if self.hangs:
            time.sleep(30)  # a thread of its own that dies with the process; nothing waits for it
        if not self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        kinds = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(kinds[":" in each], socket.SOCK_STREAM, 6, "", (each, 0)) for each in self.addresses]


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Zone:
    zone = Zone()
    monkeypatch.setattr(socket, "getaddrinfo", zone.look_up)
    for module in (health_ports, pages, resolver):
        monkeypatch.setattr(module, "SECONDS", LIMIT)
    return zone


class Watched:
    """Replicas of one service at 127.0.0.x, all on one port, and the monitor that looks at them."""

    def __init__(self, stack: AsyncExitStack, zone: Zone, folder: Path, service: str) -> None:
        self._stack, self._zone = stack, zone
        self._port, self._folder = free_port(), folder
        self.target = Target(service, HOST, self._port)

    async def add(self, host: str, *, serving: bool = True) -> Health:
        health = Health()
        await self._stack.enter_async_context(health.serve(f"{host}:{self._port}"))
        await health.set(self.target.health_names[0], serving=serving)
        self._zone.addresses.append(host)
        return health

    async def add_deaf(self, host: str) -> None:
        """Somebody takes connections and never says a word."""
        self._stack.enter_context(socket.create_server((host, self._port)))
        self._zone.addresses.append(host)

    async def add_liar(self, host: str) -> None:
        """Somebody who speaks another language."""

        async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 welcome to the wrong port\r\n" * 100)
            writer.close()

        server = await asyncio.start_server(talk, host, self._port)
        self._stack.callback(server.close)
        self._zone.addresses.append(host)

    async def monitor(self) -> "Monitor":
        settings = Settings(
            data=self._folder, token=TOKEN, targets=f"{self.target.name}={HOST}:{self._port}", interval=1e-3
        )
        return Monitor(
            rpc.MonitorServiceStub((await self._stack.enter_async_context(running(serve, settings))).channel)
        )


class Monitor:
    def __init__(self, stub: "rpc.MonitorServiceAsyncStub") -> None:
        self._stub = stub

    async def shows(self, score: int, detail: str = "") -> str:
        """Wait until the service has a score, and is told of in such words; a busy machine may be slow once."""
        async with asyncio.timeout(60):
            while (part := await self._part()).score != score or detail not in part.detail:
                pass
        return part.detail

    async def _part(self) -> pb.Check:
        """What a measurement that began after now says of the service."""
        metadata = (("authorization", f"Bearer {TOKEN}"),)
        times: set[int] = set()
        while len(times) < 3:
            seen = await self._stub.GetHealth(pb.GetHealthRequest(), timeout=10, metadata=metadata)
            times.add(seen.measure_time.ToNanoseconds())
        return seen.checks[0]


@asynccontextmanager
async def watched(zone: Zone, folder: Path, service: str) -> AsyncIterator[Watched]:
    async with AsyncExitStack() as stack:
        yield Watched(stack, zone, folder, service)


async def test_replicas_that_come_and_go_are_found_anew_each_time(zone: Zone, tmp_path: Path) -> None:
    async with watched(zone, tmp_path, "agent") as it:
        monitor = await it.monitor()
        await monitor.shows(0, "agent has no address.")
        await it.add("127.0.0.1")
        await monitor.shows(100, "agent takes calls.")
        second = await it.add("127.0.0.2")
        await it.add("127.0.0.3")
        await monitor.shows(100, "agent takes calls: 3 replicas.")
        await second.set(it.target.health_names[0], serving=False)
        await monitor.shows(67, "2 of 3 replicas are well. agent says that it takes no calls.")
        zone.addresses.remove("127.0.0.2")
        await monitor.shows(100, "agent takes calls: 2 replicas.")


async def test_who_hangs_lies_or_is_gone_costs_its_share_and_no_time(zone: Zone, tmp_path: Path) -> None:
    async with watched(zone, tmp_path, "pipeline") as it:
        await it.add("127.0.0.1")
        for host in ("127.0.0.2", "127.0.0.3", "127.0.0.4"):
            await it.add_deaf(host)
        await it.add_liar("127.0.0.5")
        zone.addresses.append("127.0.0.6")  # nobody is there
        monitor = await it.monitor()
        async with asyncio.timeout(200 * LIMIT):
            words = await monitor.shows(17, "1 of 6 replicas are well.")
        assert all(f"127.0.0.{number}:{it.target.health}" in words for number in range(2, 7))


async def test_an_account_has_one_owner_and_standbys_that_are_well(zone: Zone, tmp_path: Path) -> None:
    async with watched(zone, tmp_path, "telegram") as it:
        owner, standby = await it.add("127.0.0.1"), await it.add("127.0.0.2", serving=False)
        monitor = await it.monitor()
        await monitor.shows(100)
        await owner.set("telegram", serving=False)
        await monitor.shows(0, f"0 of 2 replicas are well. {NOBODY}")
        await standby.set("telegram", serving=True)
        await monitor.shows(100)
        await owner.set("", serving=False)
        await monitor.shows(50)


async def test_a_name_server_that_hangs_costs_one_thread_and_no_measurement(zone: Zone, tmp_path: Path) -> None:
    async with watched(zone, tmp_path, "agent") as it:
        zone.hangs = True
        monitor = await it.monitor()
        async with asyncio.timeout(200 * LIMIT):
            for _ in range(2):
                await monitor.shows(0, "agent has no address.")
        assert zone.asked == 1


async def test_a_replica_with_addresses_of_two_kinds_is_one(zone: Zone) -> None:
    zone.addresses = ["127.0.0.2", "::1", "127.0.0.1", "127.0.0.1"]
    assert await Resolver().look_up([HOST]) == {HOST: ("127.0.0.1", "127.0.0.2")}
    zone.addresses = ["::2", "::1"]
    assert await Resolver().look_up([HOST, "[::1]", "10.0.0.7"]) == {
        HOST: ("::1", "::2"),
        "[::1]": ("::1",),
        "10.0.0.7": ("10.0.0.7",),
    }


async def _endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"agent_live_turns 1\n" * 1_000)


async def _hang(_request: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError("an event nobody sets")


def _always(**response: Any) -> Handler:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(**response)

    return answer


PAGES = {
    "good": _always(text="agent_live_turns 3\n"),
    "garbage": _always(body=b"\xff\xfe\x00"),
    "broken": _always(text="agent_live_turns three\n"),
    "elsewhere": _always(status=302, headers={"Location": "http://10.0.0.1/"}),
    "endless": _endless,
    "silent": _hang,
}
FOUND = {
    "good": Figures(live={"agent": 3}),
    "garbage": "its metrics page cannot be read",
    "broken": "its metrics page cannot be read",
    "elsewhere": "its metrics page answers 302",
    "endless": Figures(live={"agent": 1}),
    "silent": f"its metrics page did not answer within {LIMIT:g} s",
}


async def test_pages_are_read_at_once_and_what_they_hold_is_bounded(zone: Zone) -> None:
    async with AsyncExitStack() as stack:
        addresses = {"gone": f"127.0.0.9:{free_port()}"}
        for number, (name, page) in enumerate(PAGES.items(), start=1):
            app = web.Application()
            app.router.add_get("/metrics", page)
            runner = web.AppRunner(app, shutdown_timeout=0.01)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, f"127.0.0.{number}", port := free_port()).start()
            addresses[name] = f"127.0.0.{number}:{port}"
        reader = await stack.enter_async_context(MetricsPages.open())
        found = await reader.read(list(addresses.values()))
    told = {name: found[address] for name, address in addresses.items()}
    assert told == {**FOUND, "gone": "its metrics page cannot be reached"}
