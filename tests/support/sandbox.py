"""The sandbox Telegram for tests: fixtures `server_key` and `dc`, and real Telethon clients of its bots."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from telethon import TelegramClient, events
from telethon.crypto import AuthKey, rsa
from telethon.sessions import MemorySession

from services.testdc.api.login import DC_ID
from services.testdc.crypto import ServerKey
from services.testdc.model import Account
from services.testdc.remote import Sandbox
from services.testdc.server import TestDC

TIME_LIMIT = 60.0


@pytest.fixture(scope="session")
def server_key() -> ServerKey:
    """One server key for the whole run; Telethon keeps trusted keys per process."""
    key = ServerKey.generate()
    trust(key)
    return key


@pytest.fixture
async def dc(server_key: ServerKey) -> AsyncIterator[TestDC]:
    """A fresh, passing data centre; the test fails when a client asks it for something it does not imitate."""
    async with TestDC(key=server_key) as dc:
        yield dc
        assert dc.world.unknown_calls == []


def trust(key: ServerKey) -> None:
    """Make Telethon, in this process, accept a server with this key."""
    rsa.add_key(key.public_pem, old=False)


def new_client(port: int, key: bytes | None = None, **options: Any) -> Any:
    """A Telethon client that is not connected yet, with our settings; `key` is an auth key."""
    session = MemorySession()
    session.set_dc(DC_ID, "127.0.0.1", port)
    if key:
        session.auth_key = AuthKey(key)
    ours = {
        "flood_sleep_threshold": 0,
        "raise_last_call_error": True,
        "connection_retries": None,
        "retry_delay": 0,
        "sequential_updates": True,
    }
    return TelegramClient(session, 1, "hash", **{**ours, **options})


@asynccontextmanager
async def connected(dc: TestDC, bot: Account, **options: Any) -> AsyncIterator[Any]:
    """A Telethon client that is logged in as the bot, without handshake; it is told of updates."""
    client = new_client(dc.port, dc.provision(bot), **options)
    await client.connect()
    await client.get_me()
    try:
        yield client
    finally:
        await client.disconnect()


class Inbox:
    """The raw updates that reached a client's handlers, in order."""

    def __init__(self, client: Any) -> None:
        self.updates: list[Any] = []
        self._arrived = asyncio.Event()
        client.add_event_handler(self._take, events.Raw())

    async def _take(self, update: Any) -> None:
        self.updates.append(update)
        self._arrived.set()

    def of(self, kind: type) -> list[Any]:
        """Those of one kind."""
        return [update for update in self.updates if isinstance(update, kind)]

    async def wait(self, kind: type, count: int = 1, limit: float = TIME_LIMIT) -> Any:
        """The update of this kind with this number, from 1; TimeoutError when it does not come."""
        async with asyncio.timeout(limit):
            while len(self.of(kind)) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.of(kind)[count - 1]


def arrivals(client: Any) -> list[str]:
    """Texts of new messages in the order in which they reach the client, before it sorts them and calls handlers."""
    order: list[str] = []
    queue = client._updates_queue
    put = queue.put_nowait

    def note(updates: Any) -> None:
        order.extend(update.message.message for update in updates.updates)
        put(updates)

    queue.put_nowait = note
    return order


async def until(condition: Callable[[], object], limit: float = TIME_LIMIT) -> None:
    """Wait until something is so; TimeoutError when it does not come to be. For what gives no signal of its own."""
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.002)


def copied(folder: Path, target: Path) -> Path:
    """The files of a world as a sudden death of its process would leave them, in another folder."""
    target.mkdir()
    for file in folder.glob("world.sqlite*"):
        (target / file.name).write_bytes(file.read_bytes())
    return target


@dataclass
class SandboxProcess:
    """`python -m services.testdc` in a process of its own; keeps its ports over restarts."""

    folder: Path
    token: str = "token-of-this-test-run"
    port: int = 0
    control_port: int = 0
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start and wait until it listens; Telethon trusts its key then."""
        environment = {
            **os.environ,
            "TESTDC_FOLDER": str(self.folder),
            "TESTDC_LISTEN": f"127.0.0.1:{self.port}",
            "TESTDC_CONTROL": f"127.0.0.1:{self.control_port}",
            "TESTDC_TOKEN": self.token,
        }
        self.folder.mkdir(exist_ok=True)
        log = self.folder / "log"
        with log.open("wb") as output:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.testdc", stderr=output, env=environment
            )
        await until(lambda: log.read_text().endswith("\n"), limit=60)
        where = json.loads(log.read_text())
        self.port, self.control_port = (int(where[name].rpartition(":")[2]) for name in ("address", "control"))
        rsa.add_key((self.folder / "server_key.pem").read_text(), old=False)

    async def kill(self) -> None:
        """kill -9."""
        assert self.process
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process
        self.process.terminate()
        return await asyncio.wait_for(self.process.wait(), 30)

    def control(self) -> AbstractAsyncContextManager[Sandbox]:
        """A connection to its control port."""
        return Sandbox.connect("127.0.0.1", self.control_port, self.token)


@pytest.fixture
async def sandbox_process(tmp_path: Path) -> AsyncIterator[SandboxProcess]:
    """A running sandbox process with a folder of its own."""
    process = SandboxProcess(tmp_path / "world")
    await process.start()
    yield process
    assert process.process
    if process.process.returncode is None:
        await process.kill()
