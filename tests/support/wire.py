"""A wire between two processes that a test can cut, or let fall silent."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Wire:
    """Passes bytes on from its own port to a target (host:port)."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flows, self._whole = asyncio.Event(), True
        self._flows.set()
        self.address = ""

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """Pass on until the block ends; yields the address."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self.address
        finally:
            server.close()
            self._whole = False
            self._flows.set()
            for _ in range(5):  # a connection that was just accepted gets its transport, and then its task
                await asyncio.sleep(0)
            self.cut()
            await asyncio.gather(*self._tasks)

    def cut(self) -> None:
        """Break every connection, as a killed process does."""
        for writer in self._writers:
            writer.transport.abort()

    async def sever(self, seconds: float) -> None:
        """Break every connection, and every new one for a while."""
        self._whole = False
        self.cut()
        await asyncio.sleep(seconds)
        self._whole = True

    async def hold(self, seconds: float) -> None:
        """Nothing arrives for a while, and nobody is told."""
        self._flows.clear()
        await asyncio.sleep(seconds)
        self._flows.set()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._carry(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        if not self._whole:
            self.cut()
        await asyncio.gather(self._pass_on(reader, far_writer), self._pass_on(far_reader, writer))
        self._writers -= {writer, far_writer}

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(1 << 16):
                await self._flows.wait()
                writer.write(piece)
                await writer.drain()
        writer.transport.abort()
