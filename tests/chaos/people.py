"""The people of a run: they write questions with one right answer each, in many chats, and do not wait."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from services.testdc.lines import SandboxError
from services.testdc.model import Account, Entity, Group, GroupKind, Peer
from services.testdc.remote import Sandbox
from services.testdc.server import TestDC
from tests.chaos.judge import Question, place_of

NOISE, STOP, PROMISE, REPLY, EDIT, DELETE = 0.15, 0.15, 0.1, 0.2, 0.1, 0.05
"""How often lively people do what."""
LATER = 2.0
"""Seconds within which people think again."""
DUE = 6
"""Seconds within which a promise is due."""

PRIVATE, GROUPS, TOPICS, MEMBERS = 13, 4, 2, 3
"""20 places: private chats, groups with a few members each (half are supergroups), a forum's topics and its General."""
LEAST = 10_000_000
"""What is greater is a token."""
STEERING = slice(2, 5)
"""Those whose messages join the turn that runs."""


@dataclass(frozen=True)
class Place:
    """Where is written, and by whom; `topic` is the post that began it."""

    chat: Peer
    members: tuple[Account, ...]
    topic: int | None = None


@dataclass(frozen=True)
class Cast:
    """Everybody who takes part."""

    bot: Account
    people: tuple[Account, ...]
    groups: tuple[Group, ...]
    topics: tuple[int, ...]
    """Of the last group, which is a forum."""

    @property
    def stopping(self) -> tuple[Account, ...]:
        """Those who press stop every now and then in their private chats."""
        return self.people[:2]

    @property
    def steering(self) -> tuple[Account, ...]:
        """Those who have steering on."""
        return self.people[STEERING]

    @property
    def places(self) -> list[Place]:
        """All of them."""
        members = self.people[-MEMBERS:]
        private = [Place(self.bot, (one,)) for one in self.people[:-MEMBERS]]
        topics = [Place(self.groups[-1], members, topic) for topic in self.topics]
        return [*private, *(Place(group, members) for group in self.groups), *topics]


def assemble(folder: Path, bot_token: str) -> Cast:
    """Make the people and groups in the world of a folder, before anything runs on it."""
    dc = TestDC(folder)
    try:
        bot = dc.world.add_bot("Valor", bot_token)
        people = tuple(dc.world.add_user(f"Person{n}", f"person{n}") for n in range(PRIVATE + MEMBERS))
        kinds: tuple[GroupKind, GroupKind] = ("supergroup", "basic")
        members = people[-MEMBERS:]
        groups = [dc.world.add_group(f"Group{n}", bot, *members, kind=kinds[n % 2]) for n in range(GROUPS)]
        forum = dc.world.add_group("Forum", bot, *members, forum=True)
        topics = tuple(dc.world.begin_topic(members[0], forum, f"Topic{n}").id for n in range(TOPICS))
    finally:
        dc.world.close()
    return Cast(bot, people, (*groups, forum), topics)


