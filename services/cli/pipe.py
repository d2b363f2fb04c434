"""The chat without a terminal: lines in, final messages out."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import suppress

from services.chassis.errors import TimedOut
from services.cli.chat import Chat
from services.testdc.lines import SandboxError

CHUNK = 1 << 16


async def pipe(chat: Chat) -> None:
    """Answer the lines of standard input one after another; only the bot's final messages go to standard output."""
    async for line in lines(sys.stdin.fileno()):
        try:
            if line.strip() and not _tell(await chat.ask(line.strip())):
                return
        except (TimedOut, SandboxError) as error:
            sys.stderr.write(f"{error}\n")


def _tell(answers: list[str]) -> bool:
    """Print the answers; false when whoever read them has gone."""
    try:
        sys.stdout.writelines(f"{answer}\n" for answer in answers)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more when it ends
        return False
    return True


async def lines(descriptor: int) -> AsyncIterator[str]:
    """The lines that come in, until the end; bytes that are no UTF-8 become �.

    A thread reads them, since a read that waits cannot be cancelled; it dies with the process.
    """
    chunks: asyncio.Queue[bytes] = asyncio.Queue(maxsize=1)
    reader = (descriptor, chunks, asyncio.get_running_loop())
    threading.Thread(target=_read, args=reader, daemon=True).start()
    rest = b""
    while chunk := await chunks.get():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")
    yield rest.decode(errors="replace")


def _read(descriptor: int, chunks: asyncio.Queue[bytes], loop: asyncio.AbstractEventLoop) -> None:
    chunk = b"."
    with suppress(RuntimeError):  # the loop has ended
        while chunk:
            try:
                chunk = os.read(descriptor, CHUNK)  # Python's own buffer would be locked while the process ends
            except OSError:  # its terminal is gone
                chunk = b""
            asyncio.run_coroutine_threadsafe(chunks.put(chunk), loop).result()
