"""A wire between two processes that a test can cut."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any


class Wire:
    """Passes bytes on from its own port to a target."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any] | None] = set()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """Pass on until the block ends; yields the address."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        try:
            yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            self.cut()
            await asyncio.gather(*(task for task in self._tasks if task is not None))

    def cut(self) -> None:
        """Break every connection, as a killed process does."""
        for writer in self._writers:
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
        else:
            pair = {writer, far_writer}
            self._writers |= pair
            await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))
            self._writers -= pair
        self._tasks.discard(task)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()
    writer.transport.abort()
