"""Tells an Alertmanager, which wants to hear again and again of what fires, and forgets what it does not hear of."""

import time
from collections.abc import Callable, Sequence

import aiohttp

from services.monitor.adapters.post import post
from services.monitor.adapters.words import rfc3339
from services.monitor.model import Notice

REPEAT = 60.0
"""Seconds between two reminders."""

EXPIRE = 300.0
"""Seconds after which an alert that it heard nothing more of is over: monitor may have gone."""


class Alertmanager:
    """A channel of `ports.Channel`."""

    name = "alertmanager"
    repeat: float | None = REPEAT

    def __init__(self, session: aiohttp.ClientSession, url: str, clock: Callable[[], float] = time.time) -> None:
        self._session, self._url, self._clock = session, f"{url.rstrip('/')}/api/v2/alerts", clock

    async def send(self, notices: Sequence[Notice]) -> None:
        """Post the last of each alert."""
        last = {notice.trouble.key: notice for notice in notices}
        await post(self._session, self._url, [_plain(notice, self._clock() + EXPIRE) for notice in last.values()])


def _plain(notice: Notice, expire_time: float) -> dict[str, object]:
    trouble = notice.trouble
    labels = {"alertname": trouble.alert, "severity": trouble.severity, "subject": trouble.subject, "source": "valor"}
    return {
        "labels": {name: value for name, value in labels.items() if value},
        "annotations": {"summary": trouble.text},
        "startsAt": rfc3339(notice.start_time),
        "endsAt": rfc3339(expire_time if notice.end_time is None else notice.end_time),
    }
