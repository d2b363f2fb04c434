"""People who ask and wait, and what they waited for."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from services.testdc.model import Account
from services.testdc.remote import Sandbox
from tests.bench.stage import Stage

PATIENCE = 120.0


@dataclass(frozen=True)
class Answered:
    """One question: when it was written and when its answer stood in the chat, by the sandbox's clock."""

    asked: float
    answered: float

    @property
    def milliseconds(self) -> float:
        """How long it took."""
        return (self.answered - self.asked) * 1000


class Crowd:
    """People in private chats with the bot; each waits for an answer before the next question."""

    def __init__(self, sandbox: Sandbox, bot: Account) -> None:
        self._sandbox, self._bot = sandbox, bot
        self._waiting: dict[int, asyncio.Future[float]] = {}
        self._number = 0

    async def ask(self, person: Account) -> Answered:
        """Ask something and wait for the answer."""
        self._number += 1
        answer: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiting[person.id] = answer
        asked = time.time()
        await self._sandbox.say(person, self._bot, f"question {self._number}")
        return Answered(asked, await asyncio.wait_for(answer, PATIENCE))

    async def listen(self) -> None:
        """Hear the bot's messages."""
        async with aclosing(self._sandbox.watch(await self._sandbox.last_seq())) as actions:
            async for action in actions:
                if action.kind == "send" and action.account == self._bot.id:
                    answer = self._waiting.pop(action.chat, None)
                    if answer is not None and not answer.done():
                        answer.set_result(action.at)

    async def _converse(self, person: Account, until: float, thinking: float, into: list[Answered]) -> None:
        chance = random.Random(person.id)
        while time.monotonic() < until:
            if thinking:
                await asyncio.sleep(chance.expovariate(1 / thinking))
            into.append(await self.ask(person))

    async def busy(self, people: Sequence[Account], seconds: float, thinking: float = 0.0) -> list[Answered]:
        """Everybody asks again and again for so long, and thinks that long (seconds, on average) before."""
        answers: list[Answered] = []
        until = time.monotonic() + seconds
        await asyncio.gather(*(self._converse(person, until, thinking, answers) for person in people))
        return answers


@asynccontextmanager
async def crowd(on: Stage) -> AsyncIterator[Crowd]:
    """A crowd that hears."""
    people = Crowd(on.sandbox, on.bot)
    listening = asyncio.create_task(people.listen())
    await asyncio.sleep(0.1)
    try:
        yield people
    finally:
        listening.cancel()


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share (0 to 1) of the values lies; nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
