"""One connection to the control port, the client's side: requests, their answers, and events."""

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

from services.testdc.model import Action, action_from

LONGEST_LINE = 64 << 20


class SandboxError(Exception):
    """A request that the sandbox refused: an UPPER_SNAKE reason, and a sentence that names the field."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason


class Lines:
    """Requests by number, so that many may be under way at the same time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._events: dict[int, asyncio.Queue[Action | None]] = {}
        self._gone = False

    @classmethod
    @asynccontextmanager
    async def connect(cls, host: str, port: int, token: str) -> AsyncIterator[Self]:
        """Connect for the length of a block; OSError when nobody listens, SandboxError for a wrong token."""
        reader, writer = await asyncio.open_connection(host, port, limit=LONGEST_LINE)
        lines = cls(reader, writer)
        try:
            writer.write(_line({"token": token}))
            _ok(json.loads(await reader.readline() or _CLOSED))
            listening = asyncio.create_task(lines._listen())
            try:
                yield lines
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
        finally:
            writer.close()

    async def request(self, verb: str, **fields: Any) -> dict[str, Any]:
        """Carry out any verb; the fields of its result. Fields that are None are left out."""
        return await self._request(next(self._numbers), verb, **fields)

    async def _request(self, number: int, verb: str, **fields: Any) -> dict[str, Any]:
        if self._gone:
            raise ConnectionError("the sandbox is gone")
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        given = {name: value for name, value in fields.items() if value is not None}
        try:
            self._writer.write(_line({"id": number, "do": verb, **given}))
            await self._writer.drain()
            return _ok(await answer)
        finally:
            del self._answers[number]

    async def watch(self, since: int | None = None) -> AsyncGenerator[Action, None]:
        """Every action after that number, old ones first, then as they happen; None: from now on."""
        number = next(self._numbers)
        events = self._events[number] = asyncio.Queue()
        try:
            await self._request(number, "watch", since=since)
            while (action := await events.get()) is not None:
                yield action
            raise ConnectionError("the sandbox is gone")
        finally:
            del self._events[number]
            self._writer.write(_line({"id": 0, "do": "unwatch", "watch": number}))

    async def _listen(self) -> None:
        try:
            while line := await self._reader.readline():
                message = json.loads(line)
                if "event" in message:
                    if events := self._events.get(message["watch"]):
                        events.put_nowait(action_from(message["event"]))
                elif answer := self._answers.get(message["id"]):
                    answer.set_result(message)
        finally:
            self._gone = True
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(ConnectionError("the sandbox is gone"))
            for events in self._events.values():
                events.put_nowait(None)


_CLOSED = b'{"error": {"reason": "CLOSED", "message": "the sandbox closed the connection"}}'


def _line(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"


def _ok(answer: Mapping[str, Any]) -> dict[str, Any]:
    if error := answer.get("error"):
        raise SandboxError(error["reason"], error["message"])
    return dict(answer["ok"])
