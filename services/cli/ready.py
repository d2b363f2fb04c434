"""Waiting until a house serves."""

import asyncio
from collections.abc import Callable

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.cli.plan import SERVICES
from services.cli.run import Run
from services.cli.tasks import first

SLOW = 20.0
"""Seconds after which a start is told to be slow; the house goes on starting."""

NAMES = {name: f"valor.{name}.v1.{name.capitalize()}Service" for name in SERVICES} | {"telegram": "telegram"}
"""What each service is called by its health."""


async def ready(run: Run, stop: asyncio.Event, slow: Callable[[list[str]], None]) -> None:
    """Wait until every service says that it serves, or until told to stop; `slow` is told once who keeps us waiting."""
    missing = set(NAMES)

    async def serves(name: str) -> None:
        await _healthy(run.health.get(name, run.health.get("valor", "")), NAMES[name])
        missing.discard(name)

    async def all_serve() -> None:
        await asyncio.gather(*(serves(name) for name in NAMES))

    async def complain() -> None:
        await asyncio.sleep(SLOW)
        slow(sorted(missing))
        await stop.wait()

    await first(all_serve(), stop.wait(), complain())


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
