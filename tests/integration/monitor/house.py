"""A house to look at: health ports, the one call of a pipeline, this process's metrics page; and the monitor."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import grpc
from prometheus_client import REGISTRY

from services.chassis import server
from services.chassis.client import Caller
from services.chassis.errors import Internal
from services.chassis.health import Health
from services.chassis.settings import ProcessSettings
from services.monitor.__main__ import serve
from services.monitor.model import Target
from services.monitor.settings import Settings
from tests.support.process import TOKEN, running
from valor.monitor.v1 import monitor_pb2 as pb
from valor.monitor.v1 import monitor_pb2_grpc as rpc
from valor.pipeline.v1 import pipeline_pb2

NAMES = ("telegram", "pipeline", "people")
SERVICE = "valor.pipeline.v1.PipelineService"


def health_name(service: str) -> str:
    """What a service is called on its health port."""
    return Target(service, "", 1).health_names[0]


class Pipeline:
    """The one call of the pipeline that the monitor makes."""

    def __init__(self) -> None:
        self.queue = pipeline_pb2.GetQueueResponse()
        self.broken = False

    async def get_queue(self, _request: object, _context: object) -> pipeline_pb2.GetQueueResponse:
        if self.broken:
            raise Internal("It broke.")
        return self.queue

    def service(self) -> server.Service:
        handler = grpc.unary_unary_rpc_method_handler(
            self.get_queue,
            request_deserializer=pipeline_pb2.GetQueueRequest.FromString,
            response_serializer=pipeline_pb2.GetQueueResponse.SerializeToString,
        )
        handlers = grpc.method_handlers_generic_handler(SERVICE, {"GetQueue": handler})
        return server.Service(SERVICE, lambda it: it.add_generic_rpc_handlers((handlers,)))


class House:
    """Everything that is watched, in one process, and the monitor."""

    page: ClassVar[str]
    """Where this process shows its metrics."""

    def __init__(self, monitor: Caller, health: Health, pipeline: Pipeline) -> None:
        self.monitor, self._stub = monitor, rpc.MonitorServiceStub(monitor.channel)
        self.health, self.pipeline = health, pipeline

    async def seen(self) -> pb.GetHealthResponse:
        return await self.monitor.call(self._stub.GetHealth, pb.GetHealthRequest(), timeout=10)

    async def fresh(self) -> pb.GetHealthResponse:
        """A measurement that began after now: not the one under way, so the third that shows."""
        times: set[int] = set()
        while len(times) < 3:
            seen = await self.seen()
            times.add(seen.measure_time.ToNanoseconds())
        return seen

    async def parts(self) -> dict[str, pb.Check]:
        return {check.name: check for check in (await self.fresh()).checks}

    async def cut(self, name: str, *, serving: bool = False) -> None:
        await self.health.set(health_name(name), serving=serving)


@asynccontextmanager
async def a_house(
    data: Path, *, interval: float = 0.001, with_queue: bool = True, names: Sequence[str] = NAMES
) -> AsyncIterator[House]:
    health, pipeline = Health(), Pipeline()
    settings = ProcessSettings(data=data, token=TOKEN)
    async with (
        health.serve("127.0.0.1:0") as probed,
        server.serve(pipeline.service(), settings, health, grace=0) as address,
    ):
        for name in names:
            await health.set(health_name(name), serving=True)
        watching = Settings(
            data=data,
            token=TOKEN,
            targets=",".join(f"{name}={probed}/{House.page[10:]}" for name in names),
            pipeline=address if with_queue else "",
            interval=interval,
        )
        async with running(serve, watching) as caller:
            yield House(caller, health, pipeline)


def metric(name: str, **labels: str) -> float | None:
    """What this process's metrics page shows."""
    return REGISTRY.get_sample_value(name, labels)
