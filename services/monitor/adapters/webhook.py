"""Tells a webhook: JSON that programs read, with a `text` that chat systems show."""

from collections.abc import Sequence

import aiohttp

from services.monitor.adapters.post import post
from services.monitor.adapters.words import rfc3339, words
from services.monitor.model import Notice


class Webhook:
    """A channel of `ports.Channel`."""

    name = "webhook"
    repeat: float | None = None

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self._url = session, url

    async def send(self, notices: Sequence[Notice]) -> None:
        """Post all of them as one."""
        body = {"text": words(notices), "source": "valor", "alerts": [_plain(notice) for notice in notices]}
        await post(self._session, self._url, body)


def _plain(notice: Notice) -> dict[str, object]:
    trouble = notice.trouble
    return {
        "alert": trouble.alert,
        "subject": trouble.subject,
        "severity": trouble.severity,
        "status": "firing" if notice.end_time is None else "resolved",
        "text": trouble.text,
        "start_time": rfc3339(notice.start_time),
        "end_time": None if notice.end_time is None else rfc3339(notice.end_time),
    }
