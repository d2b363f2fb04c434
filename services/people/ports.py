"""What the use cases need from a store."""

from typing import Protocol

from services.people.model import Identity, Person


class Store(Protocol):
    """Persons and pairings. Every method is one transaction."""

    async def person(self, identity: Identity) -> Person:
        """The person behind an identity, made if new, with the role that was granted."""

    async def open_pairing(self, identity: Identity, request_id: str, code_hash: str, expires: float) -> bool:
        """Note a pairing code. False: the identity holds a valid one from another request."""

    async def secret(self) -> bytes:
        """The key that pairing codes are made with; drawn once and kept."""

    async def approve(self, code_hash: str, now: float) -> tuple[Identity, Person] | None:
        """Let the holder of a valid code in as a member; None where no such code is valid."""
