"""Lines as they come in."""

import asyncio
import os

import pytest

from services.cli.pipe import CHUNK, lines


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"", [""]),
        (b"one\ntwo\n", ["one", "two", ""]),
        (b"one\r\n\ntwo", ["one\r", "", "two"]),
        ("ü€🎉\n".encode(), ["ü€🎉", ""]),
        (b"\xff\xfe and on\n", ["�� and on", ""]),
        (b"x" * (CHUNK - 1) + "€\n".encode(), ["x" * (CHUNK - 1) + "€", ""]),
    ],
)
async def test_all_lines_come_in_order(written: bytes, read: list[str]) -> None:
    out, into = os.pipe()
    os.set_blocking(into, False)

    async def write() -> None:
        rest = written
        while rest:
            try:
                rest = rest[os.write(into, rest) :]
            except BlockingIOError:
                await asyncio.sleep(0)
        os.close(into)

    writing = asyncio.create_task(write())
    try:
        assert [line async for line in lines(out)] == read
    finally:
        await writing
        os.close(out)


async def test_a_closed_input_is_an_empty_one() -> None:
    out, into = os.pipe()
    os.close(out)
    os.close(into)
    assert [line async for line in lines(out)] == [""]
