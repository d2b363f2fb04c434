"""The PostgreSQL of a run: a server that can be killed and started again."""

import asyncio
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.support.store import SERVER, database


@dataclass(frozen=True)
class Server:
    """A database of the run's own, and how its server is restarted."""

    url: str
    restart_command: str

    @property
    def address(self) -> str:
        """Where the server is, as host:port."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    def url_at(self, address: str) -> str:
        """The same database at the end of a wire."""
        return self.url.replace(f"@{self.address}/", f"@{address}/", 1)

    async def restart(self) -> None:
        """Kill the server and start it again."""
        process = await asyncio.create_subprocess_exec(
            *shlex.split(self.restart_command), stdout=asyncio.subprocess.DEVNULL
        )
        await process.wait()


@contextmanager
def opened(store: str) -> Iterator[Server | None]:
    """The server of `store`: none for sqlite."""
    if store == "sqlite":
        yield None
        return
    if not SERVER:
        raise SystemExit("STORE=postgres needs a server: run it as `make chaos STORE=postgres`.")
    with database() as url:
        yield Server(url, os.environ["VALOR_TEST_POSTGRES_RESTART"])
