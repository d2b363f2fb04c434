"""The gRPC edge of monitor: messages ⇄ domain."""

from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from services.chassis.server import Service
from services.monitor.watch import Watch
from valor.monitor.v1 import monitor_pb2 as pb
from valor.monitor.v1 import monitor_pb2_grpc as rpc

Context = grpc.aio.ServicerContext[Any, Any]

CALLERS = {"GetHealth": ("cli",)}
"""Who may call what."""


class MonitorServicer(rpc.MonitorServiceServicer):
    """Serves `MonitorService`."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    async def GetHealth(self, request: pb.GetHealthRequest, context: Context) -> pb.GetHealthResponse:
        """The last measurement."""
        health = await self._watch.health()
        measured = Timestamp()
        measured.FromNanoseconds(int(health.measure_time * 1e9))
        checks = [pb.Check(name=check.name, score=check.score, detail=check.detail) for check in health.checks]
        return pb.GetHealthResponse(score=health.score, checks=checks, measure_time=measured)


def service(servicer: MonitorServicer) -> Service:
    """The service as a server offers it."""
    name = pb.DESCRIPTOR.services_by_name["MonitorService"].full_name
    return Service(name, lambda server: rpc.add_MonitorServiceServicer_to_server(servicer, server), CALLERS)
