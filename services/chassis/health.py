"""grpc.health.v1 on a plaintext port of its own: one name per service, the empty name for the process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from services.chassis.errors import SettingsError

PROCESS = ""
"""What the process as a whole is called."""


class Health:
    """What this process says of itself. Known by the name of the gRPC service, or of a service that serves no calls."""

    def __init__(self) -> None:
        self._servicer = HealthServicer()
        self._serving: dict[str, bool] = {}
        self.shedding = False
        """The process takes no new work for a while, whatever its services would."""

    async def set(self, service: str, *, serving: bool) -> None:
        """Say that a service takes calls, or that it does not."""
        self._serving[service] = serving
        await self._say(service)

    async def shed(self, *, on: bool) -> None:
        """Take no new work from now on, in no service; or again what each would take. The process itself lives on."""
        if on is not self.shedding:
            self.shedding = on
            for service in self._serving:
                await self._say(service)

    async def _say(self, service: str) -> None:
        kind = health_pb2.HealthCheckResponse
        serving = self._serving[service] and not (self.shedding and service != PROCESS)
        await self._servicer.set(service, kind.SERVING if serving else kind.NOT_SERVING)

    @asynccontextmanager
    async def serve(self, listen: str) -> AsyncIterator[str]:
        """Answer probes until the block ends; yields the address."""
        server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)
        try:
            port = server.add_insecure_port(listen)
        except RuntimeError:
            raise SettingsError(f"Cannot listen on {listen}: the address is taken or not ours.") from None
        await server.start()
        await self.set(PROCESS, serving=True)
        try:
            yield f"{listen.rpartition(':')[0]}:{port}"
        finally:
            await self._servicer.enter_graceful_shutdown()
            await server.stop(None)
