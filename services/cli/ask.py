"""Commands that ask a running house: chat, send, pair."""

import os
import sys

from services.chassis import app, client
from services.chassis.errors import InvalidArgument
from services.cli import plan as plans
from services.cli.chat import private_chat
from services.cli.converse import converse
from services.cli.run import Run
from services.testdc.lines import SandboxError
from valor.people.v1 import people_pb2, people_pb2_grpc


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


def running_house() -> Run:
    """The house of this data folder, or the cluster's in its toolbox. Raises SettingsError where there is none."""
    return Run.in_cluster() if os.environ.get("VALOR_TLS") else Run.load(plans.data_folder(os.environ))
