"""Asks the health ports of all replicas by grpc.health.v1, in plaintext."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.chassis import client
from services.monitor.model import PROCESS, Addresses, Part, Probe, Target

SECONDS = 2.0
"""A service that needs longer to say that it is well is not."""

OPTIONS = (*client.OPTIONS, ("grpc.enable_retries", 0))
"""A second try would hide what the first one saw."""


class HealthPorts:
    """The prober of `ports.Prober`; holds a channel to every replica that the last look found."""

    def __init__(self) -> None:
        self._channels: dict[str, grpc.aio.Channel] = {}

    @staticmethod
    @asynccontextmanager
    async def open() -> "AsyncIterator[HealthPorts]":
        """Hold channels until the block ends."""
        ports = HealthPorts()
        try:
            yield ports
        finally:
            await ports._keep(set())

    async def probe(self, targets: Sequence[Target], addresses: Mapping[str, Addresses]) -> tuple[Part, ...]:
        """Ask all replicas at once."""
        parts = await asyncio.gather(*(self._part(target, addresses[target.host]) for target in targets))
        await self._keep({replica.address for part in parts for replica in part.replicas})
        return tuple(parts)

    async def _part(self, target: Target, addresses: Addresses) -> Part:
        replicas = await asyncio.gather(*(self._replica(target, address) for address in addresses))
        return Part(target.name, tuple(replicas))

    async def _replica(self, target: Target, address: str) -> Probe:
        port = target.health_at(address)
        troubles = await asyncio.gather(*(self._ask(target, name, port) for name in target.health_names))
        lives = PROCESS in target.health_names and not troubles[-1]
        return Probe(port, "" if lives else troubles[0], lives and bool(troubles[0]), target.metrics_at(address))

    async def _ask(self, target: Target, name: str, address: str) -> str:
        """What is wrong with a replica, in words; empty: nothing."""
        channel = self._channels.get(address)
        if channel is None:
            channel = self._channels[address] = grpc.aio.insecure_channel(address, options=OPTIONS)
        request = health_pb2.HealthCheckRequest(service=name)
        try:
            answer = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=SECONDS)
        except grpc.aio.AioRpcError as error:
            return _trouble(target, address, error.code())
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            return f"{target.name} says that it takes no calls."
        return ""

    async def _keep(self, addresses: set[str]) -> None:
        for address in self._channels.keys() - addresses:
            await self._channels.pop(address).close()


def _trouble(target: Target, address: str, code: grpc.StatusCode) -> str:
    match code:
        case grpc.StatusCode.NOT_FOUND:
            return f"{target.name} does not run at {address}."
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return f"{target.name} at {address} did not answer within {SECONDS:g} s."
        case _:
            return f"{target.name} at {address} cannot be reached."
