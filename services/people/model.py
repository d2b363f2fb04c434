"""People in plain words: identities, roles, and the rule that gives a role."""

import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum

CODE_SECONDS = 3600.0
"""How long a pairing code is good: time to reach the owner, too short to guess."""

CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without the letters and digits that people mistake for each other (I, O, 0, 1)."""

CODE_LENGTH = 8


class Role(StrEnum):
    """What a person may do; rising."""

    GUEST = "guest"
    MEMBER = "member"
    OWNER = "owner"


@dataclass(frozen=True)
class Identity:
    """A person as one channel knows them."""

    channel: str
    user_id: int
    username: str = ""
    name: str = ""


@dataclass(frozen=True)
class Person:
    """Somebody, whatever they are called where."""

    person_id: str
    role: Role


@dataclass(frozen=True)
class Roster:
    """Who is let in by the settings: user ids and lower-case @usernames."""

    owners: frozenset[str] = frozenset()
    members: frozenset[str] = frozenset()

    def role(self, identity: Identity, granted: Role) -> Role:
        """The role of an identity: the settings' where they name it, else what was granted by pairing.

        A username counts only while the account carries it; the numeric id is the safer name.
        """
        names = {str(identity.user_id), f"@{identity.username.lower()}"} - {"@"}
        if names & self.owners:
            return Role.OWNER
        if names & self.members and granted is Role.GUEST:
            return Role.MEMBER
        return granted


def pairing_code(secret: bytes, request_id: str) -> str:
    """The code for a request: the same for a repeat, unguessable without the secret, and not stored anywhere."""
    digest = hmac.digest(secret, request_id.encode(), hashlib.sha256)
    return "".join(CODE_LETTERS[byte % len(CODE_LETTERS)] for byte in digest[:CODE_LENGTH])


def code_hash(code: str) -> str:
    """What is stored of a code."""
    return hashlib.sha256(code.strip().upper().encode()).hexdigest()
