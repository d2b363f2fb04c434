"""The gRPC edge of monitor: messages ⇄ domain."""

import asyncio
from typing import Any

import grpc

from services.chassis.server import Service
from services.monitor import messages
from services.monitor.status import Reporter
from valor.monitor.v1 import monitor_pb2 as pb
from valor.monitor.v1 import monitor_pb2_grpc as rpc

Context = grpc.aio.ServicerContext[Any, Any]

CALLERS = {"GetHealth": ("cli",), "GetStatus": ("cli",)}
"""Who may call what."""


class MonitorServicer(rpc.MonitorServiceServicer):
    """Serves `MonitorService`."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter

    async def GetHealth(self, request: pb.GetHealthRequest, context: Context) -> pb.GetHealthResponse:
        """The last measurement."""
        health = await self._reporter.health()
        return pb.GetHealthResponse(
            score=health.score,
            checks=messages.checks(health.checks),
            measure_time=messages.timestamp(health.measure_time),
        )

    async def GetStatus(self, request: pb.GetStatusRequest, context: Context) -> pb.GetStatusResponse:
        """Everything."""
        return await asyncio.to_thread(messages.status, await self._reporter.status())


def service(servicer: MonitorServicer) -> Service:
    """The service as a server offers it."""
    name = pb.DESCRIPTOR.services_by_name["MonitorService"].full_name
    return Service(name, lambda server: rpc.add_MonitorServiceServicer_to_server(servicer, server), CALLERS)
