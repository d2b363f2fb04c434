"""The listening data centre."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from services.testdc.api.registry import Call
from services.testdc.crypto import ServerKey
from services.testdc.delivery import Delivery
from services.testdc.dispatch import CallFaults, Dispatch
from services.testdc.keys import Keys
from services.testdc.model import Account
from services.testdc.mtproto import Connection, Invocation
from services.testdc.sessions import AuthKey, Session
from services.testdc.wire import Wire
from services.testdc.world import AnyEvent, World


class TestDC:
    """A data centre with its world: `async with TestDC() as dc`."""

    __test__ = False  # not a test class, whatever the name suggests to pytest

    def __init__(
        self, folder: Path | None = None, *, key: ServerKey | None = None, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        """The world of the folder, or a passing one; FolderError when the folder cannot be used.

        Without `key` the folder's key is used, or a new one. Port 0 takes a free one, known after the start.
        """
        self.world = World(folder)
        self.world.deliver = self._deliver
        self.keys = Keys(self.world.store)
        self.server_key = self.keys.server_key(key)
        self.host, self.port = host, port
        self.faults = CallFaults()
        self.delivery = Delivery(self.world, self._sessions)
        self.accepted = 0
        """Connections accepted so far."""
        self._dispatch = Dispatch(self.faults, self._open_call)
        self._wires: set[Wire] = set()
        self._server: asyncio.Server | None = None

    # -- life -------------------------------------------------------------------------------------------------------
    async def __aenter__(self) -> Self:
        await self.accept()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.refuse()
        self.kill_connections()
        await self._dispatch.close()
        self.world.close()

    async def accept(self) -> None:
        """Listen; after `refuse`, again on the same port."""
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(self._new_wire, self.host, self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """New connections are refused; the open ones live on."""
        if self._server:
            self._server.close()
            self._server = None

    def _new_wire(self) -> Wire:
        self.accepted += 1
        wire = Wire(self, on_close=self._wires.discard)
        self._wires.add(wire)
        return wire

    # -- what a network and a service can do to clients -------------------------------------------------------------
    def kill_connections(self, account: Account | None = None, *, reset: bool = False) -> None:
        """Cut the connections of one account, or all, by end of file or by reset."""
        for wire in self._wires_of(account):
            wire.cut(reset=reset)

    def freeze(self, account: Account | None = None) -> None:
        """The open connections of one account, or all, go silent; new ones work."""
        for wire in self._wires_of(account):
            wire.freeze()

    def thaw(self) -> None:
        """Frozen connections go on; what waited in them arrives."""
        for wire in self._wires_of(None):
            wire.thaw()

    def send_transport_error(self, code: int = 429, account: Account | None = None) -> None:
        """A transport error on the open connections: 429 is a transport flood."""
        for wire in self._wires_of(account):
            wire.connection.send_transport_error(code)

    def change_salt(self) -> None:
        """All salts are old now; clients get the new one by bad_server_salt."""
        for key in self.keys:
            key.salt ^= 0x5A5A5A5A
            self.keys.save(key)

    def forget_keys(self, account: Account | None = None) -> None:
        """Keys of one account, or all, are unknown from now on: -404."""
        for key in self.keys:
            if account is None or key.account == account.id:
                self.keys.forget(key)

    def log_out(self, account: Account) -> None:
        """End the account's logins; its keys stay known: 401 AUTH_KEY_UNREGISTERED."""
        for key in self.keys:
            if key.account == account.id:
                key.account = None
                self.keys.save(key)

    def provision(self, account: Account) -> bytes:
        """A key that is logged in already, for who does not want to wait for handshake and login."""
        return self.keys.provision(account.id)

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._wires)

    def _wires_of(self, account: Account | None) -> list[Wire]:
        return [wire for wire in self._wires if account is None or wire.account == account.id]

    def _sessions(self) -> Iterator[Session]:
        return (wire.session for wire in self._wires if wire.session)

    def _deliver(self, events: Sequence[AnyEvent]) -> None:
        self.delivery.deliver(events, besides=self._dispatch.answering)

    # -- what connections ask of their host -------------------------------------------------------------------------
    def find_key(self, key_id: bytes) -> AuthKey | None:
        """The authorisation key of that id."""
        return self.keys.find(key_id)

    def add_key(self, key: bytes) -> AuthKey:
        """Remember a key that was agreed on."""
        return self.keys.add(key)

    def check_use(self, key: AuthKey, connection: Connection) -> None:
        """A key that two live connections use at once dies: 406 AUTH_KEY_DUPLICATED now, -404 afterwards."""
        if key.is_used_twice(connection, time.monotonic(), self.world.limits.duplicate_key_grace):
            key.dead = True
            self.keys.forget(key)

    def invoke(self, invocation: Invocation) -> None:
        """Carry a call out and answer it, now or later."""
        self._dispatch.invoke(invocation)

    def save(self) -> None:
        """One commit for all that happened since the last."""
        self.world.store.commit()

    def _open_call(self, invocation: Invocation) -> Call:
        return Call(self.world, self.keys, invocation.session.key, (self.host, self.port))
