"""The gRPC edge of people: messages ⇄ domain."""

from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from services.chassis.server import Service
from services.people.access import Access
from services.people.model import Identity, Role
from valor.people.v1 import people_pb2 as pb
from valor.people.v1 import people_pb2_grpc as rpc

Context = grpc.aio.ServicerContext[Any, Any]

CALLERS = {"ResolvePerson": ("pipeline",), "CreatePairing": ("pipeline",), "ApprovePairing": ("cli",)}
"""Who may call what."""

ROLES = {Role.GUEST: pb.ROLE_GUEST, Role.MEMBER: pb.ROLE_MEMBER, Role.OWNER: pb.ROLE_OWNER}


class PeopleServicer(rpc.PeopleServiceServicer):
    """Serves `PeopleService`."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def ResolvePerson(self, request: pb.ResolvePersonRequest, context: Context) -> pb.ResolvePersonResponse:
        """The person behind an identity."""
        person = await self._access.resolve(_identity(request.identity))
        return pb.ResolvePersonResponse(person_id=person.person_id, role=ROLES[person.role])

    async def CreatePairing(self, request: pb.CreatePairingRequest, context: Context) -> pb.CreatePairingResponse:
        """A code for a stranger."""
        code, expires = await self._access.create_pairing(_identity(request.identity), request.request_id)
        expire_time = Timestamp()
        expire_time.FromMilliseconds(int(expires * 1000))
        return pb.CreatePairingResponse(code=code, expire_time=expire_time)

    async def ApprovePairing(self, request: pb.ApprovePairingRequest, context: Context) -> pb.ApprovePairingResponse:
        """Let the holder of a code in."""
        identity, person = await self._access.approve_pairing(request.code)
        shown = pb.Identity(
            channel=identity.channel, user_id=identity.user_id, username=identity.username, name=identity.name
        )
        return pb.ApprovePairingResponse(identity=shown, person_id=person.person_id)


def service(servicer: PeopleServicer) -> Service:
    """The service as a server offers it."""
    name = pb.DESCRIPTOR.services_by_name["PeopleService"].full_name
    return Service(name, lambda server: rpc.add_PeopleServiceServicer_to_server(servicer, server), CALLERS)


def _identity(message: pb.Identity) -> Identity:
    return Identity(message.channel, message.user_id, message.username, message.name)
