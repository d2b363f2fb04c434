"""Asks health ports by grpc.health.v1, in plaintext."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.chassis import client
from services.monitor.model import Probe, Target

SECONDS = 2.0
"""A service that needs longer to say that it is well is not."""

OPTIONS = (*client.OPTIONS, ("grpc.enable_retries", 0))
"""A second try would hide what the first one saw."""


class HealthPorts:
    """The prober of `ports.Prober`; holds a channel to every address."""

    def __init__(self, channels: dict[str, grpc.aio.Channel]) -> None:
        self._stubs = {address: health_pb2_grpc.HealthStub(channel) for address, channel in channels.items()}

    @staticmethod
    @asynccontextmanager
    async def open(addresses: Iterable[str]) -> "AsyncIterator[HealthPorts]":
        """Hold the channels until the block ends."""
        async with AsyncExitStack() as stack:
            channels = {
                address: await stack.enter_async_context(grpc.aio.insecure_channel(address, options=OPTIONS))
                for address in set(addresses)
            }
            yield HealthPorts(channels)

    async def probe(self, targets: Sequence[Target]) -> tuple[Probe, ...]:
        """Ask all of them at once."""
        return tuple(await asyncio.gather(*map(self._ask, targets)))

    async def _ask(self, target: Target) -> Probe:
        request = health_pb2.HealthCheckRequest(service=target.health_name)
        try:
            answer = await self._stubs[target.address].Check(request, timeout=SECONDS)
        except grpc.aio.AioRpcError as error:
            return Probe(target.name, _trouble(target, error.code()))
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            return Probe(target.name, f"{target.name} says that it takes no calls.")
        return Probe(target.name)


def _trouble(target: Target, code: grpc.StatusCode) -> str:
    match code:
        case grpc.StatusCode.NOT_FOUND:
            return f"{target.name} does not run at {target.address}."
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return f"{target.name} at {target.address} did not answer within {SECONDS:g} s."
        case _:
            return f"{target.name} at {target.address} cannot be reached."
