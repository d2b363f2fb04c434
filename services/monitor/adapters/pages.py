"""Reads metrics pages: Prometheus's text format over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from services.monitor import figures
from services.monitor.adapters.body import beginning
from services.monitor.figures import Sample
from services.monitor.model import Figures

SECONDS = 2.0
"""A page that takes longer is not waited for."""

LARGEST = 1 << 18
"""Bytes of a page that are read; what we ask for is a few hundred."""

LONGEST = 500
"""Characters of a line that is looked at."""

QUESTION = [("name[]", name) for name in figures.NAMES]
"""Asks for these samples alone."""


class MetricsPages:
    """The reader of `ports.PageReader`."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    @staticmethod
    @asynccontextmanager
    async def open() -> "AsyncIterator[MetricsPages]":
        """Hold connections until the block ends."""
        timeout = aiohttp.ClientTimeout(total=SECONDS)
        connector = aiohttp.TCPConnector(limit=0)
        # Compressed pages are not asked for: a small one may become a large one.
        plain = {"Accept-Encoding": "identity"}
        async with aiohttp.ClientSession(timeout=timeout, connector=connector, headers=plain) as session:
            yield MetricsPages(session)

    async def read(self, addresses: Collection[str]) -> Mapping[str, Figures | str]:
        """Read all of them at once."""
        found = await asyncio.gather(*map(self._read, addresses))
        return dict(zip(addresses, found, strict=True))

    async def _read(self, address: str) -> Figures | str:
        try:
            url = f"http://{address}/metrics"
            async with self._session.get(url, params=QUESTION, allow_redirects=False) as answer:
                page = await beginning(answer.content, LARGEST)
                answer.close()
                if answer.status != 200:
                    return f"its metrics page answers {answer.status}"
            return figures.read(samples(page.decode()))
        except TimeoutError:
            return f"its metrics page did not answer within {SECONDS:g} s"
        except (aiohttp.ClientError, OSError):
            return "its metrics page cannot be reached"
        except (ValueError, IndexError):
            return "its metrics page cannot be read"


def samples(page: str) -> Iterator[Sample]:
    """The samples of a page that somebody asked for. Raises ValueError or IndexError where one cannot be read."""
    lines = (line for line in page.splitlines() if line.startswith(figures.NAMES) and len(line) <= LONGEST)
    for family in text_string_to_metric_families("\n".join(lines)):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value
