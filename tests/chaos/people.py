"""The people of a run: they write questions with one right answer each, in many chats, and do not wait."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from services.testdc.model import Account, Entity, Group, GroupKind, Peer
from services.testdc.remote import Sandbox
from services.testdc.server import TestDC
from tests.chaos.judge import Question

PRIVATE, GROUPS, MEMBERS = 14, 6, 3
"""20 chats: private ones, and groups (half of them supergroups) with a few members each."""


@dataclass(frozen=True)
class Cast:
    """Everybody who takes part."""

    bot: Account
    people: tuple[Account, ...]
    groups: tuple[Group, ...]

    @property
    def chats(self) -> list[tuple[Peer, tuple[Account, ...]]]:
        """Where is written, and by whom."""
        private: list[tuple[Peer, tuple[Account, ...]]] = [(self.bot, (one,)) for one in self.people[:PRIVATE]]
        return [*private, *((group, self.people[-MEMBERS:]) for group in self.groups)]


def assemble(folder: Path, bot_token: str) -> Cast:
    """Make the people and groups in the world of a folder, before anything runs on it."""
    dc = TestDC(folder)
    try:
        bot = dc.world.add_bot("Valor", bot_token)
        people = tuple(dc.world.add_user(f"Person{n}", f"person{n}") for n in range(PRIVATE + MEMBERS))
        kinds: tuple[GroupKind, GroupKind] = ("supergroup", "basic")
        groups = tuple(
            dc.world.add_group(f"Group{n}", bot, *people[-MEMBERS:], kind=kinds[n % 2]) for n in range(GROUPS)
        )
    finally:
        dc.world.close()
    return Cast(bot, people, groups)


@dataclass
class Writers:
    """Writes questions."""

    sandbox: Sandbox
    cast: Cast
    chance: random.Random
    questions: list[Question] = field(default_factory=list)

    async def write(self, count: int, seconds: float) -> None:
        """Write `count` questions in about `seconds` seconds, in all chats, several at a time."""
        for number in range(count):
            await self._write_one(number)
            await asyncio.sleep(self.chance.expovariate(count / seconds))

    async def _write_one(self, number: int) -> None:
        chat, members = self.chance.choice(self.cast.chats)
        who = self.chance.choice(members)
        token, text = self._question(number)
        name, entities = "", list[Entity]()
        if chat is not self.cast.bot:
            name = f"@{self.cast.bot.username} "
            entities = [{"type": "Mention", "offset": 0, "length": len(name) - 1}]
        said = await self.sandbox.say(who, chat, name + text, entities=entities)
        self.questions.append(Question(_record_chat(chat, who, self.cast.bot), said.post, token))

    def _question(self, number: int) -> tuple[str, str]:
        """A token that nothing else in the run has, and a question whose answer it is."""
        if self.chance.random() < 0.5:
            result = 10_000_000 + number
            part = self.chance.randrange(1, 9_000_000)
            return str(result), f"what is {part} + {result - part}?"
        token = f"word{number:06d}"
        return token, f"say {token}"


def _record_chat(chat: Peer, who: Account, bot: Account) -> str:
    """The chat as the record names it for what the bot does there."""
    return str(who.id if chat is bot else chat.id)


def usernames(people: Sequence[Account]) -> str:
    """The people as VALOR_ALLOW names them."""
    return ",".join(f"@{one.username}" for one in people)
