"""One TCP connection: framing below, messages above, and what a network can do to it."""

import asyncio
import logging
import socket
import struct
from collections.abc import Callable
from typing import cast

from services.testdc.mtproto import Connection, Host
from services.testdc.sessions import Session
from services.testdc.transport import Transport

# A client so slow is cut off; it finds in the difference what it missed.
MOST_UNSENT = 16 << 20

log = logging.getLogger(__name__)


class Wire(asyncio.Protocol):
    """Bytes of one client; knows when they come, not what they mean."""

    def __init__(self, host: Host, on_close: Callable[["Wire"], None]) -> None:
        self.connection = Connection(host, self)
        self.frozen = False
        self._framing = Transport()
        self._waiting: list[bytes] = []
        self._on_close = on_close
        self._socket: asyncio.Transport | None = None

    @property
    def session(self) -> Session | None:
        """The session that speaks through this connection."""
        session = self.connection.session
        return session if session and session.connection is self.connection else None

    @property
    def account(self) -> int | None:
        """Who is logged in on the other side."""
        return self.session.key.account if self.session else None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The client is there."""
        self._socket = cast("asyncio.Transport", transport)  # other event loops have transports of their own

    def data_received(self, data: bytes) -> None:
        """Bytes of the client."""
        if self.frozen:
            self._waiting.append(data)
            return
        try:
            for packet in self._framing.receive(data):
                self.connection.receive(packet)
        except Exception as err:  # noqa: BLE001 (whatever a client sends ends its own connection and nothing else)
            log.warning("connection %s ends: %r", self.connection.number, err)
            self.cut()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's signature)
        """The client is gone."""
        self.connection.close()
        self._on_close(self)

    def send(self, packet: bytes) -> None:
        """Write one packet, unless the connection is closing."""
        self._write(self._framing.frame(packet))

    def send_error(self, code: int) -> None:
        """Write a transport error, unless the connection is closing."""
        self._write(self._framing.frame_error(code))

    def _write(self, data: bytes) -> None:
        if self._socket is None or self._socket.is_closing():
            return
        self._socket.write(data)
        if self._socket.get_write_buffer_size() > MOST_UNSENT:
            self.cut()

    def freeze(self) -> None:
        """A silent failure: the connection stays open, nothing goes in or out."""
        self.frozen = True

    def thaw(self) -> None:
        """The end of it; what waited arrives now."""
        self.frozen = False
        waiting, self._waiting = self._waiting, []
        for data in waiting:
            self.data_received(data)
        self.connection.flush()

    def cut(self, *, reset: bool = False) -> None:
        """End the connection at once; the client sees an end of file or a reset."""
        self.connection.close()
        if self._socket is None:
            return
        if reset and (sock := self._socket.get_extra_info("socket")):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.abort()
