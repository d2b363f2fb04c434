"""A local model: speaks Anthropic's streaming Messages API and OpenAI's streaming chat completions.

In tests it answers by a script, a function of the request, and does what real servers do to people: refuse, overload,
stall, cut the stream, talk nonsense. As a process (`python -m tests.support.model_server --chunks 40 --delay 0.2`) it
is the model of benchmarks; it prints its port and costs little.
"""

import argparse
import asyncio
import itertools
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, MutableSequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

Request = dict[str, Any]
Event = tuple[bytes | None, bool]
"""An event as it is sent, and whether it is text; None stands where the fault is."""

FAULT: Event = (None, False)
COMPLETION = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-test"}

TEXT = "The quick brown fox jumps over the lazy dog, looks back once, and goes on its way through the wood. "


@dataclass(frozen=True)
class Reply:
    """What the model does with one request."""

    text: str = ""
    calls: tuple[tuple[str, Any], ...] = ()
    """Tools to call after the text: name and arguments (an object, or the raw text of broken JSON)."""
    chunks: int = 4
    delay: float = 0.0
    """Seconds that the text takes, spread over its chunks."""
    status: int = 200
    error: tuple[str, str] = ("api_error", "Something failed.")
    """Type and message of an error, by status or in the stream."""
    retry_after: int | None = None
    fault: Literal["", "cut", "end", "stall", "garbage", "error", "page"] = ""
    """After half of the chunks: close the connection, end the body, fall silent, talk nonsense, send an error event.
    Or answer with a web page instead."""


Script = Callable[[Request], Reply]
Protocol = Callable[[Reply], Iterator[Event]]


@dataclass
class ModelServer:
    """A running server: what it was asked, and who still listens."""

    script: Script
    url: str = ""
    requests: MutableSequence[Request] = field(default_factory=list)
    streams: int = 0
    """Answers under way."""
    hung_up: int = 0
    """Answers whose reader closed the connection before their end."""
    connections: set[asyncio.Transport] = field(default_factory=set)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, holds: Callable[["ModelServer"], bool]) -> None:
        """Wait for a state of the server."""
        async with self.changed:
            await self.changed.wait_for(lambda: holds(self))

    async def tell(self) -> None:
        """Wake who waits for a state."""
        async with self.changed:
            self.changed.notify_all()


class Connection(asyncio.Protocol):
    """One HTTP/1.1 connection; requests come one after another."""

    def __init__(self, server: ModelServer) -> None:
        self._server, self._buffer = server, bytearray()
        self._answering: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.connections.add(transport)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._server.connections.discard(self._transport)
        if self._answering is not None and not self._answering.done():
            self._answering.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        if not found or len(rest) < (size := int(headers.get("content-length", 0))):
            return
        self._buffer = bytearray(rest[size:])
        self._answering = asyncio.create_task(self._answer(lines[0].split(" ")[1], json.loads(rest[:size])))

    async def _answer(self, path: str, request: Request) -> None:
        server = self._server
        server.requests.append(request)
        server.streams += 1
        await server.tell()
        try:
            await self._reply(server.script(request), openai if path.endswith("/chat/completions") else anthropic)
        except asyncio.CancelledError:
            server.hung_up += 1
            raise
        finally:
            server.streams -= 1
            await asyncio.shield(server.tell())

    async def _reply(self, reply: Reply, protocol: Protocol) -> None:
        if reply.status != 200:
            self._whole(f"{reply.status} No", "application/json", json.dumps(_error(reply)), reply.retry_after)
        elif reply.fault == "page":
            self._whole("200 OK", "text/html", "<html>Welcome</html>")
        else:
            self._send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            await self._stream(reply, protocol)

    def _whole(self, status: str, kind: str, body: str, retry_after: int | None = None) -> None:
        head = [f"HTTP/1.1 {status}", f"content-type: {kind}", f"content-length: {len(body)}"]
        if retry_after is not None:
            head.append(f"retry-after: {retry_after}")
        self._send("\r\n".join([*head, "", body]).encode())

    async def _stream(self, reply: Reply, protocol: Protocol) -> None:
        pause, together = reply.delay / reply.chunks, bytearray()
        for event, is_text in protocol(reply):
            if event is None:
                self._send(together)
                return await self._fail(reply)
            if pause and is_text:
                self._send(together)
                together.clear()
                await asyncio.sleep(pause)
            together += _chunk(event)
        self._send(together + _chunk(b""))
        return None

    async def _fail(self, reply: Reply) -> None:
        match reply.fault:
            case "stall":
                await asyncio.Event().wait()
            case "garbage":
                self._send(_chunk(b"event: content_block_delta\ndata: {no json\n\n") + _chunk(b""))
            case "error":
                self._send(_chunk(_event("error", _error(reply))) + _chunk(b""))
            case "end":
                self._send(_chunk(b""))
            case _:
                self._transport.close()

    def _send(self, data: bytes | bytearray) -> None:
        self._transport.write(bytes(data))


