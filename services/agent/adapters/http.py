"""The one HTTP client for all model calls: httpx2, as the SDKs want it, on aiohttp's connections.

aiohttp parses in C and keeps less per open stream, and finds a free connection at once however many there are.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import aiohttp
import httpx2

from services.agent.adapters.merge import MergeTransport

CONNECT_SECONDS = 5.0


def client(silence_timeout: float) -> httpx2.AsyncClient:
    """A client for any number of streams at once, whose text deltas come merged."""
    timeout = httpx2.Timeout(silence_timeout, connect=CONNECT_SECONDS, pool=None)
    return httpx2.AsyncClient(transport=MergeTransport(AiohttpTransport()), timeout=timeout)


class AiohttpTransport(httpx2.AsyncBaseTransport):
    """Sends httpx2's requests over aiohttp."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; the body of the response comes as it arrives.

        Raises:
            httpx2.TransportError: The server cannot be reached, or is silent for too long.
        """
        wait = request.extensions.get("timeout", {})
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=wait.get("connect"), sock_read=wait.get("read"))
        with _translated():
            response = await self._open().request(
                request.method,
                str(request.url),
                headers=request.headers.multi_items(),
                data=await request.aread(),
                allow_redirects=False,
                timeout=timeout,
            )
        return httpx2.Response(response.status, headers=response.raw_headers, stream=_Body(response), request=request)

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:  # only a running loop can have one
            connector = aiohttp.TCPConnector(limit=0, ssl=httpx2.create_ssl_context(), keepalive_timeout=30)
            self._session = aiohttp.ClientSession(
                connector=connector, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar(), read_bufsize=1 << 14
            )
        return self._session


class _Body(httpx2.AsyncByteStream):
    """The body of a response as it arrives."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _translated():
            async for data in self._response.content.iter_any():
                yield data

    async def aclose(self) -> None:
        self._response.close()


@contextmanager
def _translated() -> Iterator[None]:
    """The errors of aiohttp as httpx2's."""
    try:
        yield
    except aiohttp.ConnectionTimeoutError as error:
        raise httpx2.ConnectTimeout(str(error)) from error
    except TimeoutError as error:
        raise httpx2.ReadTimeout(str(error)) from error
    except aiohttp.ClientConnectorError as error:
        raise httpx2.ConnectError(str(error)) from error
    except aiohttp.ClientError as error:
        raise httpx2.ReadError(str(error)) from error
