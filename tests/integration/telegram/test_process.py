"""The service as a process: it says what is wrong, stops when it is told to, and survives being killed at any point."""

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from services.chassis.health import Health
from services.people import __main__ as people_main
from services.people.settings import Settings as PeopleSettings
from services.pipeline import __main__ as pipeline_main
from services.pipeline.settings import Settings as PipelineSettings
from services.testdc.faults import delay, slow_send
from services.testdc.model import Account
from tests.integration.telegram.scene import Scene, quiet
from tests.support.process import TOKEN
from tests.support.sandbox import until
from tests.support.scripted_agent import ScriptedAgent

MODES: tuple[Literal["returns_first", "duplicate", "forgotten"], ...] = ("returns_first", "duplicate", "forgotten")


@dataclass
class Service:
    """`python -m services.telegram`."""

    process: asyncio.subprocess.Process
    log: Path

    async def online(self) -> None:
        await until(lambda: '"online"' in self.log.read_text() or self.process.returncode is not None, 20)
        assert self.process.returncode is None, self.log.read_text()

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def started(scene: Scene, address: str = "", **changes: str) -> AsyncIterator[Service]:
    environment = os.environ | {
        "VALOR_DATA": str(scene.folder),
        "VALOR_TOKEN": TOKEN,
        "TELEGRAM_API_ID": "1",
        "TELEGRAM_API_HASH": "0" * 32,
        "TELEGRAM_BOT_TOKEN": scene.bot.token,
        "TELEGRAM_SERVER": f"{scene.dc.host}:{scene.dc.port}",
        "TELEGRAM_SERVER_KEY": str(scene.folder / "key.pem"),
        "PIPELINE_ADDRESS": address or scene.place.address,
        **changes,
    }
    log = scene.folder / f"log-{time.monotonic_ns()}"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.telegram", env=environment, stderr=output
        )
    service = Service(process, log)
    try:
        yield service
    finally:
        if process.returncode is None:
            await service.kill()


async def test_a_wrong_token_is_one_sentence_and_exit_code_2(scene: Scene) -> None:
    async with started(scene, TELEGRAM_BOT_TOKEN=f"{scene.bot.id + 1}:wrong") as service:
        assert await asyncio.wait_for(service.process.wait(), 60) == 2
        *logs, sentence = service.log.read_text().splitlines()
    assert sentence == "TELEGRAM_BOT_TOKEN is wrong: Telegram does not know it."
    assert all(line.startswith("{") for line in logs)


async def test_a_stop_under_load_is_quick_and_loses_nothing(scene: Scene, anna: Account, bob: Account) -> None:
    """Covers F62; whoever is impatient and asks twice gets the same."""
    texts = [str(number) for number in range(200)]
    async with started(scene) as service:
        await service.online()
        scene.say(anna, "before")
        await scene.received(anna.id, "before")
        scene.dc.faults.add("messages.sendMessage", delay(0.05), times=None)
        parts = [scene.pipeline.send(person.id, text) for text in texts[:20] for person in (anna, bob)]
        for text in texts:
            scene.say(anna, text)
        await until(lambda: len(scene.pipeline.submissions) > 50)
        begun = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.05)
        service.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(service.process.wait(), 60) == 0
        assert time.monotonic() - begun < 10
    scene.dc.faults.clear()
    async with scene.telegram():
        await scene.received(anna.id, "before", *texts)
        await scene.delivered(*parts)
    assert scene.seen(anna) == texts[:20]
    assert scene.seen(bob) == texts[:20]


async def test_after_a_kill_it_knows_whom_it_may_write_to_and_nothing_is_locked(scene: Scene, anna: Account) -> None:
    """Covers F57. Telethon's own session would hold its file for a minute, and forget what it had not yet written."""
    team = scene.dc.world.add_group("Team", anna, scene.bot)
    async with started(scene) as service:
        await service.online()
        scene.say(anna, "hello", team)
        await scene.received(team.id, "hello")
        await service.kill()
    async with scene.store() as store:
        assert await store.access_hash(team.id)
    async with started(scene) as service:
        await service.online()
        await scene.delivered(scene.pipeline.send(team.id, "welcome back"))
    assert scene.seen(anna, team) == ["welcome back"]


@asynccontextmanager
async def house(folder: Path, people: list[Account]) -> AsyncIterator[str]:
    """The real pipeline and people, and an agent that echoes; yields the pipeline's address."""
    allow = ",".join(str(person.id) for person in people)
    who = PeopleSettings(data=folder, token=TOKEN, allow=allow)
    async with ScriptedAgent().serve() as agent, people_main.serve(who, Health()) as people_address:
        settings = PipelineSettings(
            data=folder,
            token=TOKEN,
            scope_key="the-key-that-signs-scopes-in-tests-only",
            agent_address=agent,
            people_address=people_address,
            rate_per_minute=100_000,
        )
        async with pipeline_main.serve(settings, Health()) as address:
            yield address


@pytest.mark.parametrize("seed", [1, 2])
async def test_killed_at_any_point_each_question_is_answered_once_and_in_order(scene: Scene, seed: int) -> None:
    """Covers F3, F9, F10, F20, F41, F51."""
    chance = random.Random(seed)
    people = [scene.dc.world.add_user(f"Person {number}") for number in range(4)]
    asked: dict[int, list[str]] = {person.id: [] for person in people}
    async with scene.telegram():
        pass
    async with house(scene.folder, people) as address:
        for life in range(4):
            scene.dc.world.limits.random_ids = chance.choice(MODES)
            scene.dc.faults.add("messages.sendMessage", slow_send(chance.uniform(0, 0.3)))
            async with started(scene, address) as service:
                await service.online()
                for number in range(chance.randint(3, 12)):
                    person = chance.choice(people)
                    asked[person.id].append(f"question {life}.{number}")
                    scene.say(person, asked[person.id][-1])
                    await asyncio.sleep(chance.uniform(0, 0.03))  # at any moment
                await asyncio.sleep(chance.uniform(0, 0.1))  # at any moment
                await service.kill()
        scene.dc.faults.clear()
        async with scene.telegram(wait=False, pipeline_address=address):
            wanted = {who: [f"answer to {text}" for text in texts] for who, texts in asked.items()}
            await until(lambda: all(len(scene.seen(one)) >= len(wanted[one.id]) for one in people), 20)
            await quiet(0.3)
            assert {person.id: scene.seen(person) for person in people} == wanted
