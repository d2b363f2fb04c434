"""The record: everything anybody did, in order. The only truth about what people saw."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

from services.testdc.model import Action, action_from, to_json
from services.testdc.store import Store

PAGE = 500


class Record:
    """Actions by their sequence number; all are on disk, none in memory."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store, self._clock = store, clock
        self._waiters: list[asyncio.Future[None]] = []
        (last,) = store.rows("SELECT max(seq) FROM record")[0]
        self.last_seq: int = last or 0

    def add(self, **fields: Any) -> Action:
        """Append an action; it gets the next number and the time of now."""
        self.last_seq += 1
        action = Action(seq=self.last_seq, at=self._clock(), **fields)
        self._store.execute("INSERT INTO record VALUES (?, ?)", action.seq, to_json(action))
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        return action

    def since(self, seq: int, limit: int = PAGE) -> list[Action]:
        """At most `limit` actions after the one with this number, oldest first."""
        sql = "SELECT body FROM record WHERE seq > ? ORDER BY seq LIMIT ?"
        return [action_from(json.loads(body)) for (body,) in self._store.rows(sql, seq, limit)]

    def all(self, since: int = 0) -> Iterator[Action]:
        """Every action after the one with this number, oldest first, read page by page."""
        while page := self.since(since):
            yield from page
            since = page[-1].seq

    async def more(self, seq: int) -> None:
        """Wait until there is an action after this number."""
        if self.last_seq <= seq:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
