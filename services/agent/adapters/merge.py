"""An HTTP transport that merges the text deltas of a model's event stream before anybody pays for parsing them.

A model sends a few letters at a time, and each piece costs the SDK and pydantic-ai about 0.1 ms. Pieces that follow one
another within 50 ms leave here as one; the first passes at once, and so does all that is no text. The pieces are joined
as raw JSON, so whatever is not recognised leaves as it came, to the byte.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import cast

import httpx2

WINDOW = 0.05
"""Seconds that a piece of text may be held; about the pace at which people see a text grow."""

END = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r(?!\Z))")
"""The blank line that ends an event. A last "\\r" may be half of a "\\r\\n" that was cut."""

_STRING = rb'(?P<text>(?:[^"\\]|\\.)*)'

TEXT = (
    # Anthropic
    re.compile(
        rb'(?P<head>event: content_block_delta\r?\ndata: \{"type": ?"content_block_delta", ?"index": ?\d+, ?'
        rb'"delta": ?\{"type": ?"text_delta", ?"text": ?")' + _STRING + rb'(?P<tail>" *\} *\}\s+)'
    ),
    # OpenAI, chat completions
    re.compile(
        rb'(?P<head>data: \{[^{}\[\]]*"choices": ?\[\{"index": ?0, ?"delta": ?\{(?:"role": ?"assistant", ?)?'
        rb'"content": ?")'
        + _STRING
        + rb'(?P<tail>"\}, ?(?:"logprobs": ?null, ?)?"finish_reason": ?null\}\][^{}]*\}\s+)'
    ),
    # OpenAI, responses
    re.compile(
        rb'(?P<head>event: response\.output_text\.delta\r?\ndata: \{"type": ?"response\.output_text\.delta",[^{}]*'
        rb'"delta": ?")' + _STRING + rb'(?P<tail>"[^{}]*\}\s+)'
    ),
)
"""A piece of text in each protocol, as one event: what stands before the text, the text, what stands after it."""

VOLATILE = re.compile(rb'"(?:sequence_number|created)": ?\d+')
"""What may differ between pieces of the same text."""


class Merger:
    """Cuts a byte stream into events and joins neighbouring pieces of text. Knows no clock."""

    def __init__(self) -> None:
        self.out = bytearray()
        """What may leave."""
        self._rest = b""
        self._head, self._texts, self._tail = b"", list[bytes](), b""
        self._started = False

    @property
    def holds(self) -> bool:
        """Text waits to be joined with more."""
        return bool(self._texts)

    def feed(self, data: bytes) -> None:
        """Take what came in."""
        data, start = self._rest + data, 0
        for end in END.finditer(data):
            self._take(data[start : end.end()])
            start = end.end()
        self._rest = data[start:]

    def flush(self) -> None:
        """Let the held text leave."""
        if self._texts:
            self.out += self._head + b"".join(self._texts) + self._tail
            self._texts.clear()

    def finish(self) -> None:
        """Let everything leave; nothing more comes in."""
        self.flush()
        self.out += self._rest
        self._rest = b""

    def _take(self, event: bytes) -> None:
        found = next((match for kind in TEXT if (match := kind.fullmatch(event))), None)
        if found is None or not self._started:
            self.flush()
            self.out += event
            self._started = self._started or found is not None
            return
        head, text, tail = found.group("head", "text", "tail")
        if self._texts and VOLATILE.sub(b"", head) != VOLATILE.sub(b"", self._head):
            self.flush()
        if not self._texts:
            self._head, self._tail = head, tail
        self._texts.append(text)


class MergedStream(httpx2.AsyncByteStream):
    """The body of a response, its text merged. A task reads ahead, so that a timer can flush while nothing comes."""

    def __init__(self, inner: httpx2.AsyncByteStream) -> None:
        self._inner, self._merger = inner, Merger()
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._left = float("-inf")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the merged stream.

        Raises:
            httpx2.TransportError: The connection broke; what came before it was yielded.
        """
        self._reading = asyncio.create_task(self._read())
        while self._merger.out or not self._reading.done():
            if self._merger.out:
                data = bytes(self._merger.out)
                self._merger.out.clear()
                yield data
            else:
                self._changed.clear()
                await self._changed.wait()
        await self._reading

    async def _read(self) -> None:
        try:
            async for data in self._inner:
                self._merger.feed(data)
                self._pace()
        finally:
            self._merger.finish()
            self._changed.set()

    def _pace(self) -> None:
        """Flush what is due, or see to it that it will be."""
        if self._merger.holds and self._timer is None:
            due = self._left + WINDOW
            if self._loop.time() >= due:
                self._flush()
            else:
                self._timer = self._loop.call_at(due, self._flush)
        if self._merger.out:
            self._left = self._loop.time()
            self._changed.set()

    def _flush(self) -> None:
        self._timer = None
        self._merger.flush()
        self._left = self._loop.time()
        self._changed.set()

    async def aclose(self) -> None:
        """Stop reading and close the connection."""
        if self._timer is not None:
            self._timer.cancel()
        try:
            if self._reading is not None:
                self._reading.cancel()
                await asyncio.gather(self._reading, return_exceptions=True)
        finally:
            await self._inner.aclose()


class MergeTransport(httpx2.AsyncBaseTransport):
    """Merges the event streams that another transport brings; leaves everything else alone."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request on."""
        response = await self._inner.handle_async_request(request)
        is_events = response.headers.get("content-type", "").startswith("text/event-stream")
        if is_events and "content-encoding" not in response.headers:
            response.stream = MergedStream(cast("httpx2.AsyncByteStream", response.stream))
        return response

    async def aclose(self) -> None:
        """Close every connection."""
        await self._inner.aclose()
