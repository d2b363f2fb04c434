"""People write, edit, delete and react while connections, pushes, the pipeline and the service itself break."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from services.telegram import __main__ as main
from services.telegram import receive
from services.testdc.crypto import ServerKey
from services.testdc.faults import DROP_AFTER, DROP_BEFORE, delay, error
from services.testdc.model import Account, Peer, Post
from services.testdc.server import TestDC
from tests.integration.telegram.scene import Scene
from tests.support import store

POSTS = 200
PATIENCE = 10.0
"""Seconds in which everything has to be well after the last trouble."""
DIFFERENCES = ("updates.getDifference", "updates.getChannelDifference", "updates.getState")


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receive, "VERIFY", 0.5)
    monkeypatch.setattr(main, "GRACE", 0.05)


class Writers:
    """Five people, alone with the bot and in groups."""

    def __init__(self, scene: Scene, chance: random.Random) -> None:
        self.scene, self.chance = scene, chance
        world = scene.dc.world
        people = [world.add_user(f"Person {number}") for number in range(5)]
        groups = [world.add_group(kind, scene.bot, *people, kind=kind) for kind in ("supergroup", "basic")]
        self.places: list[tuple[Account, Peer]] = [(person, scene.bot) for person in people]
        self.places += [(person, group) for person in people for group in groups]
        self.posts: list[Post] = []

    async def write(self) -> None:
        for number in range(POSTS):
            await asyncio.sleep(self.chance.uniform(0, 0.02))  # at any moment
            self._act(number)

    def _act(self, number: int) -> None:
        what = self.chance.choice(["say"] * 5 + ["edit", "edit", "back", "delete", "react"])
        post = self.chance.choice(self.posts[-10:]) if self.posts else None
        if what == "say" or post is None or self.scene.dc.world.posts.get(post.id).deleted:
            who, chat = self.chance.choice(self.places)
            self.posts.append(self.scene.say(who, f"text {number}", chat))
            return
        world, who = self.scene.dc.world, self.scene.dc.world.people.account(post.sender)
        with suppress(Exception):  # what changes nothing is refused
            if what == "delete":
                world.delete(who, post)
            elif what == "react":
                world.react(who, post, self.chance.choice(["👍", "👎"]))
            else:
                world.edit(who, post, post.text if what == "back" else f"edited {number}")


class Tormentor:
    """Breaks something every few moments."""

    def __init__(self, scene: Scene, chance: random.Random) -> None:
        self.scene, self.chance = scene, chance
        self.restart = asyncio.Event()

    async def torment(self) -> None:
        acts: list[Callable[[], Awaitable[None]]] = [
            self._cut, self._cut, self._refuse, self._pushes, self._pushes, self._calls, self._pipeline, self._restart
        ]  # fmt: skip
        while True:
            await asyncio.sleep(self.chance.uniform(0.02, 0.15))  # at any moment
            await self.chance.choice(acts)()

    async def _cut(self) -> None:
        self.scene.dc.kill_connections(reset=self.chance.random() < 0.5)

    async def _refuse(self) -> None:
        self.scene.dc.refuse()
        self.scene.dc.kill_connections()
        await asyncio.sleep(self.chance.uniform(0, 0.1))  # at any moment
        await self._accept()

    async def _pushes(self) -> None:
        faults = self.scene.dc.delivery.faults
        faults.clear()
        what = self.chance.choice(["drop", "reverse", "double"])
        faults.duplicate = what == "double"
        if what == "drop":
            faults.drop(self.chance.randint(1, 5))
        if what == "reverse":
            faults.hold()
            await asyncio.sleep(0.05)
            faults.release(reverse=True)

    async def _calls(self) -> None:
        fault = self.chance.choice(
            [DROP_AFTER, DROP_BEFORE, delay(0.1), error(500, "INTERNAL"), error(-503, "Timeout")]
        )
        self.scene.dc.faults.add(self.chance.choice(DIFFERENCES), fault)

    async def _pipeline(self) -> None:
        self.scene.pipeline.away = True
        await asyncio.sleep(self.chance.uniform(0, 0.1))  # at any moment
        self.scene.pipeline.away = False

    async def _restart(self) -> None:
        self.restart.set()

    async def end(self) -> None:
        """Nothing is broken any more, but what was missed is still missing."""
        self.scene.pipeline.away = False
        self.scene.dc.delivery.faults.clear()
        self.scene.dc.faults.clear()
        await self._accept()

    async def _accept(self) -> None:
        """Listen again; a client that knocked in vain may hold the port for a moment."""
        while True:
            try:
                return await self.scene.dc.accept()
            except OSError:
                await asyncio.sleep(0.01)


async def supervise(scene: Scene, restart: asyncio.Event, opening: asyncio.Lock) -> None:
    while True:
        async with AsyncExitStack() as stack:
            async with opening:
                await stack.enter_async_context(scene.telegram(wait=False))
            await restart.wait()
            restart.clear()


def verdict(scene: Scene, writers: Writers) -> dict[str, list[Any]]:
    """What the pipeline has of the messages, beside what there is."""
    lost, stale, undeleted, pipeline = [], [], [], scene.pipeline
    for post in [scene.dc.world.posts.get(post.id) for post in writers.posts]:
        key = post.chat_for(scene.bot.id), post.message_id(scene.bot.id)
        kept = pipeline.kept.get(key)
        if post.deleted:
            undeleted += [key] * (kept is not None and key not in pipeline.deleted)
        elif kept is None:
            lost.append(key)
        elif kept.text != post.text:
            stale.append((key, kept.text, post.text))
    wrong = [key for key in pipeline.deleted if key in pipeline.kept and not _is_deleted(scene, key)]
    chats = {chat for chat, _ in pipeline.kept}
    disordered = [chat for chat in chats if pipeline.ids(chat) != sorted(pipeline.ids(chat))]
    return {"lost": lost, "stale": stale, "undeleted": undeleted, "wrong": wrong, "disordered": disordered}


def _is_deleted(scene: Scene, key: tuple[int, int]) -> bool:
    chat, number = key
    post = scene.dc.world.posts.at(chat if chat < -(10**12) else scene.bot.id, number)
    return post is not None and post.deleted


async def run(seed: int, form: Any, key: ServerKey, folder: Path, opening: asyncio.Lock) -> None:
    """One run; a failure shows its seed.

    Databases are opened one after another: Alembic wants its process for itself.
    """
    chance = random.Random(f"{seed} {form}")
    with store.database() as url:
        async with TestDC(key=key) as dc:
            await _run(seed, form, Scene(dc, folder / f"{seed}", url), chance, opening)


async def _run(seed: int, form: Any, scene: Scene, chance: random.Random, opening: asyncio.Lock) -> None:
    dc = scene.dc
    dc.world.limits.difference_form = form
    dc.world.limits.difference_slice = chance.choice([3, 10, 100])
    dc.world.limits.invisible_edits = chance.random() < 0.5
    await scene.place.up()
    writers, tormentor = Writers(scene, chance), Tormentor(scene, chance)
    async with opening:
        await scene.log_in()
        async with scene.telegram():
            pass
    works = supervise(scene, tormentor.restart, opening), tormentor.torment()
    tasks = [asyncio.create_task(work) for work in works]
    await writers.write()
    tasks[1].cancel()
    await asyncio.wait(tasks[1:])
    await tormentor.end()
    end = time.monotonic() + PATIENCE
    while any(verdict(scene, writers).values()) and time.monotonic() < end:
        await asyncio.sleep(0.05)
    tasks[0].cancel()
    await asyncio.wait(tasks)
    await scene.place.down()
    faults = verdict(scene, writers)
    assert not any(faults.values()), (seed, faults)


@pytest.mark.parametrize("form", ["full", "count0", "zero"])
async def test_after_any_trouble_nothing_is_lost_stale_or_undeleted(
    server_key: ServerKey, tmp_path: Path, form: Any
) -> None:
    """Covers F20, F24, F25, F51, F52, F53."""
    opening = asyncio.Lock()
    await asyncio.gather(*(run(seed, form, server_key, tmp_path, opening) for seed in range(3)))
