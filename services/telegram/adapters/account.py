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

WATCH = 15.0
"""Seconds between two questions whether the connection lives; silence alone proves nothing."""

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
        """Ask now and then whether Telegram is there; without an answer, connect anew. Ends when the login is lost.

        Raises:
            LoggedOut: The account's authorisation is gone.
        """
        while not self.client.disconnected.done():
            await asyncio.wait([self.client.disconnected], timeout=WATCH)
            try:
                await self.client.ask(f.updates.GetStateRequest())
            except Away as error:
                log.warning("telegram_silent", cause=str(error))
                self.client.reconnect()
            except (FloodWait, Refused) as error:
                log.warning("watch_refused", cause=str(error))
        raise LoggedOut("the client gave up")


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
    trust(settings.server_key.read_text())
    host, _, port = settings.server.rpartition(":")
    return DATA_CENTRE, host, int(port)


async def _log_in(client: Client, session: DatabaseSession, settings: Settings, store: SqlStore) -> Any:
    await _connect(client, session, store)
    token = settings.bot_token.get_secret_value()
    while True:
        try:
            me = await _myself(client) or await _import(client, settings, token)
            await session.keep()  # the login may have moved us to another data centre
        except FloodWait as wait:
            log.warning("login_flooded", seconds=wait.seconds)
            await store.wait(LOGIN, 0, time.time() + wait.seconds)
            await asyncio.sleep(wait.seconds)
        except Away as error:
            log.warning("login_unanswered", cause=str(error))
            await asyncio.sleep(1)
        except Refused as refusal:
            if refusal.reason in BAD_TOKEN:
                raise SettingsError("TELEGRAM_BOT_TOKEN is wrong: Telegram does not know it.") from None
            if refusal.reason in BAD_API:
                raise SettingsError("TELEGRAM_API_ID and TELEGRAM_API_HASH are refused by Telegram.") from None
            raise
        else:
            return me


async def _connect(client: Client, session: DatabaseSession, store: SqlStore) -> None:
    waits = await store.waits()
    await asyncio.sleep(max(0.0, waits.get((LOGIN, 0), 0.0) - time.time()))
    while True:
        try:
            await client.connect()
            await session.keep()
        except (OSError, TimeoutError) as error:
            log.warning("connect_failed", cause=type(error).__name__)
            await asyncio.sleep(1)
        else:
            break


async def _myself(client: Client) -> Any:
    try:
        return (await client.ask(f.users.GetUsersRequest([t.InputUserSelf()])))[0]
    except LoggedOut:
        if client.disconnected.done():
            raise
        return None


async def _import(client: Client, settings: Settings, token: str) -> Any:
    api_hash = settings.api_hash.get_secret_value()
    request = f.auth.ImportBotAuthorizationRequest(0, settings.api_id, api_hash, token)
    return (await client.log_in(request, patience=30.0)).user
