"""People's tables."""

import secrets
import time

from services.chassis.database import Database
from services.chassis.writer import Row, Transaction
from services.people.model import Identity, Person, Role


class SqlStore:
    """The store of `ports.Store` on SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def person(self, identity: Identity) -> Person:
        """The person behind an identity, made if new."""
        known = await self._database.read(lambda tx: _find(tx, identity))
        if known is not None:
            return known
        return await self._database.write(lambda tx: _known(tx, identity))

    async def open_pairing(self, identity: Identity, request_id: str, code_hash: str, expires: float) -> bool:
        """Note a pairing code. False: the identity holds a valid one from another request."""

        def change(tx: Transaction) -> bool:
            person_id = int(_known(tx, identity).person_id)
            tx.lock(f"pairing {person_id}")
            valid = tx.one(
                "SELECT request_id FROM pairings WHERE person_id = :person AND expire_time > :now AND used = 0",
                person=person_id,
                now=time.time(),
            )
            if valid is not None:
                return bool(valid["request_id"] == request_id)
            tx.run("DELETE FROM pairings WHERE person_id = :person", person=person_id)
            tx.run(
                "INSERT INTO pairings (code_hash, person_id, request_id, expire_time, used)"
                " VALUES (:code, :person, :request, :expires, 0)",
                code=code_hash,
                person=person_id,
                request=request_id,
                expires=expires,
            )
            return True

        return await self._database.write(change)

    async def secret(self) -> bytes:
        """The key that pairing codes are made with."""

        def change(tx: Transaction) -> str:
            tx.run("INSERT INTO secret (id, value) VALUES (1, :new) ON CONFLICT DO NOTHING", new=secrets.token_hex(32))
            return str(tx.value("SELECT value FROM secret"))

        return bytes.fromhex(await self._database.write(change))

    async def approve(self, code_hash: str, now: float) -> tuple[Identity, Person] | None:
        """Let the holder of a valid code in as a member."""

        def change(tx: Transaction) -> tuple[Identity, Person] | None:
            person_id = tx.value(
                "UPDATE pairings SET used = 1 WHERE code_hash = :code AND expire_time > :now AND used = 0"
                " RETURNING person_id",
                code=code_hash,
                now=now,
            )
            if person_id is None:
                return None
            tx.run("UPDATE persons SET role = :role WHERE id = :id AND role = 'guest'", role=Role.MEMBER, id=person_id)
            row = tx.one("SELECT * FROM identities WHERE person_id = :id", id=person_id)
            return (_identity(row), Person(str(person_id), Role.MEMBER)) if row is not None else None

        return await self._database.write(change)


def _known(tx: Transaction, identity: Identity) -> Person:
    return _find(tx, identity) or _make(tx, identity)


def _find(tx: Transaction, identity: Identity) -> Person | None:
    row = tx.one(
        "SELECT p.id, p.role FROM identities i JOIN persons p ON p.id = i.person_id"
        " WHERE i.channel = :channel AND i.user_id = :user",
        channel=identity.channel,
        user=identity.user_id,
    )
    return Person(str(row["id"]), Role(row["role"])) if row is not None else None


def _make(tx: Transaction, identity: Identity) -> Person:
    person_id = tx.value("INSERT INTO persons (role) VALUES ('guest') RETURNING id")
    tx.run(
        "INSERT INTO identities (channel, user_id, person_id, username, name)"
        " VALUES (:channel, :user, :person, :username, :name)",
        channel=identity.channel,
        user=identity.user_id,
        person=person_id,
        username=identity.username,
        name=identity.name,
    )
    return Person(str(person_id), Role.GUEST)


def _identity(row: Row) -> Identity:
    return Identity(row["channel"], row["user_id"], row["username"], row["name"])
