"""What the sandbox answers, asked by both clients for the same account: requests and answers agree byte for byte."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pyrogram.raw.all import objects
from telethon import functions as f
from telethon import types as t

from services.testdc.model import Account, Group
from services.testdc.server import TestDC
from tests.support.sandbox import connected
from tests.support.second_client import second_client

WHEN = 1_790_000_000.0


@dataclass
class Scene:
    """Anna, at two devices, with a past."""

    dc: TestDC
    anna: Account
    ben: Account
    bot: Account
    desk: Account
    team: Group
    basic: Group

    def user(self, account: Account) -> Any:
        return t.InputPeerUser(account.id, self.dc.world.people.access_hash(self.anna.id, account.id))

    def named(self, account: Account) -> Any:
        return t.InputUser(account.id, self.user(account).access_hash)

    @property
    def channel(self) -> Any:
        return t.InputChannel(self.team.raw_id, self.dc.world.people.access_hash(self.anna.id, self.team.id))

    @property
    def forum(self) -> Any:
        return t.InputPeerChannel(self.channel.channel_id, self.channel.access_hash)


@pytest.fixture
def scene(dc: TestDC) -> Scene:
    world = dc.world
    anna, ben, bot = world.add_user("Anna", "anna_k"), world.add_user("Ben"), world.add_bot("Echo")
    desk = world.add_bot("Desk", forum=True)
    team = world.add_group("Team", anna, ben, bot, admins=[anna], forum=True)
    basic = world.add_group("Basics", anna, ben, kind="basic")
    topic, gone = world.begin_topic(ben, team, "Release"), world.begin_topic(ben, team, "Gone")
    for chat in (bot, team, basic):
        first = world.say(anna, chat, "a question with /commands and https://example.org")
        world.publish(bot if chat is not basic else ben, anna if chat is bot else chat, "an answer", reply_to=first)
        world.react(anna, first, "👍")
        world.delete(anna, world.say(anna, chat, "deleted"))
        world.edit(anna, first, "another question")
    for place in (topic, gone):
        world.say(ben, team, "in a topic", topic=place, media="photo")
    world.delete_topic(ben, gone)
    world.close_topic(ben, topic)
    world.say(anna, desk, "at work", topic=world.begin_topic(anna, desk, "Work"))
    world.clock = lambda: WHEN  # the same moment for both
    return Scene(dc, anna, ben, bot, desk, team, basic)


@pytest.fixture
async def both(scene: Scene) -> AsyncIterator[tuple[Any, Any]]:
    async with second_client(scene.dc, scene.anna, no_updates=True) as second, connected(scene.dc, scene.anna) as first:
        yield first, second


START: Any = 0
"""A date that both libraries write as zero."""
NOBODY = t.ChannelMessagesFilterEmpty()
REQUESTS: dict[str, Callable[[Scene], Any]] = {
    "state": lambda _: f.updates.GetStateRequest(),
    "difference": lambda _: f.updates.GetDifferenceRequest(1, START, 0),
    "a slice": lambda _: f.updates.GetDifferenceRequest(1, START, 0, pts_limit=3),
    "no difference": lambda s: f.updates.GetDifferenceRequest(s.dc.world.boxes.state(s.anna.id).pts, START, 0),
    "supergroup": lambda s: f.updates.GetChannelDifferenceRequest(s.channel, NOBODY, 1, 100),
    "no difference there": lambda s: f.updates.GetChannelDifferenceRequest(
        s.channel, NOBODY, s.dc.world.boxes.state(s.team.id).pts, 100
    ),
    "users": lambda s: f.users.GetUsersRequest([s.named(s.bot), t.InputUserSelf(), t.InputUser(5, 5)]),
    "a user": lambda _: f.users.GetFullUserRequest(t.InputUserSelf()),
    "a username": lambda _: f.contacts.ResolveUsernameRequest("echo_bot"),
    "basic groups": lambda s: f.messages.GetChatsRequest([s.basic.raw_id]),
    "supergroups": lambda s: f.channels.GetChannelsRequest([s.channel]),
    "a supergroup": lambda s: f.channels.GetFullChannelRequest(s.channel),
    "messages": lambda _: f.messages.GetMessagesRequest([t.InputMessageID(n) for n in (1, 2, 3, 99)]),
    "messages of the supergroup": lambda s: f.channels.GetMessagesRequest(
        s.channel, [t.InputMessageID(n) for n in range(1, 9)]
    ),
    "what is replied to": lambda s: f.channels.GetMessagesRequest(
        s.channel, [t.InputMessageReplyTo(n) for n in range(1, 9)]
    ),
    "history": lambda s: f.messages.GetHistoryRequest(s.user(s.bot), 0, START, 0, 50, 0, 0, 0),
    "history of the forum": lambda s: f.messages.GetHistoryRequest(s.forum, 6, START, 0, 2, 0, 0, 0),
    "history of a topic": lambda s: f.messages.GetRepliesRequest(s.forum, 2, 0, START, 0, 50, 0, 0, 0),
    "topics": lambda s: f.messages.GetForumTopicsRequest(s.forum, START, 0, 0, 20),
    "topics by id": lambda s: f.messages.GetForumTopicsByIDRequest(s.forum, [1, 2, 3, 77]),
    "topics of a private chat": lambda s: f.messages.GetForumTopicsRequest(s.user(s.desk), START, 0, 0, 20),
}


def translated(request: Any) -> Any:
    """Telethon's object as kurigram's, by constructor and names of fields."""
    if isinstance(request, list):
        return [translated(one) for one in request]
    if not hasattr(request, "CONSTRUCTOR_ID"):
        return request
    kinds: dict[int, Any] = objects
    return kinds[request.CONSTRUCTOR_ID](**{key: translated(value) for key, value in vars(request).items()})


async def test_both_read_the_same(scene: Scene, both: tuple[Any, Any]) -> None:
    first, second = both
    for name, request in REQUESTS.items():
        asked = request(scene)
        answer = await first(asked)
        own = await second.invoke(translated(asked))
        if isinstance(answer, list):
            assert [bytes(one) for one in answer] == [one.write() for one in own], name
        else:
            assert bytes(answer) == own.write(), name
