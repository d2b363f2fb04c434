"""Networks between services: each pair of caller and callee has a wire of its own that can be cut or fall silent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

CALLS = {
    "telegram": ("pipeline",),
    "pipeline": ("agent", "people"),
    "agent": ("toolrunner",),
}
"""Who calls whom."""


class Link:
    """Carries TCP connections to `target`, while it works."""

    def __init__(self, target: str) -> None:
        self._host, _, port = target.rpartition(":")
        self._port = int(port)
        self._open: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self._whole = True
        self.address = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Link"]:
        """Carry connections until the block ends."""
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            self._flows.set()
            self._reset()

    async def cut(self, seconds: float) -> None:
        """All connections break, and new ones break at once."""
        self._whole = False
        self._reset()
        await asyncio.sleep(seconds)
        self._whole = True

    async def hold(self, seconds: float) -> None:
        """Nothing arrives, and nobody is told."""
        self._flows.clear()
        await asyncio.sleep(seconds)
        self._flows.set()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            if self._whole:
                far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
                self._open.add(far_writer)
                async with asyncio.TaskGroup() as pumps:
                    pumps.create_task(self._pump(reader, far_writer))
                    pumps.create_task(self._pump(far_reader, writer))
        except* OSError:
            pass  # whoever is at the other end notices it too
        finally:
            writer.transport.abort()
            self._open.discard(writer)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
        finally:
            self._open.discard(writer)
            writer.close()

    def _reset(self) -> None:
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()


@asynccontextmanager
async def links(targets: dict[str, str]) -> AsyncIterator[dict[str, Link]]:
    """A link to each target, by name."""
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(Link(target).serving()) for name, target in targets.items()}
