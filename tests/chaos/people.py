"""The people of a run: they write questions with one right answer each, in many chats, and do not wait."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from services.testdc.model import Account, Entity, Group, GroupKind, Peer
from services.testdc.remote import Sandbox
from services.testdc.server import TestDC
from tests.chaos.judge import Question

NOISE, STOP, REPLY, EDIT, DELETE = 0.15, 0.15, 0.2, 0.1, 0.05
"""How often lively people do what."""
LATER = 2.0
"""Seconds within which people think again."""

PRIVATE, GROUPS, MEMBERS = 14, 6, 3
"""20 chats: private ones, and groups (half of them supergroups) with a few members each."""


@dataclass(frozen=True)
class Cast:
    """Everybody who takes part."""

    bot: Account
    people: tuple[Account, ...]
    groups: tuple[Group, ...]

    @property
    def stopping(self) -> tuple[Account, ...]:
        """Those who press stop every now and then in their private chats."""
        return self.people[:2]

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
    """Writes questions; some are edited or deleted afterwards, and in some chats people press stop."""

    sandbox: Sandbox
    cast: Cast
    chance: random.Random
    lively: bool
    """People also edit, delete, reply, press stop and talk among themselves."""
    questions: list[Question] = field(default_factory=list)
    _posts: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    _changes: set[asyncio.Task[None]] = field(default_factory=set)
    _number: int = 0

    @property
    def required(self) -> int:
        """Questions that must be answered."""
        return sum(not question.optional for question in self.questions)

    async def write(self, count: int, seconds: float) -> None:
        """Write until `count` questions must be answered, in about `seconds` seconds, in all chats."""
        while self.required < count:
            chat, members = self.chance.choice(self.cast.chats)
            await self._speak(chat, self.chance.choice(members))
            await asyncio.sleep(self.chance.expovariate(count / seconds))
            if self.required >= count:
                await asyncio.gather(*self._changes)  # a deletion makes one less

    async def _speak(self, chat: Peer, who: Account) -> None:
        stoppable = self.lively and chat is self.cast.bot and who in self.cast.stopping
        if self.lively and chat is not self.cast.bot and self.chance.random() < NOISE:
            await self.sandbox.say(who, chat, "nobody is asked")
        elif stoppable and self.chance.random() < STOP:
            await self.sandbox.say(who, chat, "/stop", entities=[{"type": "BotCommand", "offset": 0, "length": 5}])
        else:
            await self._ask(chat, who, optional=stoppable)

    async def _ask(self, chat: Peer, who: Account, *, optional: bool) -> None:
        token, text = self._question()
        name, entities = self._address(chat)
        posts = self._posts[who.id if chat is self.cast.bot else chat.id]
        reply_to = self.chance.choice(posts) if self.lively and posts and self.chance.random() < REPLY else None
        said = await self.sandbox.say(who, chat, name + text, entities=entities, reply_to=reply_to)
        self.questions.append(Question(_record_chat(chat, who, self.cast.bot), said.post, token, optional=optional))
        change = self.chance.random()
        if self.lively and change < EDIT + DELETE:
            work = (
                self._edit(len(self.questions) - 1, who, chat)
                if change < EDIT
                else self._delete(len(self.questions) - 1, who)
            )
            task = asyncio.create_task(work)
            self._changes.add(task)
            task.add_done_callback(self._changes.discard)
        else:
            posts.append(said.post)

    async def _edit(self, index: int, who: Account, chat: Peer) -> None:
        """Think again after a while."""
        await asyncio.sleep(self.chance.uniform(0, LATER))
        token, text = self._question()
        name, entities = self._address(chat)
        self.questions[index] = replace(self.questions[index], instead=token)
        await self.sandbox.edit(who, self.questions[index].post, name + text, entities=entities)

    async def _delete(self, index: int, who: Account) -> None:
        """Take it back after a while."""
        await asyncio.sleep(self.chance.uniform(0, LATER))
        self.questions[index] = replace(self.questions[index], optional=True)
        await self.sandbox.delete(who, self.questions[index].post)

    def _address(self, chat: Peer) -> tuple[str, list[Entity]]:
        """How a text begins: in groups with the bot's name."""
        if chat is self.cast.bot:
            return "", []
        name = f"@{self.cast.bot.username} "
        return name, [{"type": "Mention", "offset": 0, "length": len(name) - 1}]

    def _question(self) -> tuple[str, str]:
        """A token that nothing else in the run has, and a question whose answer it is."""
        self._number += 1
        if self.chance.random() < 0.5:
            result = 10_000_000 + self._number
            part = self.chance.randrange(1, 9_000_000)
            return str(result), f"what is {part} + {result - part}?"
        token = f"word{self._number:06d}"
        return token, f"say {token}"


def _record_chat(chat: Peer, who: Account, bot: Account) -> str:
    """The chat as the record names it for what the bot does there."""
    return str(who.id if chat is bot else chat.id)


def usernames(people: Sequence[Account]) -> str:
    """The people as VALOR_ALLOW names them."""
    return ",".join(f"@{one.username}" for one in people)
