"""KEDA's questions over real gRPC, by its own contract: on loopback, and with certificates as in a cluster."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest

from externalscaler import externalscaler_pb2 as pb
from externalscaler import externalscaler_pb2_grpc as rpc
from services.chassis.client import connect, translated
from services.chassis.credential import Certificate
from services.chassis.errors import Denied, InvalidArgument, Unavailable
from services.chassis.health import Health
from services.monitor.__main__ import serve
from services.monitor.settings import Settings
from tests.integration.monitor.house import House, a_house, metric
from tests.support.authority import Authority
from tests.support.process import CREDENTIAL, TOKEN
from valor.monitor.v1 import monitor_pb2, monitor_pb2_grpc
from valor.pipeline.v1 import pipeline_pb2

NAMES = ("telegram", "pipeline", "agent", "people")


class Keda:
    """The questions of KEDA about one ScaledObject."""

    def __init__(self, house: House, **metadata: str) -> None:
        self._caller = house.monitor
        self._stub = rpc.ExternalScalerStub(house.monitor.channel)
        self.about = pb.ScaledObjectRef(name="valor-pipeline", namespace="valor", scalerMetadata=metadata)

    async def desired(self) -> int:
        spec = await self._caller.call(self._stub.GetMetricSpec, self.about, timeout=10)
        (wanted,) = spec.metricSpecs
        assert (wanted.targetSize, wanted.targetSizeFloat) == (1, 1.0)
        request = pb.GetMetricsRequest(scaledObjectRef=self.about, metricName=wanted.metricName)
        (found,) = (await self._caller.call(self._stub.GetMetrics, request, timeout=10)).metricValues
        assert (found.metricName, found.metricValueFloat) == (wanted.metricName, found.metricValue)
        return int(found.metricValue)

    async def active(self) -> bool:
        return bool((await self._caller.call(self._stub.IsActive, self.about, timeout=10)).result)

    def pushes(self) -> Any:
        return self._stub.StreamIsActive(self.about, metadata=self._caller.metadata())


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with a_house(tmp_path, names=NAMES) as house:
        yield house


async def until_desired(keda: Keda, number: int) -> None:
    async with asyncio.timeout(60):
        while await keda.desired() != number:
            await asyncio.sleep(0.01)


async def test_what_runs_and_could_begin_is_told_in_replicas_within_the_bounds_that_are_asked_for(house: House) -> None:
    assert await Keda(house, service="pipeline").desired() == 1
    house.pipeline.queue = pipeline_pb2.GetQueueResponse(running=250, claimable=60, waiting=5_000)
    await until_desired(Keda(house, service="pipeline"), 4)
    await until_desired(Keda(house, service="agent"), 3)
    assert await Keda(house, service="agent", max="2").desired() == 2
    assert await Keda(house, service="agent", min="7").desired() == 7
    assert await Keda(house, service="agent").active()
    assert metric("monitor_desired_replicas", service="pipeline") == 4


async def test_where_nobody_can_tell_it_holds_and_says_why(house: House) -> None:
    """F95. A pipeline without its database gives no answer."""
    house.pipeline.queue = pipeline_pb2.GetQueueResponse(running=150)
    keda = Keda(house, service="agent")
    await until_desired(keda, 2)
    house.pipeline.broken = True
    while metric("monitor_scale_held", service="agent", reason="queue_unknown") != 1:
        await asyncio.sleep(0.01)
    assert await keda.desired() == 2


async def test_a_service_that_is_not_watched_has_no_number(house: House) -> None:
    """KEDA has a number of replicas of its own for this case."""
    with pytest.raises(Unavailable, match="Nobody knows how many replicas toolrunner ought to have"):
        await Keda(house, service="toolrunner").desired()
    with pytest.raises(Unavailable):
        await Keda(house, service="toolrunner").active()


async def test_it_is_pushed_when_there_ought_to_be_more(house: House) -> None:
    pushes = Keda(house, service="pipeline", max="3").pushes()
    assert (await pushes.read()).result
    for running in (150, 290):
        house.pipeline.queue = pipeline_pb2.GetQueueResponse(running=running)
        assert (await pushes.read()).result
    pushes.cancel()


@pytest.mark.parametrize(
    ("metadata", "key"), [({"service": "pipelin"}, "service"), ({"service": "agent", "max": "lots"}, "max")]
)
async def test_metadata_that_are_wrong_are_named(house: House, metadata: dict[str, str], key: str) -> None:
    for question in (Keda(house, **metadata).desired(), Keda(house, **metadata).active()):
        with pytest.raises(InvalidArgument, match=f"^{key} is '") as error:
            await question
        assert error.value.field == key
    with pytest.raises(InvalidArgument, match=f"^{key} is '"), translated():
        await Keda(house, **metadata).pushes().read()


async def test_streams_do_not_keep_it_from_stopping(tmp_path: Path) -> None:
    """They end well before the drain would cut them off."""
    settings = Settings(token=TOKEN, targets="agent=127.0.0.1:1", data=tmp_path)
    about = pb.ScaledObjectRef(scalerMetadata={"service": "agent"})
    async with AsyncExitStack() as outside:
        async with serve(settings, Health()) as address:
            caller = await outside.enter_async_context(connect(address, CREDENTIAL))
            pushes: Any = rpc.ExternalScalerStub(caller.channel).StreamIsActive(about, metadata=caller.metadata())
            assert (await pushes.read()).result
        assert await pushes.read() is grpc.aio.EOF
        assert await pushes.code() is grpc.StatusCode.OK


async def test_in_a_cluster_only_keda_may_ask(tmp_path: Path) -> None:
    """And it may ask nothing else."""
    authority, about = Authority(), pb.ScaledObjectRef(scalerMetadata={"service": "agent"})
    settings = Settings(
        tls=authority.issue(tmp_path / "monitor", "monitor"), targets="agent=127.0.0.1:1", data=tmp_path
    )
    async with serve(settings, Health()) as address, AsyncExitStack() as stack:
        keda, cli = [
            await stack.enter_async_context(connect(address, Certificate(authority.issue(tmp_path / name, name))))
            for name in ("keda", "cli")
        ]
        spec = rpc.ExternalScalerStub(keda.channel).GetMetricSpec
        assert (await keda.call(spec, about, timeout=10)).metricSpecs
        with pytest.raises(Denied, match="cli may not call GetMetricSpec"):
            await cli.call(rpc.ExternalScalerStub(cli.channel).GetMetricSpec, about, timeout=10)
        status = monitor_pb2_grpc.MonitorServiceStub(keda.channel).GetStatus
        with pytest.raises(Denied, match="keda may not call GetStatus"):
            await keda.call(status, monitor_pb2.GetStatusRequest(), timeout=10)


async def test_what_its_contract_may_get_one_day_is_told_to_be_unknown(house: House) -> None:
    unknown: Any = house.monitor.channel.unary_stream("/externalscaler.ExternalScaler/StreamMetricSpec")
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await unknown(b"", metadata=CREDENTIAL.metadata).read()
    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED
