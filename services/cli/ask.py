"""Commands that ask a running house: chat, send, status, pair."""

import os
import sys

from services.chassis import app, client
from services.chassis.errors import InvalidArgument, ValorError
from services.cli import plan as plans
from services.cli.chat import private_chat
from services.cli.converse import converse
from services.cli.run import Run
from services.testdc.lines import SandboxError
from valor.monitor.v1 import monitor_pb2, monitor_pb2_grpc
from valor.people.v1 import people_pb2, people_pb2_grpc
from valor.pipeline.v1 import pipeline_pb2, pipeline_pb2_grpc


async def chat() -> None:
    """Chat in the sandbox Telegram."""
    await converse(running_house(), app.stop_signal())


async def send(text: str) -> None:
    """Say one thing in the sandbox Telegram and print the answer."""
    async with private_chat(running_house()) as private:
        try:
            sys.stdout.writelines(f"{answer}\n" for answer in await private.ask(text))
        except SandboxError as error:
            raise InvalidArgument(f"Telegram refuses this message: {error}") from None


async def pair(code: str) -> None:
    """Let a stranger in."""
    run = running_house()
    async with client.connect(run.addresses["people"], run.credential) as caller:
        stub = people_pb2_grpc.PeopleServiceStub(caller.channel)
        request = people_pb2.ApprovePairingRequest(code=code)
        identity = (await caller.call(stub.ApprovePairing, request, timeout=5)).identity
    name = identity.name or identity.username or str(identity.user_id)
    sys.stdout.write(f"{name} ({identity.channel} {identity.user_id}) may talk to Valor now.\n")


async def status() -> None:
    """Print health, what waits, and where everything listens."""
    run = running_house()
    async with client.connect(run.addresses["monitor"], run.credential) as caller:
        stub = monitor_pb2_grpc.MonitorServiceStub(caller.channel)
        health = await caller.call(stub.GetHealth, monitor_pb2.GetHealthRequest(), timeout=10)
    sys.stdout.write(f"Health {health.score} of 100\n")
    for check in health.checks:
        sys.stdout.write(f"  {check.name:<12} {check.score:>3}  {check.detail}\n")
    sys.stdout.write(await _waiting(run))
    for name, address in run.addresses.items():
        sys.stdout.write(f"  {name:<12} {address}\n")


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


def running_house() -> Run:
    """The house of this data folder, or the cluster's in its toolbox. Raises SettingsError where there is none."""
    return Run.in_cluster() if os.environ.get("VALOR_TLS") else Run.load(plans.data_folder(os.environ))
