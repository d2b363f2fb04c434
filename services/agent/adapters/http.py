"""The one HTTP client for all model calls."""

from collections.abc import AsyncIterator
from typing import cast

import httpx2

from services.agent.adapters.merge import MergeTransport

POOL = 128
"""Streams in one connection pool. For each request a pool looks at all of its connections, so thousands in one pool
cost milliseconds a turn; many small ones do not."""

CONNECT_SECONDS = 5.0


def client(silence_timeout: float) -> httpx2.AsyncClient:
    """A client for any number of streams at once, whose text deltas come merged."""
    timeout = httpx2.Timeout(silence_timeout, connect=CONNECT_SECONDS, pool=None)
    return httpx2.AsyncClient(transport=MergeTransport(Pools()), timeout=timeout)


class Pools(httpx2.AsyncBaseTransport):
    """Connection pools that are filled one after another, with one TLS context for all of them."""

    def __init__(self) -> None:
        self._pools: list[_Pool] = []
        self._tls = httpx2.create_ssl_context()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request through the first pool with room."""
        pool = next((pool for pool in self._pools if pool.streams < POOL), None) or self._more()
        return await pool.send(request)

    async def aclose(self) -> None:
        """Close every connection."""
        for pool in self._pools:
            await pool.transport.aclose()

    def _more(self) -> "_Pool":
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=POOL, keepalive_expiry=30)
        pool = _Pool(httpx2.AsyncHTTPTransport(verify=self._tls, limits=limits))
        self._pools.append(pool)
        return pool


class _Pool:
    def __init__(self, transport: httpx2.AsyncHTTPTransport) -> None:
        self.transport, self.streams = transport, 0

    async def send(self, request: httpx2.Request) -> httpx2.Response:
        self.streams += 1
        try:
            response = await self.transport.handle_async_request(request)
        except BaseException:
            self.streams -= 1
            raise
        response.stream = _Counted(cast("httpx2.AsyncByteStream", response.stream), self)
        return response


class _Counted(httpx2.AsyncByteStream):
    """A body that gives its place in the pool back when it is closed."""

    def __init__(self, inner: httpx2.AsyncByteStream, pool: _Pool) -> None:
        self._inner, self._pool = inner, pool
        self._open = True

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._inner.__aiter__()

    async def aclose(self) -> None:
        self._pool.streams -= self._open
        self._open = False
        await self._inner.aclose()
