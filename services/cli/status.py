"""How a running house is: `valor status`."""

import json as jsons
import sys
from collections.abc import Iterator
from typing import Any

from google.protobuf.json_format import MessageToDict

from services.chassis import client
from services.chassis.errors import ValorError
from services.cli import table
from services.cli.ask import running_house
from services.cli.run import Run
from valor.monitor.v1 import monitor_pb2 as pb
from valor.monitor.v1 import monitor_pb2_grpc as rpc
from valor.pipeline.v1 import pipeline_pb2, pipeline_pb2_grpc

UNKNOWN = "unknown"
STEPS = {pb.STEP_CLEAN: "clean up", pb.STEP_SHED: "take no new work", pb.STEP_RESTART: "restart"}
MB = 1 << 20


async def status(*, json: bool) -> None:
    """Print health, what waits, replicas, what they use, alerts, the autoscaler, and where everything listens."""
    run = running_house()
    async with client.connect(run.addresses["monitor"], run.credential) as caller:
        stub = rpc.MonitorServiceStub(caller.channel)
        found = await caller.call(stub.GetStatus, pb.GetStatusRequest(), timeout=10)
    if json:
        sys.stdout.write(jsons.dumps(_plain(run, found), ensure_ascii=False, indent=1) + "\n")
        return
    sys.stdout.write(f"Health {found.score} of 100\n")
    for check in found.checks:
        sys.stdout.write(f"  {check.name:<12} {check.score:>3}  {check.detail}\n")
    sys.stdout.write(await _waiting(run))
    sys.stdout.writelines(f"{line}\n" for line in _lines(found))
    for name, address in run.addresses.items():
        sys.stdout.write(f"  {name:<12} {address}\n")


def _plain(run: Run, found: pb.GetStatusResponse) -> dict[str, Any]:
    """What nobody knows is left out; zeros are not."""
    shown = MessageToDict(found, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    return {**shown, "addresses": run.addresses}


def _lines(found: pb.GetStatusResponse) -> Iterator[str]:
    if found.processes:
        rows = [_process(process) for process in found.processes]
        yield table.text(("SERVICES", "METRICS", "MEMORY", "CPU", "SESSIONS", "OUGHT TO"), rows).rstrip()
    yield from (f"Alert: {alert.text} ({alert.alert}, {alert.severity})" for alert in found.alerts)
    if not found.alerts:
        yield "No alert fires."
    yield from (f"{each.name} takes no alerts: {each.trouble}" for each in found.channels if each.trouble)
    yield from (f"Autoscaler: {each.service} {_desired(each)}: {each.reason}" for each in found.scales)
    yield f"Status page: http://{found.page_address}/"


def _process(process: pb.Process) -> list[str]:
    return [
        ",".join(process.services),
        process.address,
        f"{process.resident_bytes / MB:.0f} MB" if process.HasField("resident_bytes") else UNKNOWN,
        f"{process.cpu_cores:.2f}" if process.HasField("cpu_cores") else UNKNOWN,
        f"{process.sessions}" if process.HasField("sessions") else UNKNOWN,
        process.trouble or STEPS.get(process.step, ""),
    ]


def _desired(scale: pb.Scale) -> str:
    return str(scale.desired) if scale.HasField("desired") else UNKNOWN


async def _waiting(run: Run) -> str:
    async with client.connect(run.addresses["pipeline"], run.credential) as caller:
        stub = pipeline_pb2_grpc.PipelineServiceStub(caller.channel)
        try:
            queue = await caller.call(stub.GetQueue, pipeline_pb2.GetQueueRequest(), timeout=5)
        except ValorError as error:
            return f"The pipeline does not answer: {error.message}\n"
    oldest = f", the oldest for {queue.oldest_waiting_seconds:.1f} s" if queue.waiting else ""
    return (
        f"{queue.waiting} waiting{oldest}; {queue.running} running; {queue.undelivered} undelivered;"
        f" {queue.dead} dead ({queue.dropped} dropped); {queue.promises} promised\n"
    )
