"""Who somebody is, and how a stranger gets in."""

import dataclasses
import time
from collections.abc import Callable

from services.chassis.errors import InvalidArgument, NotFound
from services.people import metrics
from services.people.model import CODE_SECONDS, Identity, Person, Roster, code_hash, pairing_code
from services.people.ports import Store


class Access:
    """The use cases of people."""

    def __init__(self, store: Store, roster: Roster, clock: Callable[[], float] = time.time) -> None:
        self._store, self._roster, self._clock = store, roster, clock

    async def resolve(self, identity: Identity) -> Person:
        """The person behind an identity; one is made for an identity never seen before."""
        person = await self._store.person(_checked(identity))
        role = self._roster.role(identity, person.role)
        metrics.RESOLVED.labels(role).inc()
        return dataclasses.replace(person, role=role)

    async def create_pairing(self, identity: Identity, request_id: str) -> tuple[str, float]:
        """A code for a stranger, and when it expires; an empty code where one was given before and still counts."""
        if not request_id:
            raise InvalidArgument("request_id is empty; choose one per request.", field="request_id")
        code = pairing_code(await self._store.secret(), request_id)
        expires = self._clock() + CODE_SECONDS
        fresh = await self._store.open_pairing(_checked(identity), request_id, code_hash(code), expires)
        metrics.PAIRINGS.labels("given" if fresh else "asked_again").inc()
        return (code if fresh else ""), expires

    async def approve_pairing(self, code: str) -> tuple[Identity, Person]:
        """Let the holder of the code in as a member.

        Raises:
            NotFound: No such code is valid.
        """
        approved = await self._store.approve(code_hash(code), self._clock())
        metrics.PAIRINGS.labels("refused" if approved is None else "approved").inc()
        if approved is None:
            raise NotFound("This code is not valid: mistyped, used or expired.", reason="PAIRING_NOT_FOUND")
        return approved


def _checked(identity: Identity) -> Identity:
    if not identity.channel:
        raise InvalidArgument("identity.channel is empty.", field="identity.channel")
    if identity.user_id == 0:
        raise InvalidArgument("identity.user_id is 0.", field="identity.user_id")
    return identity
