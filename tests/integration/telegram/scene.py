"""A Telegram, a bot in it, the service that holds the bot's account, and a pipeline behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from services.chassis.database import Database
from services.chassis.errors import Unavailable
from services.chassis.health import Health
from services.telegram import migrations
from services.telegram.__main__ import serve
from services.telegram.adapters.store import SavedSession, SqlStore
from services.telegram.settings import Settings
from services.testdc.api.login import DC_ID
from services.testdc.model import Account, Peer, Post
from services.testdc.server import TestDC
from tests.support import store
from tests.support.process import TOKEN
from tests.support.sandbox import until
from tests.support.scripted_pipeline import Place, ScriptedPipeline

LIMIT = 90.0
"""Seconds that a condition may take to come true."""


class Vitals(Health):
    """What the service says of itself."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[bool] = []

    async def set(self, service: str, *, serving: bool) -> None:
        self.said.append(serving)
        await super().set(service, serving=serving)

    @property
    def serving(self) -> bool:
        return bool(self.said) and self.said[-1]

    async def online(self) -> None:
        """Wait until the account takes in what people write."""
        await until(lambda: self.serving, LIMIT)


@dataclass
class Scene:
    """Everything of a test."""

    dc: TestDC
    folder: Path
    url: str = field(default_factory=store.url)
    """Where its tables are, when they are not in the folder."""
    bot: Account = field(init=False)
    pipeline: ScriptedPipeline = field(init=False)
    place: Place = field(init=False)

    def __post_init__(self) -> None:
        self.bot = self.dc.world.add_bot("Valor")
        self.pipeline = ScriptedPipeline()  # type: ignore[abstract] # what channels never ask is left out
        self.place = Place(self.pipeline)
        self.folder.mkdir(exist_ok=True)
        (self.folder / "key.pem").write_text(self.dc.server_key.public_pem)

    @property
    def database(self) -> store.Place:
        return self.settings().tables()

    def settings(self, **changes: Any) -> Settings:
        values = {
            "data": self.folder,
            "database_url": self.url,
            "token": TOKEN,
            "api_id": 1,
            "api_hash": "0" * 32,
            "bot_token": self.bot.token,
            "server": f"{self.dc.host}:{self.dc.port}",
            "server_key": self.folder / "key.pem",
            "pipeline_address": self.place.address,
        }
        return Settings(**{**values, **changes})

    async def log_in(self) -> None:
        """Save a login beforehand, so that the service starts without a handshake."""
        async with self.store() as store:
            await store.save_session(SavedSession(DC_ID, self.dc.host, self.dc.port, self.dc.provision(self.bot)))

    @asynccontextmanager
    async def store(self) -> AsyncIterator[SqlStore]:
        """The service's tables, while it does not run."""
        async with Database.open(self.database, migrations) as database:
            yield SqlStore(database)

    @asynccontextmanager
    async def telegram(self, *, wait: bool = True, **changes: Any) -> AsyncIterator[Vitals]:
        """The service until the block ends; waits until it has read to the end of its box."""
        vitals = Vitals()
        read = metric("telegram_verified_timestamp_seconds")
        async with serve(self.settings(**changes), vitals):
            if wait:
                await vitals.online()
                await until(
                    lambda: self.pipeline.followed and metric("telegram_verified_timestamp_seconds") > read, LIMIT
                )
            yield vitals

    def rows(self, query: str) -> list[Any]:
        """What the service's tables hold."""
        return store.rows(self.database, query)

    @property
    def cursor(self) -> int:
        """How far the account's box was read."""
        return int(self.rows("SELECT pts FROM cursor WHERE box = 0")[0])

    def say(self, who: Account, text: str, chat: Peer | None = None, **fields: Any) -> Post:
        """Somebody writes, to the bot unless a chat is named."""
        return self.dc.world.say(who, chat or self.bot, text, **fields)

    def seen(self, person: Account, chat: Peer | None = None) -> list[str]:
        """What a person sees of the bot's messages in a chat."""
        view = self.dc.world.view(person, chat or self.bot)
        return [seen.text for seen in view.messages if seen.sender == self.bot.id]

    async def received(self, chat: int, *texts: str) -> None:
        """Wait until the pipeline has these texts of a chat, in this order."""
        try:
            await until(lambda: self.pipeline.texts(chat) == list(texts), LIMIT)
        except TimeoutError:
            assert self.pipeline.texts(chat) == list(texts)

    async def delivered(self, *part_ids: str) -> list[int | str]:
        """Wait for the outcome of parts."""
        await until(lambda: all(self.pipeline.outcome(part) for part in part_ids), LIMIT)
        return [self.pipeline.outcome(part) for part in part_ids]


def metric(name: str, **labels: str) -> float:
    """What a metric says now."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


def break_once(monkeypatch: pytest.MonkeyPatch, table: str) -> list[str]:
    """Let the disk be full at the next call of this method of the tables; empty once it was."""
    real, broken = getattr(SqlStore, table), [table]

    async def method(*arguments: Any) -> Any:
        if broken:
            broken.clear()
            raise Unavailable("The disk is full.")
        return await real(*arguments)

    monkeypatch.setattr(SqlStore, table, method)
    return broken


async def quiet(seconds: float = 0.05) -> None:
    """Let happen what must not happen."""
    await asyncio.sleep(seconds)  # that nothing happens can only be waited for
