"""Carries what is fleeting to the replica that a channel follows, as a note; what is too long for one is dropped."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from services.chassis.database import Database
from services.chassis.errors import Unavailable
from services.pipeline.model import Account, Address, Preview, Typing

TOPIC = "fleeting"
PENDING = 32
"""Notes on their way at most; more would be late before they are shown."""


class Relay:
    """Shows something fleeting wherever the account is followed."""

    def __init__(self, database: Database, show: Callable[[Preview | Typing], object]) -> None:
        self._database, self._show = database, show
        self._sending: set[asyncio.Task[None]] = set()
        database.listen(TOPIC, self._hear)

    def send(self, event: Preview | Typing) -> None:
        """Tell all replicas."""
        if len(self._sending) < PENDING:
            task = asyncio.create_task(self._send(dump(event)))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _send(self, note: str) -> None:
        with suppress(Unavailable):
            await self._database.write(lambda tx: tx.notify(TOPIC, note))

    def _hear(self, note: str) -> None:
        self._show(load(note))


def dump(event: Preview | Typing) -> str:
    """An event as a note."""
    return json.dumps(asdict(event), ensure_ascii=False, separators=(",", ":"))


def load(note: str) -> Preview | Typing:
    """The event of a note."""
    fields: dict[str, Any] = json.loads(note)
    fields["account"], fields["address"] = Account(**fields["account"]), Address(**fields["address"])
    return Preview(**fields) if "text" in fields else Typing(**fields)