CALLS = itertools.count(1)
"""No two calls for a tool have the same id, whoever asks."""


def anthropic(reply: Reply) -> Iterator[Event]:
    """The events of an answer in Anthropic's protocol."""
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-test", "content": []}
    usage = {"input_tokens": 20, "output_tokens": 1}
    yield _typed("message_start", message={**message, "stop_reason": None, "stop_sequence": None, "usage": usage})
    if reply.text:
        yield _typed("content_block_start", index=0, content_block={"type": "text", "text": ""})
        for piece in _pieces(reply):
            delta = {"type": "text_delta", "text": piece}
            yield _typed("content_block_delta", index=0, delta=delta) if piece else FAULT
        yield _typed("content_block_stop", index=0)
    for index, (name, arguments) in enumerate(reply.calls, start=1):
        call = {"type": "tool_use", "id": f"call_{next(CALLS)}", "name": name, "input": {}}
        yield _typed("content_block_start", index=index, content_block=call)
        delta = {"type": "input_json_delta", "partial_json": _json(arguments)}
        yield _typed("content_block_delta", index=index, delta=delta)
        yield _typed("content_block_stop", index=index)
    reason = "tool_use" if reply.calls else "end_turn"
    yield _typed("message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage={"output_tokens": 10})
    yield _typed("message_stop")


def openai(reply: Reply) -> Iterator[Event]:
    """The events of an answer in OpenAI's chat completions protocol."""
    for piece in _pieces(reply):
        yield _choice({"role": "assistant", "content": piece}) if piece else FAULT
    for index, (name, arguments) in enumerate(reply.calls):
        function = {"name": name, "arguments": _json(arguments)}
        call = {"index": index, "id": f"call_{next(CALLS)}", "type": "function", "function": function}
        yield _choice({"role": "assistant", "tool_calls": [call]})
    yield _choice({}, "tool_calls" if reply.calls else "stop")
    usage = {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}
    yield _event("", {**COMPLETION, "choices": [], "usage": usage}), False
    yield b"data: [DONE]\n\n", False


def _pieces(reply: Reply) -> Iterator[str]:
    """The text in its chunks; an empty one stands where the fault is."""
    size = -(-len(reply.text) // reply.chunks)
    for number in range(reply.chunks):
        if reply.fault and number == reply.chunks // 2:
            yield ""
        if piece := reply.text[number * size : (number + 1) * size]:
            yield piece


def _typed(kind: str, **data: Any) -> Event:
    return _event(kind, {"type": kind, **data}), "text_delta" in str(data.get("delta"))


def _choice(delta: dict[str, Any], reason: str | None = None) -> Event:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return _event("", {**COMPLETION, "choices": [choice]}), "content" in delta


def _error(reply: Reply) -> dict[str, Any]:
    kind, message = reply.error
    return {"type": "error", "error": {"type": kind, "code": kind, "message": message}}


def _json(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


def _event(name: str, data: dict[str, Any]) -> bytes:
    return (f"event: {name}\n" if name else "").encode() + f"data: {json.dumps(data)}\n\n".encode()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@asynccontextmanager
async def serving(script: Script, port: int = 0, host: str = "127.0.0.1") -> AsyncIterator[ModelServer]:
    """Serve until the block ends."""
    server = ModelServer(script)
    listener = await asyncio.get_running_loop().create_server(lambda: Connection(server), host, port)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
        for connection in set(server.connections):
            connection.close()
        await server.until(lambda state: state.streams == 0)


async def _main() -> None:
    parser = argparse.ArgumentParser(description="A local model for benchmarks; prints its port.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--chunks", type=int, default=40)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that an answer takes")
    options = parser.parse_args()
    reply = Reply(TEXT * 8, chunks=options.chunks, delay=options.delay)
    async with serving(lambda _request: reply, options.port) as server:
        server.requests = deque(maxlen=1)  # a benchmark sends too many to keep
        print(server.url.rpartition(":")[2], flush=True)  # noqa: T201 (the port is its output)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
