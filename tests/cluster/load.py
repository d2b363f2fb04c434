"""People who write while the cluster changes, and the judge that reads the sandbox Telegram's record afterwards."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.testdc.model import Account, Action
from services.testdc.remote import Sandbox
from tests.chaos.judge import Verdict, judge
from tests.chaos.people import MEMBERS, Cast, Writers

CROWD = 60
"""Private chats: a chat's turns run one after the other, so it takes many for a burst to need more replicas."""
PATIENCE = 90.0
"""Seconds for the last answers, once nobody writes any more."""


def people() -> list[tuple[str, str]]:
    """Names and usernames of those who write."""
    return [(f"Person{number}", f"person{number}") for number in range(CROWD + MEMBERS)]


@dataclass
class Load:
    """Writers, and how fast they write."""

    writers: Writers
    sandbox: Sandbox
    rate: float
    """Messages a second."""

    async def run(self) -> None:
        """Write until cancelled."""
        await self.writers.prepare()
        while True:
            await self.writers.speak()
            await asyncio.sleep(self.writers.chance.expovariate(self.rate))

    async def settle(self) -> Verdict:
        """Wait until every question is answered, or patience ends; a little longer shows doubles."""
        await self.writers.rest()
        begin = time.monotonic()
        while (verdict := await self.verdict()).answered != verdict.sent and time.monotonic() < begin + PATIENCE:
            await asyncio.sleep(1)
        await asyncio.sleep(3)
        return await self.verdict()

    async def verdict(self) -> Verdict:
        """What the record says so far."""
        record, since = list[Action](), 0
        while page := await self.sandbox.record(since):
            record += page
            since = page[-1].seq
        return judge(self.writers.questions, record, self.writers.cast.bot.id)


@asynccontextmanager
async def writing(sandbox: Sandbox, rate: float, seed: int) -> AsyncIterator[Load]:
    """People write until the block ends."""
    load = Load(Writers(sandbox, await _cast(sandbox), random.Random(seed), lively=True), sandbox, rate)
    task = asyncio.create_task(load.run())
    try:
        yield load
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _cast(sandbox: Sandbox) -> Cast:
    accounts, _ = await sandbox.accounts()
    bot = next(account for account in accounts if account.bot)
    known = {account.username: account for account in accounts}
    made: list[Account] = [known.get(name) or await sandbox.add_user(full, name) for full, name in people()]
    return Cast(bot, tuple(made), (), ())
