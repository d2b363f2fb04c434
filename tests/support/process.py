"""Runs services inside a test, each with a folder of its own, as `app.main` would run them."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from services.chassis import client
from services.chassis.app import Serve
from services.chassis.credential import Token
from services.chassis.health import Health
from services.chassis.settings import ProcessSettings

S = TypeVar("S", bound=ProcessSettings)

TOKEN = "token-of-this-test-run"
CREDENTIAL = Token(TOKEN)


@asynccontextmanager
async def running(serve: Serve[S], settings: S) -> AsyncIterator[client.Caller]:
    """Serve until the block ends; yields a caller for it."""
    async with serve(settings, Health()) as address, client.connect(address, CREDENTIAL) as caller:
        yield caller


def free_port() -> int:
    """A port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
