"""The account's tables."""

import dataclasses
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.chassis.database import Database
from services.chassis.writer import Row, Transaction
from services.telegram.adapters.lease import SqlLease
from services.telegram.metrics import BURIED
from services.telegram.model import ACCOUNT_BOX, ChatType, Cursor, Entity, Incoming, Poison

REMEMBER = 7 * 86_400.0
"""Seconds. A random id is looked up after a crash; none is open for a week."""


@dataclass(frozen=True)
class SavedSession:
    """A login as Telethon needs it."""

    dc_id: int
    address: str
    port: int
    auth_key: bytes


class SqlStore:
    """`ports.Store` on SQL, and what the Telethon session keeps. With a lease, only its owner moves the cursor."""

    def __init__(self, database: Database, lease: SqlLease | None = None) -> None:
        self._database = database
        self._check = lease.check if lease is not None else _anybody

    async def session(self) -> SavedSession | None:
        """The login that was saved, if any."""
        query = "SELECT dc_id, address, port, auth_key FROM session"
        row = await self._database.read(lambda tx: tx.one(query))
        return None if row is None else SavedSession(*row)

    async def save_session(self, session: SavedSession | None) -> None:
        """Keep a login, or forget it: it is worth nothing any more."""

        def change(tx: Transaction) -> None:
            self._check(tx)
            tx.run("DELETE FROM session")
            if session is not None:
                tx.run(
                    "INSERT INTO session (dc_id, address, port, auth_key) VALUES (:dc, :address, :port, :key)",
                    dc=session.dc_id,
                    address=session.address,
                    port=session.port,
                    key=session.auth_key,
                )

        await self._database.write(change)

    async def cursor(self) -> Cursor | None:
        """How far the account's box was read."""
        query = "SELECT pts, qts, date FROM cursor WHERE box = :box"
        row = await self._database.read(lambda tx: tx.one(query, box=ACCOUNT_BOX))
        return None if row is None else Cursor(*row)

    async def channels(self) -> dict[int, int]:
        """How far each supergroup was read."""
        query = "SELECT box, pts FROM cursor WHERE box != :box"
        rows = await self._database.read(lambda tx: tx.all(query, box=ACCOUNT_BOX))
        return {row["box"]: row["pts"] for row in rows}

    async def advance(self, box: int, cursor: Cursor) -> None:
        """Move the cursor of a box."""

        def change(tx: Transaction) -> None:
            self._check(tx)
            tx.run(
                "INSERT INTO cursor (box, pts, qts, date) VALUES (:box, :pts, :qts, :date)"
                " ON CONFLICT (box) DO UPDATE SET pts = :pts, qts = :qts, date = :date",
                box=box,
                **dataclasses.asdict(cursor),
            )

        await self._database.write(change)

    async def note_sent(self, sent: Sequence[tuple[int, int]]) -> None:
        """Keep which messages random ids became."""

        def change(tx: Transaction) -> None:
            self._check(tx)
            now = time.time()
            for random_id, message_id in sent:
                tx.run(
                    "INSERT INTO sent (random_id, message_id, create_time) VALUES (:random, :message, :now)"
                    " ON CONFLICT (random_id) DO NOTHING",
                    random=random_id,
                    message=message_id,
                    now=now,
                )
            tx.run("DELETE FROM sent WHERE create_time < :old", old=now - REMEMBER)

        await self._database.write(change)

    async def sent(self, random_id: int) -> int | None:
        """The message that a random id became."""
        query = "SELECT message_id FROM sent WHERE random_id = :random"
        found: int | None = await self._database.read(lambda tx: tx.value(query, random=random_id))
        return found

    async def bury(self, poison: Poison) -> None:
        """Keep a message that can never be handed over; a repeat is the same letter."""
        query = (
            "INSERT INTO dead_letters (message, reason, readable, create_time)"
            " VALUES (:message, :reason, :readable, :now) ON CONFLICT (message) DO NOTHING"
        )
        values = {"message": poison.raw, "reason": poison.reason, "readable": int(poison.message is not None)}
        BURIED.inc(await self._database.write(lambda tx: tx.run(query, **values, now=time.time())))

    async def unreported(self) -> list[tuple[int, Poison]]:
        """What was buried and the pipeline has not heard of, by number; the oldest first."""
        query = "SELECT id, message, reason, readable FROM dead_letters WHERE reported = 0 ORDER BY id LIMIT 100"
        rows = await self._database.read(lambda tx: tx.all(query))
        return [(row["id"], _poison(row)) for row in rows]

    async def reported(self, number: int) -> None:
        """The pipeline has heard of it."""
        await self._database.write(lambda tx: tx.run("UPDATE dead_letters SET reported = 1 WHERE id = :id", id=number))

    async def waits(self) -> dict[tuple[str, int], float]:
        """Flood waits that are not over."""
        query = "SELECT method, chat_id, until FROM waits WHERE until > :now"
        rows = await self._database.read(lambda tx: tx.all(query, now=time.time()))
        return {(row["method"], row["chat_id"]): row["until"] for row in rows}

    async def wait(self, method: str, chat_id: int, until: float) -> None:
        """Keep a flood wait."""

        def change(tx: Transaction) -> None:
            tx.run("DELETE FROM waits WHERE until < :now", now=time.time())
            tx.run(
                "INSERT INTO waits (method, chat_id, until) VALUES (:method, :chat, :until)"
                " ON CONFLICT (method, chat_id) DO UPDATE SET until = :until",
                method=method,
                chat=chat_id,
                until=until,
            )

        await self._database.write(change)

    async def access_hash(self, chat_id: int) -> int:
        """The key that Telegram wants with a chat; 0 where none is known, which a bot may use for who wrote to it."""
        query = "SELECT access_hash FROM peers WHERE chat_id = :chat"
        return await self._database.read(lambda tx: tx.value(query, chat=chat_id)) or 0

    async def know(self, hashes: dict[int, int]) -> None:
        """Keep access hashes."""

        def change(tx: Transaction) -> None:
            for chat_id, access_hash in hashes.items():
                tx.run(
                    "INSERT INTO peers (chat_id, access_hash) VALUES (:chat, :hash)"
                    " ON CONFLICT (chat_id) DO UPDATE SET access_hash = :hash",
                    chat=chat_id,
                    hash=access_hash,
                )

        await self._database.write(change)


def _anybody(_: Transaction) -> None:
    """Nobody else is there."""


def _poison(row: Row) -> Poison:
    message = _incoming(json.loads(row["message"])) if row["readable"] else None
    return Poison(row["message"], row["reason"], message)


def _incoming(saved: dict[str, Any]) -> Incoming:
    entities = tuple(Entity(**entity) for entity in saved["entities"])
    return Incoming(**{**saved, "chat_type": ChatType(saved["chat_type"]), "entities": entities})
