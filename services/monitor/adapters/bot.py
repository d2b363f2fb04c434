"""Tells a Telegram chat through the plain HTTP Bot API: it needs neither our account's connection nor its pipeline."""

from collections.abc import Sequence

import aiohttp

from services.monitor.adapters.post import post
from services.monitor.adapters.words import words
from services.monitor.model import Notice

LONGEST = 4096
"""Characters of a message."""


class Bot:
    """A channel of `ports.Channel`."""

    name = "telegram"
    repeat: float | None = None

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str, chat: str) -> None:
        self._session, self._url, self._chat = session, f"{url.rstrip('/')}/bot{token}/sendMessage", chat

    async def send(self, notices: Sequence[Notice]) -> None:
        """Send all of them as one message."""
        text = words(notices)
        text = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
        body = {"chat_id": self._chat, "text": text, "link_preview_options": {"is_disabled": True}}
        await post(self._session, self._url, body)
