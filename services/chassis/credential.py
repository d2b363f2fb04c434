"""How a process proves who it is, and knows who calls: by the run's token on loopback, else by certificates."""

import asyncio
import hmac
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import grpc

from services.chassis.errors import SettingsError, Unauthenticated

Options = Sequence[tuple[str, Any]]
Context = grpc.aio.ServicerContext[Any, Any]

HOUSE = ""
"""The caller's name where all processes are one house: whoever knows its token may call whatever it offers."""

CONNECTION_SECONDS = 30
"""A caller looks again for replicas this often, so that new ones get their share."""

LOOK = 60.0
"""Seconds between two looks at the certificate's file."""


class Credential(Protocol):
    """One process's proof, and its check of others'."""

    @property
    def metadata(self) -> Sequence[tuple[str, str]]:
        """What goes along with each call."""

    def channel(self, address: str, options: Options) -> grpc.aio.Channel:
        """A connection to a callee."""

    def server_options(self) -> Options:
        """What a server needs beside its own options."""

    def add_port(self, server: grpc.aio.Server, listen: str) -> int:
        """Let a server listen; its port. Raises RuntimeError where it cannot."""

    def caller(self, context: Context, headers: Mapping[str, str]) -> str:
        """Who calls: a service's name, or HOUSE. Raises Unauthenticated."""

    async def replaced(self) -> None:
        """Return when the proof was renewed; whoever uses it has to start anew."""


class Token:
    """The run's secret, which all processes of a house on one machine share; calls travel in plaintext."""

    def __init__(self, token: str) -> None:
        self.metadata = (("authorization", f"Bearer {token}"),)
        self._expected = f"Bearer {token}".encode()

    def channel(self, address: str, options: Options) -> grpc.aio.Channel:
        """A connection to a callee."""
        return grpc.aio.insecure_channel(address, options=options)

    def server_options(self) -> Options:
        """What a server needs beside its own options."""
        return ()

    def add_port(self, server: grpc.aio.Server, listen: str) -> int:
        """Let a server listen; its port."""
        return server.add_insecure_port(listen)

    def caller(self, _context: Context, headers: Mapping[str, str]) -> str:
        """HOUSE, where the call shows the token."""
        if not hmac.compare_digest(headers.get("authorization", "").encode(), self._expected):
            raise Unauthenticated("This call needs the run's token.")
        return HOUSE

    async def replaced(self) -> None:
        """Never: a run has one token."""
        await asyncio.Event().wait()


class Certificate:
    """A folder with `tls.crt`, `tls.key` and `ca.crt`, as Kubernetes keeps them; the common name is the service's.

    Both sides show one that the same authority signed, and every call is encrypted.
    """

    metadata: Sequence[tuple[str, str]] = ()

    def __init__(self, folder: Path) -> None:
        """Raises SettingsError where a file cannot be read."""
        self._file = folder / "tls.crt"
        try:
            self._authority = (folder / "ca.crt").read_bytes()
            self._pair = ((folder / "tls.key").read_bytes(), self._file.read_bytes())
            self._stamp = self._look()
        except OSError as error:
            raise SettingsError(f"VALOR_TLS is wrong: {error.filename} cannot be read.") from None

    def channel(self, address: str, options: Options) -> grpc.aio.Channel:
        """A connection to a callee."""
        credentials = grpc.ssl_channel_credentials(self._authority, *self._pair)
        return grpc.aio.secure_channel(address, credentials, options=options)

    def server_options(self) -> Options:
        """Connections end after a while, calls under way do not."""
        return (("grpc.max_connection_age_ms", CONNECTION_SECONDS * 1000),)

    def add_port(self, server: grpc.aio.Server, listen: str) -> int:
        """Let a server listen; its port."""
        credentials = grpc.ssl_server_credentials([self._pair], self._authority, require_client_auth=True)
        return server.add_secure_port(listen, credentials)

    def caller(self, context: Context, _headers: Mapping[str, str]) -> str:
        """The common name of the certificate that the connection was made with."""
        name = next(iter(context.auth_context().get("x509_common_name", ())), b"").decode()
        if not name:
            raise Unauthenticated("This call needs a certificate with a name.")
        return name

    async def replaced(self) -> None:
        """Return when another certificate stands in the folder."""
        while self._look() == self._stamp:
            await asyncio.sleep(LOOK)

    def _look(self) -> tuple[int, int]:
        seen = self._file.stat()
        return seen.st_ino, seen.st_mtime_ns
