"""Looks host names up: a name may stand for many replicas, and for others a moment later."""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Collection, Mapping
from contextlib import suppress

from services.monitor.model import Addresses

SECONDS = 1.5
"""A name server that needs longer is taken for silent."""


class Resolver:
    """The names of `ports.Names`. Where a name server is silent, each name costs one thread and no more."""

    def __init__(self) -> None:
        self._under_way: dict[str, asyncio.Future[Addresses]] = {}

    async def look_up(self, hosts: Collection[str]) -> Mapping[str, Addresses]:
        """The addresses of each host, in order; of one kind alone, as a replica that has two kinds is still one."""
        found = await asyncio.gather(*map(self._addresses, hosts))
        return dict(zip(hosts, found, strict=True))

    async def _addresses(self, host: str) -> Addresses:
        host = host.strip("[]")
        with suppress(ValueError):
            return (str(ipaddress.ip_address(host)),)
        found = self._under_way.get(host) or self._begin(host)
        try:
            async with asyncio.timeout(SECONDS):
                return await asyncio.shield(found)
        except TimeoutError:
            return ()

    def _begin(self, host: str) -> "asyncio.Future[Addresses]":
        loop = asyncio.get_running_loop()
        found = self._under_way[host] = loop.create_future()

        def settle(addresses: Addresses) -> None:
            del self._under_way[host]
            found.set_result(addresses)

        def look() -> None:
            addresses = _look_up(host)
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(settle, addresses)

        # A thread that dies with the process: a look-up cannot be cancelled.
        threading.Thread(target=look, name=f"resolve-{host}", daemon=True).start()
        return found


def _look_up(host: str) -> Addresses:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    kinds: dict[int, list[str]] = {}
    for kind, *_, address in found:
        kinds.setdefault(kind, []).append(str(address[0]))
    known = kinds.get(socket.AF_INET) or kinds.get(socket.AF_INET6) or []
    return tuple(sorted(set(known)))
