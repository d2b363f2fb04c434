"""kurigram, an MTProto client by other authors, as a person of the sandbox. It needs the sandbox's key and address.

Its schema, its parser and its cryptography are its own: what both it and Telethon read is MTProto.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pyrogram
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pyrogram.connection import Connection
from pyrogram.crypto import rsa

from services.testdc.api.login import CODE
from services.testdc.crypto import ServerKey
from services.testdc.model import Account
from services.testdc.people import phone_of
from services.testdc.server import TestDC


def trust(key: ServerKey) -> None:
    """Make kurigram, in this process, accept a server with this key."""
    public: Any = load_pem_public_key(key.public_pem.encode())
    numbers = public.public_numbers()
    rsa.server_public_keys[key.fingerprint] = rsa.PublicKey(numbers.n, numbers.e)


def _connection(dc: TestDC, **options: Any) -> Connection:
    """To the sandbox, whatever address of Telegram's was wanted."""
    return Connection(**{**options, "server_address": dc.host, "port": dc.port})


@asynccontextmanager
async def second_client(dc: TestDC, person: Account, **options: Any) -> AsyncIterator[Any]:
    """A client that logged in with phone number and code."""
    trust(dc.server_key)
    client = _client(dc, phone_number=phone_of(person), phone_code=CODE, **options)
    await client.start()
    try:
        yield client
    finally:
        await client.stop()


@asynccontextmanager
async def unknown_person(dc: TestDC) -> AsyncIterator[Any]:
    """A client that is connected and not logged in."""
    trust(dc.server_key)
    client = _client(dc)
    await client.connect()
    try:
        yield client
    finally:
        await client.disconnect()


def _client(dc: TestDC, **options: Any) -> Any:
    connect: Any = partial(_connection, dc)
    ours: dict[str, Any] = {"api_id": 1, "api_hash": "0" * 32, "test_mode": True, "in_memory": True}
    return pyrogram.Client("second", connection_factory=connect, **ours, **options)
