"""People, as the pipeline asks it; who was let in is remembered for a minute."""

import time
from collections import OrderedDict
from collections.abc import Callable

from services.chassis import logs
from services.chassis.client import Caller
from services.chassis.errors import ValorError
from services.pipeline.model import Message, Role
from services.pipeline.ports import Person
from valor.people.v1 import people_pb2 as pb
from valor.people.v1 import people_pb2_grpc as rpc

log = logs.get()

REMEMBER = 60.0
"""Seconds. Who loses a role loses it within them; who is let in is in at once, as strangers are not remembered."""
PEOPLE = 10_000
PATIENCE = 2.0

ROLES = {pb.ROLE_GUEST: Role.GUEST, pb.ROLE_MEMBER: Role.MEMBER, pb.ROLE_OWNER: Role.OWNER}


class GrpcPeople:
    """`ports.People` over gRPC."""

    def __init__(self, caller: Caller, clock: Callable[[], float] = time.monotonic) -> None:
        self._caller, self._clock = caller, clock
        self._stub = rpc.PeopleServiceStub(caller.channel)
        self._known: OrderedDict[tuple[str, int], tuple[float, Person]] = OrderedDict()

    async def resolve(self, message: Message) -> Person:
        """The writer of a message; UNKNOWN where people is away."""
        key = (message.account.channel, message.sender.user_id)
        expires, person = self._known.get(key, (0.0, Person()))
        if expires > self._clock():
            return person
        try:
            person = await self._ask(message)
        except ValorError as error:
            log.warning("people_away", reason=error.reason)
            return Person()
        if person.role is not Role.GUEST:
            self._remember(key, person)
        return person

    async def _ask(self, message: Message) -> Person:
        request = pb.ResolvePersonRequest(identity=_identity(message))
        found = await self._caller.call(self._stub.ResolvePerson, request, timeout=PATIENCE)
        return Person(found.person_id, ROLES.get(found.role, Role.GUEST))

    def _remember(self, key: tuple[str, int], person: Person) -> None:
        self._known[key] = (self._clock() + REMEMBER, person)
        self._known.move_to_end(key)
        if len(self._known) > PEOPLE:
            self._known.popitem(last=False)

    async def pairing_code(self, message: Message) -> str:
        """A code for the writer; empty where one was given before."""
        request = pb.CreatePairingRequest(identity=_identity(message), request_id=message.key)
        return (await self._caller.call(self._stub.CreatePairing, request, timeout=PATIENCE)).code


def _identity(message: Message) -> pb.Identity:
    sender = message.sender
    return pb.Identity(
        channel=message.account.channel, user_id=sender.user_id, username=sender.username, name=sender.name
    )
