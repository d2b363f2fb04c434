"""The control port: people, faults and the record, for other processes. JSON lines over TCP, on loopback.

The first line is `{"token": "…"}`, answered by `{"id": null, "ok": {}}`, or by an error and the end. Then each
`{"id": 1, "do": "say", …}` gets `{"id": 1, "ok": {…}}` or
`{"id": 1, "error": {"reason": "FIELD_MISSING", "message": "…"}}`; the verbs are listed in `verbs`.

After `{"id": 2, "do": "watch", "since": 0}` every action of the record after that number comes as
`{"event": {…}, "watch": 2}`, old ones first, none twice, until `{"do": "unwatch", "watch": 2}`.
"""

import asyncio
import hmac
import inspect
import json
import logging
from collections.abc import Awaitable
from types import TracebackType
from typing import Any, Self

from services.testdc.arguments import Arguments, Invalid
from services.testdc.model import RpcFail, to_json
from services.testdc.server import TestDC
from services.testdc.verbs import VERBS, Result

LONGEST_LINE = 8 << 20

log = logging.getLogger(__name__)


class Control:
    """The listening port: `async with Control(dc, token) as control`."""

    def __init__(self, dc: TestDC, token: str, host: str = "127.0.0.1", port: int = 0) -> None:
        """Port 0 takes a free one, known after the start."""
        self.host, self.port = host, port
        self._dc, self._token = dc, token
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self.host, self.port, limit=LONGEST_LINE)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server:
            self._server.close()
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = asyncio.create_task(_Client(self._dc, self._token, reader, writer).run())
        self._clients.add(client)
        client.add_done_callback(self._clients.discard)


class _Client:
    """One connection: requests in order, and what it watches beside them."""

    def __init__(self, dc: TestDC, token: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._dc, self._token = dc, token
        self._reader, self._writer = reader, writer
        self._watches: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Until the client leaves or the port closes."""
        try:
            if await self._is_trusted():
                while True:
                    await self._serve_next()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client left
        finally:
            for watch in self._watches.values():
                watch.cancel()
            self._writer.close()

    async def _is_trusted(self) -> bool:
        try:
            token = Arguments(self._dc.world, await self._read()).get("token", str)
        except Invalid as err:
            await self._write({"id": None, **_error(err.reason, err.message)})
            return False
        trusted = hmac.compare_digest(token.encode(), self._token.encode())
        answer = {"ok": {}} if trusted else _error("TOKEN_INVALID", 'the field "token" is wrong')
        await self._write({"id": None, **answer})
        return trusted

    async def _serve_next(self) -> None:
        try:
            request = await self._read()
        except Invalid as err:
            await self._write({"id": None, **_error(err.reason, err.message)})
        else:
            await self._write({"id": request.get("id"), **await self._answer(request)})

    async def _read(self) -> dict[str, Any]:
        line = await _line(self._reader)
        try:
            request = json.loads(line)
        except (ValueError, RecursionError) as err:
            raise Invalid("JSON_INVALID", f"the line is no JSON: {err}") from err
        if not isinstance(request, dict):
            raise Invalid("JSON_INVALID", "the line has to be a JSON object")
        return request

    async def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            result = self._carry_out(request)
            return {"ok": (await result if inspect.isawaitable(result) else result) or {}}
        except Invalid as err:
            return _error(err.reason, err.message)
        except RpcFail as fail:
            return _error(fail.message, f"Telegram would refuse: {fail.code} {fail.message}")
        except Exception as err:  # a mistake in a verb fails this request, not the port
            log.exception("the request %s failed", request.get("do"))
            return _error("INTERNAL", f"the sandbox failed: {err!r}")

    def _carry_out(self, request: dict[str, Any]) -> Result | Awaitable[Result]:
        args = Arguments(self._dc.world, request)
        verb = args.get("do", str)
        if verb == "watch":
            self._watch(args.get("id", int), args.get("since", int, self._dc.world.record.last_seq))
            return None
        if verb == "unwatch":
            self._unwatch(args.get("watch", int))
            return None
        if verb not in VERBS:
            raise Invalid("VERB_UNKNOWN", f'the field "do" names no verb: {verb}')
        return VERBS[verb](self._dc, args)

    def _watch(self, name: int, since: int) -> None:
        self._unwatch(name)
        self._watches[name] = asyncio.create_task(self._tell(name, since))

    def _unwatch(self, name: int) -> None:
        if watch := self._watches.pop(name, None):
            watch.cancel()

    async def _tell(self, name: int, since: int) -> None:
        record = self._dc.world.record
        while True:
            for action in record.since(since):
                since = action.seq
                await self._write({"event": action, "watch": name})
            await record.more(since)

    async def _write(self, message: dict[str, Any]) -> None:
        self._dc.save()
        self._writer.write(to_json(message).encode() + b"\n")
        await self._writer.drain()


def _error(reason: str, message: str) -> dict[str, Any]:
    return {"error": {"reason": reason, "message": message}}


async def _line(reader: asyncio.StreamReader) -> bytes:
    """The next line; Invalid when it is too long, and then the line is read to its end and thrown away."""
    too_long = False
    while True:
        try:
            line = await reader.readuntil()
        except asyncio.LimitOverrunError as err:
            too_long = True
            await reader.readexactly(err.consumed)
        else:
            break
    if too_long:
        raise Invalid("LINE_TOO_LONG", f"the line is longer than {LONGEST_LINE} bytes")
    return line
