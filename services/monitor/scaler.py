"""What KEDA asks, by its own contract: how many replicas a service ought to have."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import grpc

from externalscaler import externalscaler_pb2 as pb
from externalscaler import externalscaler_pb2_grpc as rpc
from services.chassis.errors import InvalidArgument, Unavailable
from services.chassis.server import Service
from services.monitor.scale import SERVICES
from services.monitor.scaling import Scaling
from services.monitor.watch import Watch

Context = grpc.aio.ServicerContext[Any, Any]

CALLERS = dict.fromkeys(("IsActive", "StreamIsActive", "GetMetricSpec", "GetMetrics"), ("keda",))
"""Who may call what."""

TARGET = 1
"""The metric is the number of replicas itself: the HPA divides it by this."""


@dataclass(frozen=True)
class Trigger:
    """What a ScaledObject's metadata ask for: a service, and within which bounds."""

    service: str
    least: int
    most: int | None

    def bound(self, number: int) -> int:
        """The number within the bounds."""
        return max(self.least, number if self.most is None else min(self.most, number))


class Scaler(rpc.ExternalScalerServicer):
    """Serves `ExternalScaler`."""

    def __init__(self, watch: Watch, scaling: Scaling) -> None:
        self._watch, self._scaling = watch, scaling
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End the streams, so that a stop need not wait for them; KEDA opens them again, elsewhere."""
        self._closing.set()

    async def IsActive(self, request: pb.ScaledObjectRef, context: Context) -> pb.IsActiveResponse:
        """Whether there ought to be a replica at all."""
        return pb.IsActiveResponse(result=await self._desired(trigger(request.scalerMetadata)) > 0)

    async def StreamIsActive(self, request: pb.ScaledObjectRef, context: Context) -> AsyncIterator[pb.IsActiveResponse]:
        """The same at once and whenever there ought to be more, so that KEDA need not wait for its next look."""
        asked = trigger(request.scalerMetadata)
        before = -1
        while not self._closing.is_set():
            looked = self._scaling.looked
            desired = self._known(asked)
            if desired is not None:
                if desired > before:
                    yield pb.IsActiveResponse(result=desired > 0)
                before = desired
            await first_of(looked, self._closing)

    async def GetMetricSpec(self, request: pb.ScaledObjectRef, context: Context) -> pb.GetMetricSpecResponse:
        """One metric: the number of replicas."""
        name = metric_name(trigger(request.scalerMetadata).service)
        return pb.GetMetricSpecResponse(
            metricSpecs=[pb.MetricSpec(metricName=name, targetSize=TARGET, targetSizeFloat=TARGET)]
        )

    async def GetMetrics(self, request: pb.GetMetricsRequest, context: Context) -> pb.GetMetricsResponse:
        """How many replicas there ought to be now."""
        asked = trigger(request.scaledObjectRef.scalerMetadata)
        desired = await self._desired(asked)
        value = pb.MetricValue(metricName=metric_name(asked.service), metricValue=desired, metricValueFloat=desired)
        return pb.GetMetricsResponse(metricValues=[value])

    async def _desired(self, asked: Trigger) -> int:
        if not self._scaling.current:
            await self._watch.measured()
        desired = self._known(asked)
        if desired is None:  # KEDA has a number of replicas for this case
            raise Unavailable(f"Nobody knows how many replicas {asked.service} ought to have.")
        return desired

    def _known(self, asked: Trigger) -> int | None:
        decision = self._scaling.decision(asked.service)
        return None if decision is None or decision.desired is None else asked.bound(decision.desired)


async def first_of(*events: asyncio.Event) -> None:
    """Wait until one of them is set."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def trigger(metadata: Mapping[str, str]) -> Trigger:
    """What metadata ask for.

    Raises:
        InvalidArgument: A key is missing or wrong; the message and the field name it.
    """
    service = metadata.get("service", "")
    if service not in SERVICES:
        known = ", ".join(SERVICES)
        raise InvalidArgument(f"service is {service!r}, and has to be one of: {known}.", field="service")
    least, most = _number(metadata, "min"), _number(metadata, "max")
    if least is not None and most is not None and least > most:
        raise InvalidArgument(f"min is {least}, and max is {most}.", field="min")
    return Trigger(service, least or 1, most)


def _number(metadata: Mapping[str, str], key: str) -> int | None:
    value = metadata.get(key)
    if value is None:
        return None
    if not re.fullmatch(r"[1-9]\d{0,3}", value, re.ASCII):
        raise InvalidArgument(f"{key} is {value!r}, and has to be a whole number from 1 to 9999.", field=key)
    return int(value)


def metric_name(service: str) -> str:
    """What the metric of a service is called."""
    return f"desired_replicas_{service}"


def service(scaler: Scaler) -> Service:
    """The service as a server offers it."""
    name = pb.DESCRIPTOR.services_by_name["ExternalScaler"].full_name
    return Service(name, lambda server: rpc.add_ExternalScalerServicer_to_server(scaler, server), CALLERS)
