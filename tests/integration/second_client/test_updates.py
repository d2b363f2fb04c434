"""Every update that the sandbox pushes, read by two clients of different authors: byte for byte the same."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from pyrogram.handlers import RawUpdateHandler

from services.testdc.model import Account, Draft
from services.testdc.server import TestDC
from tests.support.sandbox import Inbox, connected, until
from tests.support.second_client import second_client


@dataclass
class Pair:
    """Anna, at two devices."""

    dc: TestDC
    anna: Account
    ben: Account
    bot: Account
    telethon: Inbox
    kurigram: list[Any]

    async def agree(self) -> list[str]:
        """Wait until both have heard of everything; the kinds of the updates, which are the same for both."""
        self.dc.world.say(self.ben, self.anna, "marker")
        await until(lambda: [1 for u in self.telethon.updates if _is_marker(u)])
        await until(lambda: [1 for u in self.kurigram if _is_marker(u)])
        assert [update.write() for update in self.kurigram] == [bytes(update) for update in self.telethon.updates]
        kinds = [type(update).__name__ for update in self.telethon.updates[:-1]]
        assert kinds == [type(update).__name__ for update in self.kurigram[:-1]]
        return kinds


def _is_marker(update: Any) -> bool:
    return getattr(getattr(update, "message", None), "message", None) == "marker"


@pytest.fixture
async def pair(dc: TestDC) -> AsyncIterator[Pair]:
    anna, ben, bot = dc.world.add_user("Anna", "anna_k"), dc.world.add_user("Ben"), dc.world.add_bot("Echo")
    async with second_client(dc, anna, workers=1) as second, connected(dc, anna) as first:
        heard: list[Any] = []

        async def hear(_client: Any, update: Any, _users: Any, _chats: Any) -> None:
            heard.append(update)

        second.add_handler(RawUpdateHandler(hear))
        await until(lambda: second.dispatcher.groups)
        yield Pair(dc, anna, ben, bot, Inbox(first), heard)


ENTITIES = [
    {"type": "Bold", "offset": 0, "length": 4},
    {"type": "Pre", "offset": 5, "length": 2, "language": "python"},
    {"type": "TextUrl", "offset": 8, "length": 1, "url": "https://example.org"},
    {"type": "Spoiler", "offset": 8, "length": 2},
    {"type": "Blockquote", "offset": 0, "length": 3, "collapsed": True},
]


async def test_private_messages(pair: Pair) -> None:
    world, anna, ben, bot = pair.dc.world, pair.anna, pair.ben, pair.bot
    first = world.say(ben, anna, "plain 😀")
    world.publish(bot, anna, "bold py 😀", entities=ENTITIES)
    world.say(ben, anna, "a reply to @anna_k: https://example.org /start", reply_to=first)
    for media in ("photo", "voice", "document", "sticker"):
        world.say(ben, anna, "", media=media)
    world.edit(ben, first, "other words")
    world.react(anna, first, "👍")
    world.react(ben, first, "❤")
    world.react(anna, first)
    world.delete(ben, first)
    kinds = await pair.agree()
    assert kinds == [
        *["UpdateNewMessage"] * 7,
        "UpdateEditMessage",
        *["UpdateMessageReactions"] * 3,
        "UpdateDeleteMessages",
    ]


@pytest.mark.parametrize("kind", ["basic", "supergroup", "forum"])
async def test_groups(pair: Pair, kind: str) -> None:
    world, anna, ben, bot = pair.dc.world, pair.anna, pair.ben, pair.bot
    team = world.add_group(
        "Team", bot, anna, ben, kind="basic" if kind == "basic" else "supergroup", admins=[anna], forum=kind == "forum"
    )
    topic = world.begin_topic(ben, team, "Release") if kind == "forum" else None
    first = world.say(ben, team, f"@{bot.username} and @anna_k", topic=topic)
    answer = world.publish(bot, team, "an answer", reply_to=first, topic=topic)
    world.say(ben, team, "a reply to a reply", reply_to=answer)
    world.say(ben, team, "to all")
    world.edit(bot, answer, "a better one")
    world.react(ben, answer, "🔥")
    world.signs.type(ben, team, topic)
    world.signs.type(bot, team)
    world.delete(anna, first, answer)
    world.leave(ben, team)
    kinds = await pair.agree()
    assert kinds.count("UpdateChatUserTyping") == (2 if kind == "basic" else 0)
    assert kinds.count("UpdateChannelUserTyping") == (0 if kind == "basic" else 2)
    assert kinds.count("UpdateNewMessage" if kind == "basic" else "UpdateNewChannelMessage") == 4 + (kind == "forum")


async def test_typing_and_drafts(pair: Pair) -> None:
    world, anna, ben, bot = pair.dc.world, pair.anna, pair.ben, pair.bot
    world.signs.type(ben, anna)
    world.signs.type(bot, anna)
    entities = ({"type": "Bold", "offset": 0, "length": 1},)
    world.signs.draft(bot, anna, Draft(5, "I am thi", entities, can_stop=True, keep_on_stop=True))
    world.signs.draft(bot, anna, Draft(5, ""))
    assert await pair.agree() == ["UpdateUserTyping"] * 4


async def test_topics_of_a_private_chat(pair: Pair) -> None:
    world, anna = pair.dc.world, pair.anna
    desk = world.add_bot("Desk", forum=True)
    topic = world.begin_topic(anna, desk, "Work")
    question = world.say(anna, desk, "why?", topic=topic)
    world.publish(desk, anna, "because", reply_to=question, topic=topic)
    world.signs.draft(desk, anna, Draft(5, "and"), topic)
    assert await pair.agree() == [*["UpdateNewMessage"] * 3, "UpdateUserTyping"]
