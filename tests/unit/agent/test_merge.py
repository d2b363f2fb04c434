"""Merging the text of a model's event stream changes nothing but the number of pieces."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterable
from itertools import groupby

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.agent.adapters.merge import WINDOW, MergedStream, Merger

Piece = tuple[str, str]
"""Of which text, and what; or "" and an event as it came."""


def anthropic(text: str, index: int = 0, end: str = "\n", padding: str = "") -> bytes:
    delta = json.dumps({"type": "text_delta", "text": text})
    data = f'{{"type":"content_block_delta","index":{index},"delta":{delta}{padding}}}'
    return f"event: content_block_delta{end}data: {data}{end}{end}".encode()


def chat(text: str, end: str = "\n", created: int = 1) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": None}
    data = {"id": "c", "created": created, "model": "gpt", "choices": [choice], "obfuscation": "x"}
    return f"data: {json.dumps(data)}{end}{end}".encode()


def response(text: str, number: int = 1, item: str = "m") -> bytes:
    kind = "response.output_text.delta"
    data = {"type": kind, "sequence_number": number, "item_id": item, "delta": text, "logprobs": []}
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


BLOCK = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":'
OTHER = (
    b'event: ping\ndata: {"type": "ping"}\n\n',
    b'event: error\r\ndata: {"type":"error","error":{"type":"overloaded_error","message":"no"}}\r\n\r\n',
    BLOCK + b'{"type":"input_json_delta","partial_json":"{\\"text\\": 1"}}\n\n',
    BLOCK + b'{"type":"text_delta","text":"kept","more":1}}\n\n',
    b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"end"},"finish_reason":"stop"}],"usage":null}\n\n',
    b'data: {"id":"c","choices":[{"index":1,"delta":{"content":"second"},"finish_reason":null}]}\n\n',
    b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"u"},"finish_reason":null}],"usage":{"a":1}}\n\n',
    b"data: [DONE]\n\n",
    b": a comment\n\n",
    b"data: {no json\n\n",
    b"\xff\xfe\n\n",
    b"\n\n",
)
TEXTS = st.text(max_size=12) | st.sampled_from(['"', "\\", '"}}', "\n", "é😀", "\u2028", "data: x\n\n"])
ENDS = st.sampled_from(["\n", "\r\n"])
EVENTS = st.one_of(
    st.builds(anthropic, TEXTS, st.integers(0, 1), ENDS, st.sampled_from(["", "   "])),
    st.builds(chat, TEXTS, ENDS, st.integers(1, 3)),
    st.builds(response, TEXTS, st.integers(1, 99), st.sampled_from("mn")),
    st.sampled_from(OTHER),
)


def pieces(stream: bytes) -> list[Piece]:
    """What a reader of the stream is told, neighbouring pieces of the same text joined."""
    found = [_piece(event) for event in re.split(rb"(?<=\n\n)|(?<=\r\n\r\n)", stream) if event]
    runs = [(kind, [what for _, what in run]) for kind, run in groupby(found, key=lambda piece: piece[0])]
    return [(kind, what) for kind, run in runs for what in (run if kind == "" else ["".join(run)])]


def _piece(event: bytes) -> Piece:
    if event in OTHER:
        return "", repr(event)
    _, found, data = event.partition(b"data: ")
    value = json.loads(data) if found else {}
    match value:
        case {"delta": {"type": "text_delta", "text": text}, "index": index}:
            return f"block {index}", text
        case {"type": "response.output_text.delta", "delta": text, "item_id": item}:
            return f"item {item}", text
        case {"choices": [{"delta": {"content": text}}]}:
            return "chat", text
    return "", repr(event)


def merged(chunks: Iterable[bytes]) -> bytes:
    merger = Merger()
    for chunk in chunks:
        merger.feed(chunk)
    merger.finish()
    return bytes(merger.out)


@given(st.data(), st.lists(EVENTS))
def test_merged_and_unmerged_say_the_same_however_they_are_cut(data: st.DataObject, events: list[bytes]) -> None:
    stream = b"".join(events)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert pieces(merged(chunks)) == pieces(stream)


@given(st.binary(max_size=60) | st.lists(st.sampled_from([b"\r", b"\n", b"data: x"])).map(b"".join), st.integers(0, 60))
def test_what_is_not_recognised_leaves_as_it_came(stream: bytes, cut: int) -> None:
    assert merged([stream[:cut], stream[cut:]]) == stream


@pytest.mark.parametrize("event", [anthropic, chat, response])
def test_forty_pieces_become_two(event: Callable[[str], bytes]) -> None:
    assert merged([event(f"{n} ") for n in range(40)]).count(b"data: ") == 2


def test_the_text_of_two_blocks_is_not_mixed() -> None:
    stream = [anthropic("a"), anthropic("b"), anthropic("c", 1), anthropic("d", 1)]
    assert pieces(merged(stream)) == [("block 0", "ab"), ("block 1", "cd")]


class Source(httpx2.AsyncByteStream):
    """A body that says what the test says, when it says it."""

    def __init__(self) -> None:
        self.chunks: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self.closed = asyncio.Event()

    def send(self, *chunks: bytes | Exception | None) -> None:
        for chunk in chunks:
            self.chunks.put_nowait(chunk)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (chunk := await self.chunks.get()) is not None:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    async def aclose(self) -> None:
        self.closed.set()


async def test_the_first_piece_comes_at_once_and_the_next_by_itself() -> None:
    source = Source()
    stream = MergedStream(source)
    reading = aiter(stream)
    loop = asyncio.get_running_loop()
    source.send(anthropic("a"))
    assert pieces(await anext(reading)) == [("block 0", "a")]
    began = loop.time()
    source.send(anthropic("b"), anthropic("c"))
    assert pieces(await anext(reading)) == [("block 0", "bc")]
    assert WINDOW / 2 < loop.time() - began < 10 * WINDOW
    await stream.aclose()


async def test_another_event_takes_the_text_with_it() -> None:
    source = Source()
    stream = MergedStream(source)
    source.send(anthropic("a"), anthropic("b"), OTHER[0], anthropic("c"), None)
    assert pieces(b"".join([data async for data in stream])) == [
        ("block 0", "ab"),
        ("", repr(OTHER[0])),
        ("block 0", "c"),
    ]
    await stream.aclose()


async def test_what_came_before_a_break_is_read_before_the_break() -> None:
    source = Source()
    stream = MergedStream(source)
    source.send(anthropic("a"), anthropic("b"), b"half", httpx2.ReadError("gone"))
    reading = aiter(stream)
    assert await anext(reading) == anthropic("a") + anthropic("b") + b"half"
    with pytest.raises(httpx2.ReadError, match="gone"):
        await anext(reading)
    await stream.aclose()


async def test_a_slow_reader_misses_nothing() -> None:
    source = Source()
    stream = MergedStream(source)
    reading = aiter(stream)
    source.send(anthropic("a"))
    got = [await anext(reading)]
    source.send(anthropic("b"), OTHER[0], anthropic("c"), None)
    while not source.chunks.empty():
        await asyncio.sleep(0)
    got += [data async for data in reading]
    assert pieces(b"".join(got)) == [("block 0", "ab"), ("", repr(OTHER[0])), ("block 0", "c")]
    await stream.aclose()


async def test_closing_ends_the_reading() -> None:
    source = Source()
    stream = MergedStream(source)
    source.send(anthropic("a"), anthropic("b"))
    assert await anext(aiter(stream))
    await stream.aclose()
    assert source.closed.is_set()
    assert len(asyncio.all_tasks()) == 1
