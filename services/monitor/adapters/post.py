"""Posts JSON to whoever is to be told. No error tells the address: it may hold a secret."""

import json
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

import aiohttp

from services.monitor.adapters.body import beginning
from services.monitor.ports import SendFailed

SECONDS = 10.0
"""Somebody who needs longer to listen is tried again later."""

MOST = 1 << 14
"""Bytes of an answer that are looked at."""

LONGEST = 3600.0
"""Seconds that anybody may put us off for."""


@asynccontextmanager
async def poster() -> AsyncIterator[aiohttp.ClientSession]:
    """Connections for posts, until the block ends."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as session:
        yield session


async def post(session: aiohttp.ClientSession, url: str, body: object) -> None:
    """Post.

    Raises:
        SendFailed: It was not taken.
    """
    try:
        async with session.post(url, json=body, allow_redirects=False) as answer:
            if not 200 <= answer.status < 300:
                told = await beginning(answer.content, MOST)
                raise SendFailed(f"it answers {answer.status}", _retry_after(answer.headers, told))
    except TimeoutError:
        raise SendFailed(f"it did not answer within {SECONDS:g} s") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise SendFailed(f"it cannot be reached ({type(error).__name__})") from None


def _retry_after(headers: Mapping[str, str], told: bytes) -> float:
    """Seconds, as HTTP says it, or as Telegram does in its answer; 0 where nobody says."""
    with suppress(ValueError, TypeError, KeyError):
        wanted = headers.get("Retry-After") or json.loads(told)["parameters"]["retry_after"]
        seconds = float(wanted)
        return min(max(seconds, 0.0), LONGEST) if math.isfinite(seconds) else 0.0
    return 0.0