@dataclass
class Writers:
    """Writes questions; some are edited or deleted afterwards, some ask for promises, and some people press stop."""

    sandbox: Sandbox
    cast: Cast
    chance: random.Random
    lively: bool
    """People also edit, delete, reply, press stop, ask for promises and talk among themselves."""
    questions: list[Question] = field(default_factory=list)
    _posts: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    _changes: set[asyncio.Task[None]] = field(default_factory=set)
    _number: int = 0

    @property
    def required(self) -> int:
        """Questions that must be answered."""
        return sum(not question.optional for question in self.questions)

    async def write(self, count: int, seconds: float) -> None:
        """Write until `count` questions must be answered, in about `seconds` seconds, in all places."""
        await self.prepare()
        while self.required < count:
            await self.speak()
            await asyncio.sleep(self.chance.expovariate(count / seconds))
            if self.required >= count:
                await self.rest()  # a deletion makes one less

    async def prepare(self) -> None:
        """Some like their messages to join the turn that runs."""
        for who in self.cast.steering if self.lively else ():
            await self._command(who, "/steer", " on")

    async def rest(self) -> None:
        """Return when everybody has thought again who was about to."""
        await asyncio.gather(*self._changes)

    async def speak(self) -> None:
        """Somebody says something somewhere."""
        place = self.chance.choice(self.cast.places)
        who = self.chance.choice(place.members)
        private = place.chat is self.cast.bot
        stoppable = self.lively and private and who in self.cast.stopping
        if self.lively and not private and self.chance.random() < NOISE:
            await self.sandbox.say(who, place.chat, "nobody is asked", topic=place.topic)
        elif stoppable and self.chance.random() < STOP:
            await self._stop(who)
        elif self.lively and not stoppable and self.chance.random() < PROMISE:
            await self._ask_for_later(place, who)
        else:
            await self._ask(place, who, optional=stoppable)

    async def _stop(self, who: Account) -> None:
        if self.chance.random() < 0.5:
            await self._command(who, "/stop")
        else:
            with suppress(SandboxError):  # nothing is streamed, so there is no button
                await self.sandbox.press_stop(who, self.cast.bot)

    async def _command(self, who: Account, command: str, rest: str = "") -> None:
        entities = [{"type": "BotCommand", "offset": 0, "length": len(command)}]
        await self.sandbox.say(who, self.cast.bot, command + rest, entities=entities)

    async def _ask(self, place: Place, who: Account, *, optional: bool) -> None:
        token, text = self._question()
        name, entities = self._address(place.chat)
        where = _recorded(place, who, self.cast.bot)
        posts = self._posts[where]
        reply_to = self.chance.choice(posts) if self.lively and posts and self.chance.random() < REPLY else None
        said = await self.sandbox.say(
            who, place.chat, name + text, entities=entities, reply_to=reply_to, topic=place.topic
        )
        self.questions.append(Question(where, said.post, token, optional=optional))
        change = self.chance.random()
        if self.lively and change < EDIT + DELETE:
            index = len(self.questions) - 1
            work = self._edit(index, who, place.chat) if change < EDIT else self._delete(index, who)
            task = asyncio.create_task(work)
            self._changes.add(task)
            task.add_done_callback(self._changes.discard)
        else:
            posts.append(said.post)

    async def _ask_for_later(self, place: Place, who: Account) -> None:
        """A reminder, which is posted as it is, or a task, which the model promises and then does."""
        token, seconds = self._word(), self.chance.randint(1, DUE)
        if self.chance.random() < 0.5:
            name, entities = self._address(place.chat)
            text = f"{name}promise to say {token} in {seconds} seconds"
        else:
            command = "/remind" if place.chat is self.cast.bot else f"/remind@{self.cast.bot.username}"
            entities = [{"type": "BotCommand", "offset": 0, "length": len(command)}]
            text = f"{command} in {seconds} seconds say {token}"
        said = await self.sandbox.say(who, place.chat, text, entities=entities, topic=place.topic)
        self.questions.append(Question(_recorded(place, who, self.cast.bot), said.post, token, later=True))

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
        if self.chance.random() < 0.5:
            self._number += 1
            return addition(self._number, self.chance)
        token = self._word()
        return token, f"say {token}"

    def _word(self) -> str:
        self._number += 1
        return f"word{self._number:06d}"


def addition(number: int, chance: random.Random) -> tuple[str, str]:
    """The result that is a question's token, and the question; what is added is smaller than any token, and so none."""
    result = LEAST + number
    part = chance.randrange(LEAST // 10, LEAST * 9 // 10)
    return str(result), f"what is {part} + {result - part}?"


def _recorded(place: Place, who: Account, bot: Account) -> str:
    """The place as the record names it for what the bot does there."""
    return place_of(who.id if place.chat is bot else place.chat.id, place.topic)


def usernames(people: Sequence[Account]) -> str:
    """The people as VALOR_ALLOW names them."""
    return ",".join(f"@{one.username}" for one in people)
