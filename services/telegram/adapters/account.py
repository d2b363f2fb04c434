"""The account's connection: logs in, watches it, and makes a new one when it is lost for good."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from telethon import functions as f
from telethon import types as t

from services.chassis import logs
from services.chassis.errors import SettingsError
from services.telegram.adapters.client import Client, trust
from services.telegram.adapters.intake import Intake
from services.telegram.adapters.session import DatabaseSession
from services.telegram.adapters.store import SqlStore
from services.telegram.model import Away, FloodWait, LoggedOut, Refused
from services.telegram.settings import Settings

log = logs.get()

DATA_CENTRE = 2
"""The number that a server named by TELEGRAM_SERVER goes by."""

WATCH = 10.0
"""Seconds between two questions whether the connection lives; silence alone proves nothing. With the time that a call
may take, a dead connection is noticed within 20 s."""

AGAIN = 1.0
"""Seconds before a login that got no answer is tried again."""

LOGIN = "login"
BAD_TOKEN = frozenset({"ACCESS_TOKEN_INVALID", "ACCESS_TOKEN_EXPIRED"})
BAD_API = frozenset({"API_ID_INVALID", "API_ID_PUBLISHED_FLOOD"})


class Account:
    """A logged-in bot."""

    def __init__(self, client: Client, me: Any) -> None:
        self.client = client
        self.account_id: int = me.id
        self.username: str = me.username or ""

    async def watch(self) -> None:
        """Ask now and then whether Telegram is there, for ever; without an answer, connect anew.

        Raises:
            LoggedOut: The account's authorisation is gone.
        """
        while True:
            await asyncio.sleep(WATCH)
            try:
                await self.client.ask(f.updates.GetStateRequest())
            except Away as error:
                log.warning("telegram_silent", cause=str(error))
                self.client.reconnect()
            except (FloodWait, Refused) as error:
                log.warning("watch_refused", cause=str(error))


@asynccontextmanager
async def connected(
    settings: Settings,
    store: SqlStore,
    intake: Intake,
) -> AsyncIterator[Account]:
    """A logged-in account; the connection is closed at the end of the block.

    Raises:
        SettingsError: Telegram refuses the token or the application.
    """
    server = _server(settings)
    session = DatabaseSession(store)
    await session.load(server)
    client = Client(
        session,
        settings.api_id,
        settings.api_hash.get_secret_value(),
        on_updates=intake.updates,
        on_reconnect=intake.lose,
    )
    try:
        yield Account(client, await _log_in(client, session, settings, store))
    finally:
        await client.disconnect()


def _server(settings: Settings) -> tuple[int, str, int] | None:
    if not settings.server or settings.server_key is None:
        return None
    try:
        trust(settings.server_key.read_text())
    except (OSError, ValueError):
        text = f"TELEGRAM_SERVER_KEY is wrong: {settings.server_key} is no RSA public key in a PEM file."
        raise SettingsError(text) from None
    host, _, port = settings.server.rpartition(":")
    return DATA_CENTRE, host, int(port)


async def _log_in(client: Client, session: DatabaseSession, settings: Settings, store: SqlStore) -> Any:
    waits = await store.waits()
    await asyncio.sleep(max(0.0, waits.get((LOGIN, 0), 0.0) - time.time()))
    while True:
        try:
            if not client.is_connected():
                await client.open()
                await session.keep()
            me = await _myself(client) or await _import(client, settings)
            await session.keep()  # the login may have moved us to another data centre
        except FloodWait as wait:
            log.warning("login_flooded", seconds=wait.seconds)
            await store.wait(LOGIN, 0, time.time() + wait.seconds)
            await asyncio.sleep(wait.seconds)
        except Away as error:
            log.warning("login_unanswered", cause=str(error))
            await asyncio.sleep(AGAIN)
        except Refused as refusal:
            if refusal.reason in BAD_TOKEN:
                raise SettingsError("TELEGRAM_BOT_TOKEN is wrong: Telegram does not know it.") from None
            if refusal.reason in BAD_API:
                raise SettingsError("TELEGRAM_API_ID and TELEGRAM_API_HASH are refused by Telegram.") from None
            raise
        else:
            return me


async def _myself(client: Client) -> Any:
    try:
        return (await client.ask(f.users.GetUsersRequest([t.InputUserSelf()])))[0]
    except LoggedOut:
        if not client.is_connected():
            raise
        return None


async def _import(client: Client, settings: Settings) -> Any:
    token, api_hash = settings.bot_token.get_secret_value(), settings.api_hash.get_secret_value()
    return (await client.log_in(f.auth.ImportBotAuthorizationRequest(0, settings.api_id, api_hash, token))).user
