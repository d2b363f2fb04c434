"""Forums and private chats with topics, as a bot's client sees and uses them."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from telethon import errors
from telethon import functions as f
from telethon import types as t

from services.testdc.model import Account, Group, Post, RpcFail
from services.testdc.server import TestDC
from services.testdc.store import SCHEMA, FolderError
from services.testdc.world import World
from tests.support.sandbox import Inbox, connected


@pytest.fixture
def bot(dc: TestDC) -> Account:
    return dc.world.add_bot("Echo")


@pytest.fixture
def anna(dc: TestDC) -> Account:
    return dc.world.add_user("Anna", "anna_k")


@pytest.fixture
def team(dc: TestDC, bot: Account, anna: Account) -> Group:
    return dc.world.add_group("Team", bot, anna, forum=True)


@pytest.fixture
def topic(dc: TestDC, anna: Account, team: Group) -> Post:
    return dc.world.begin_topic(anna, team, "Release")


@pytest.fixture
async def client(dc: TestDC, bot: Account) -> AsyncIterator[Any]:
    async with connected(dc, bot) as client:
        yield client


def send(dc: TestDC, bot: Account, team: Group, reply_to: Any, random_id: int = 1) -> Any:
    peer = t.InputPeerChannel(team.raw_id, dc.world.people.access_hash(bot.id, team.id))
    return f.messages.SendMessageRequest(peer, "x", reply_to=reply_to, random_id=random_id)


async def test_a_topic_goes_by_its_service_message(
    dc: TestDC, bot: Account, anna: Account, team: Group, client: Any
) -> None:
    inbox = Inbox(client)
    topic = dc.world.begin_topic(anna, team, "Release")
    dc.world.say(anna, team, "first", topic=topic)
    service, message = [u.message for u in [await inbox.wait(t.UpdateNewChannelMessage, n) for n in (1, 2)]]
    assert isinstance(service.action, t.MessageActionTopicCreate)
    assert (service.id, service.action.title) == (2, "Release")  # 1 is the making of the group
    header = message.reply_to
    assert (header.forum_topic, header.reply_to_msg_id, header.reply_to_top_id) == (True, 2, None)
    assert (await client.get_entity(team.id)).forum
    found = await client(f.messages.GetForumTopicsByIDRequest(await client.get_input_entity(team.id), [2, 77]))
    assert [(one.id, one.title, one.top_message) for one in found.topics[:1]] == [(2, "Release", 3)]
    assert found.topics[1:] == [t.ForumTopicDeleted(77)]


async def test_a_bot_makes_closes_and_deletes_a_topic(dc: TestDC, bot: Account, team: Group, client: Any) -> None:
    peer = await client.get_input_entity(team.id)
    made = await client(f.messages.CreateForumTopicRequest(peer, "Mine", random_id=5))
    number = next(update.id for update in made.updates if isinstance(update, t.UpdateMessageID))
    await client.send_message(team.id, "inside", reply_to=number)
    await client(f.messages.EditForumTopicRequest(peer, number, closed=True))
    listed, general = (await client(f.messages.GetForumTopicsRequest(peer, None, 0, 0, 10))).topics
    assert (listed.id, listed.title, listed.closed, listed.my) == (number, "Mine", True, True)
    assert (general.id, general.title) == (1, "General")
    gone = await client(f.messages.DeleteTopicHistoryRequest(peer, number))
    assert gone.pts_count == 2
    assert dc.world.view(bot, team).messages == []


@pytest.mark.parametrize(
    ("reply_to", "error"),
    [
        (t.InputReplyToMessage(1), "TOPIC_ID_INVALID"),
        (t.InputReplyToMessage(1, top_msg_id=1), "TOPIC_ID_INVALID"),
        (t.InputReplyToMessage(3, top_msg_id=3), "TOPIC_ID_INVALID"),
        (t.InputReplyToMessage(77, top_msg_id=2), "MESSAGE_ID_INVALID"),
    ],
)
async def test_what_is_no_topic_is_refused(
    dc: TestDC, bot: Account, anna: Account, topic: Post, team: Group, *, client: Any, reply_to: Any, error: str
) -> None:
    """General is never named."""
    dc.world.say(anna, team, "in general")
    with pytest.raises(errors.RPCError) as refused:
        await client(send(dc, bot, team, reply_to))
    assert error in {refused.value.message, _word(refused.value)}


def _word(error: Any) -> str:
    return next((word for word, kind in errors.rpcerrorlist.rpc_errors_dict.items() if kind is type(error)), "")


async def test_a_topic_that_is_closed_or_gone_takes_nothing(
    dc: TestDC, bot: Account, anna: Account, topic: Post, team: Group, *, client: Any
) -> None:
    world, number = dc.world, topic.message_id(bot.id)
    world.close_topic(anna, topic)
    for request in (
        send(dc, bot, team, t.InputReplyToMessage(number)),
        f.messages.SetTypingRequest(await client.get_input_entity(team.id), t.SendMessageTypingAction(), number),
    ):
        with pytest.raises(errors.RPCError, match="TOPIC_CLOSED"):
            await client(request)
    with pytest.raises(RpcFail, match="TOPIC_CLOSED"):
        world.say(anna, team, "too late", topic=topic)
    with pytest.raises(RpcFail, match="CHAT_ADMIN_REQUIRED"):
        world.close_topic(bot, topic, closed=False)
    world.close_topic(anna, topic, closed=False)
    await client(send(dc, bot, team, t.InputReplyToMessage(number)))
    world.delete_topic(anna, topic)
    with pytest.raises(errors.TopicDeletedError):
        await client(send(dc, bot, team, t.InputReplyToMessage(number), random_id=2))


def test_topics_are_only_where_they_are_switched_on(dc: TestDC, bot: Account, anna: Account) -> None:
    for chat in (dc.world.add_group("Plain", anna), bot):
        with pytest.raises(RpcFail, match="CHANNEL_FORUM_MISSING"):
            dc.world.begin_topic(anna, chat, "Release")
    with pytest.raises(RpcFail, match="TOPIC_TITLE_EMPTY"):
        dc.world.begin_topic(anna, dc.world.add_group("Forum", anna, forum=True), "x" * 129)


def test_a_world_from_before_topics_goes_on(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "world.sqlite")
    old.executescript(f"{SCHEMA} PRAGMA user_version=1;")
    old.execute("INSERT INTO accounts VALUES (5, 'Anna', 'anna_k', 0, '')")
    old.execute("INSERT INTO groups VALUES (-1002000000001, 'Team', 'supergroup', 1.0)")
    old.execute("INSERT INTO boxes VALUES (5, 1, 0, 0, 0)")
    old.commit()
    old.close()
    world = World(tmp_path)
    anna = world.people.account(5)
    assert (anna.name, anna.forum, world.people.groups()[0].forum) == ("Anna", False, False)
    assert world.say(anna, world.add_bot("Echo"), "hello").topic is None
    world.close()
    again = World(tmp_path)
    assert [account.name for account in again.people.accounts()] == ["Anna", "Echo"]
    again.store.execute("PRAGMA user_version=99")
    again.close()
    with pytest.raises(FolderError, match="version 99"):
        World(tmp_path)
