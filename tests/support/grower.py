"""`python -m tests.support.grower`: a process that holds as many blocks of memory as its last line of input says."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.chassis import app, resources
from services.chassis.health import Health
from services.chassis.ladder import MB
from services.chassis.settings import ProcessSettings

BLOCK = 20 * MB
NAME = "grower"


@asynccontextmanager
async def serve(_settings: ProcessSettings, health: Health) -> AsyncIterator[str]:
    """Hold memory until the block ends."""
    held: list[bytes] = []

    def hold() -> None:
        wanted = int(os.read(sys.stdin.fileno(), 100).split()[-1])
        del held[wanted:]
        held.extend(b"x" * BLOCK for _ in range(wanted - len(held)))

    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), hold)
    await health.set(NAME, serving=True)
    yield "nowhere"


if __name__ == "__main__":
    resources.EVERY = 0.02
    app.main(NAME, ProcessSettings, serve)
