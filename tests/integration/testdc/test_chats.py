from collections.abc import AsyncIterator
from typing import Any

import pytest
from telethon import errors, events
from telethon import functions as f
from telethon import types as t

from services.testdc.model import Account, Group
from services.testdc.server import TestDC
from tests.support.sandbox import Inbox, connected


@pytest.fixture
def bot(dc: TestDC) -> Account:
    return dc.world.add_bot("Echo")


@pytest.fixture
def anna(dc: TestDC) -> Account:
    return dc.world.add_user("Anna", "anna_k")


@pytest.fixture
async def client(dc: TestDC, bot: Account) -> AsyncIterator[Any]:
    async with connected(dc, bot) as client:
        yield client


@pytest.fixture
def echo(client: Any) -> None:
    async def answer(event: Any) -> None:
        await event.reply(f"re {event.raw_text}")

    client.add_event_handler(answer, events.NewMessage(incoming=True))


@pytest.mark.usefixtures("echo")
async def test_a_bot_answers_in_private(dc: TestDC, bot: Account, anna: Account) -> None:
    assert (await dc.world.ask(anna, bot, "hello")).text == "re hello"
    seen = dc.world.view(anna, bot).messages
    assert [(m.id, m.sender, m.text, m.reply_to) for m in seen] == [
        (1, anna.id, "hello", None),
        (2, bot.id, "re hello", 1),
    ]


@pytest.mark.usefixtures("echo")
@pytest.mark.parametrize("kind", ["basic", "supergroup"])
async def test_a_bot_answers_in_a_group(dc: TestDC, bot: Account, anna: Account, kind: Any) -> None:
    dc.world.say(anna, bot, "moves the ids of the bot")
    group = dc.world.add_group("Team", bot, anna, kind=kind)
    since = dc.world.record.last_seq
    said = dc.world.say(anna, group, "hello")
    answer = await dc.world.wait_for(lambda a: (a.account, a.chat) == (bot.id, group.id), since=since)
    assert (answer.text, answer.reply_to) == ("re hello", said.id)
    seen = dc.world.view(anna, group).messages
    assert seen[1].reply_to == seen[0].id


@pytest.mark.parametrize("kind", ["basic", "supergroup"])
async def test_a_bot_is_told_who_speaks_where_and_whether_to_it(
    dc: TestDC, bot: Account, anna: Account, client: Any, kind: Any
) -> None:
    group, inbox = dc.world.add_group("Team", bot, anna, kind=kind), Inbox(client)
    new = t.UpdateNewMessage if kind == "basic" else t.UpdateNewChannelMessage
    dc.world.say(anna, group, "to all")
    dc.world.say(anna, group, f"to @{bot.username}")
    dc.world.say(anna, group, "you!", entities=[{"type": "MentionName", "offset": 0, "length": 3, "user_id": bot.id}])
    own = await client.send_message(group.id, "mine")
    dc.world.say(anna, group, "to yours", reply_to=dc.world.posts.at(own_box(group, bot), own.id))
    last = (await inbox.wait(new, 4)).message
    messages = [update.message for update in inbox.of(new)]
    assert [message.mentioned for message in messages] == [False, True, True, True]
    assert last.reply_to.reply_to_msg_id == own.id
    assert {message.from_id.user_id for message in messages} == {anna.id}
    assert {message.chat_id for message in messages} == {group.id}
    sender = inbox.of(new)[0]._entities[anna.id]
    assert (sender.username, sender.min, sender.access_hash) == (
        "anna_k",
        False,
        dc.world.people.access_hash(bot.id, anna.id),
    )


def own_box(group: Group, bot: Account) -> int:
    return group.id if group.kind == "supergroup" else bot.id


async def test_entities_reach_the_bot_and_the_people_as_they_were_sent(
    dc: TestDC, bot: Account, anna: Account, client: Any
) -> None:
    inbox = Inbox(client)
    pre = {"type": "Pre", "offset": 3, "length": 4, "language": "python"}
    dc.world.say(anna, bot, "😀 code", entities=[pre])
    assert (await inbox.wait(t.UpdateNewMessage)).message.entities == [t.MessageEntityPre(3, 4, "python")]
    user = await client.get_input_entity(anna.id)
    entities = [t.InputMessageEntityMentionName(0, 4, t.InputUser(user.user_id, user.access_hash))]
    request = f.messages.SendMessageRequest(user, "Anna /go", random_id=1, entities=entities)
    sent = await client(request)
    assert sent.entities == [t.MessageEntityMentionName(0, 4, anna.id)]
    assert dc.world.view(anna, bot).messages[1].entities == [
        {"type": "MentionName", "offset": 0, "length": 4, "user_id": anna.id}
    ]


@pytest.mark.parametrize("media", ["photo", "voice", "document", "sticker"])
async def test_a_bot_sees_what_kind_of_media_a_message_is(
    dc: TestDC, bot: Account, anna: Account, client: Any, media: Any
) -> None:
    inbox = Inbox(client)
    dc.world.say(anna, bot, "", media=media)
    message = (await inbox.wait(t.UpdateNewMessage)).message
    kinds = {"photo": message.photo, "voice": message.voice, "sticker": message.sticker, "document": message.document}
    assert kinds[media] is not None


async def test_users_groups_and_usernames_can_be_looked_up(
    dc: TestDC, bot: Account, anna: Account, client: Any
) -> None:
    supergroup = dc.world.add_group("Team", bot, anna)
    basic = dc.world.add_group("Old", bot, anna, kind="basic")
    resolved = await client(f.contacts.ResolveUsernameRequest("Anna_K"))
    assert resolved.users[0].id == anna.id
    full = await client(f.users.GetFullUserRequest(await client.get_input_entity(anna.id)))
    assert full.users[0].first_name == "Anna"
    channel = t.InputChannel(supergroup.raw_id, dc.world.people.access_hash(bot.id, supergroup.id))
    assert (await client(f.channels.GetChannelsRequest([channel]))).chats[0].title == "Team"
    assert (await client(f.messages.GetChatsRequest([basic.raw_id]))).chats[0].participants_count == 2
    dc.world.say(anna, supergroup, "hello")
    assert (await client(f.channels.GetFullChannelRequest(channel))).full_chat.pts == 2
    nobody = await client(f.users.GetUsersRequest([t.InputUser(5, 0)]))
    assert isinstance(nobody[0], t.UserEmpty)
    with pytest.raises(errors.UsernameNotOccupiedError):
        await client(f.contacts.ResolveUsernameRequest("nobody"))


async def test_messages_can_be_looked_up_by_id(dc: TestDC, bot: Account, anna: Account, client: Any) -> None:
    group = dc.world.add_group("Team", bot, anna)
    dc.world.say(anna, bot, "one")
    dc.world.delete(anna, dc.world.say(anna, bot, "two"))
    dc.world.say(anna, group, "three")
    found = await client(f.messages.GetMessagesRequest([t.InputMessageID(1), t.InputMessageID(2)]))
    assert (found.messages[0].message, type(found.messages[1])) == ("one", t.MessageEmpty)
    assert found.users
    channel = t.InputChannel(group.raw_id, 0)
    found = await client(f.channels.GetMessagesRequest(channel, [t.InputMessageID(1), t.InputMessageID(9)]))
    assert (found.pts, found.messages[0].message, type(found.messages[1])) == (2, "three", t.MessageEmpty)


async def test_a_wrong_access_hash_is_refused(dc: TestDC, bot: Account, anna: Account, client: Any) -> None:
    group = dc.world.add_group("Team", bot, anna)
    other = dc.world.add_bot("Other")
    foreign = dc.world.people.access_hash(other.id, anna.id)
    for peer in (t.InputPeerUser(anna.id, foreign), t.InputPeerUser(5, 0), t.InputPeerChat(5)):
        with pytest.raises(errors.PeerIdInvalidError):
            await client(f.messages.SendMessageRequest(peer, "x", random_id=1))
    for raw_id, access_hash in ((group.raw_id, 3), (5, 0)):
        with pytest.raises(errors.ChannelInvalidError):
            await client(f.messages.SendMessageRequest(t.InputPeerChannel(raw_id, access_hash), "x", random_id=1))


@pytest.mark.parametrize(
    ("kind", "error"), [("basic", errors.ChatWriteForbiddenError), ("supergroup", errors.ChannelPrivateError)]
)
async def test_a_bot_that_was_removed_from_a_group_is_shut_out(
    dc: TestDC, bot: Account, anna: Account, client: Any, *, kind: Any, error: Any
) -> None:
    group, inbox = dc.world.add_group("Team", anna, kind=kind), Inbox(client)
    changed, forbidden = (t.UpdateChat, t.ChatForbidden) if kind == "basic" else (t.UpdateChannel, t.ChannelForbidden)
    dc.world.join(bot, group)
    await inbox.wait(changed)
    assert (await client.send_message(group.id, "hello")).id == 1
    dc.world.leave(bot, group)
    update = await inbox.wait(changed, 2)
    assert isinstance(update._entities[group.id], forbidden)
    with pytest.raises(error):
        await client.send_message(group.id, "hello?")
    dc.world.say(anna, group, "among us")
    dc.world.say(anna, bot, "marker")
    assert (await inbox.wait(t.UpdateNewMessage)).message.message == "marker"


async def test_a_bot_that_was_blocked_is_told_so(dc: TestDC, bot: Account, anna: Account, client: Any) -> None:
    dc.world.block(anna, bot)
    for request in (
        f.messages.SendMessageRequest(t.InputPeerUser(anna.id, 0), "x", random_id=1),
        f.messages.SetTypingRequest(t.InputPeerUser(anna.id, 0), t.SendMessageTypingAction()),
    ):
        with pytest.raises(errors.UserIsBlockedError):
            await client(request)
    dc.world.unblock(anna, bot)
    await client.send_message(anna.id, "hello")


async def test_a_bot_does_not_write_to_bots(dc: TestDC, client: Any) -> None:
    other = dc.world.add_bot("Other")
    with pytest.raises(errors.UserIsBotError):
        await client.send_message(other.id, "hello")


async def test_users_of_group_updates_can_be_minimal(dc: TestDC, bot: Account, anna: Account, client: Any) -> None:
    dc.world.limits.min_users = True
    group, inbox = dc.world.add_group("Team", bot, anna), Inbox(client)
    dc.world.say(anna, group, "hello")
    update = await inbox.wait(t.UpdateNewChannelMessage)
    user = update._entities[anna.id]
    assert user.min
    with pytest.raises(errors.PeerIdInvalidError):
        await client(f.messages.SendMessageRequest(t.InputPeerUser(user.id, user.access_hash), "x", random_id=1))
    dc.world.say(anna, bot, "in private")
    assert not (await inbox.wait(t.UpdateNewMessage))._entities[anna.id].min


async def test_the_command_menu_is_recorded_and_checked(dc: TestDC, bot: Account, client: Any) -> None:
    def menu(*commands: tuple[str, str]) -> Any:
        named = [t.BotCommand(command, description) for command, description in commands]
        return f.bots.SetBotCommandsRequest(t.BotCommandScopeDefault(), "", named)

    assert await client(menu(("start", "Begin"), ("stop", "End")))
    assert [action.text for action in dc.world.record.all() if action.kind == "commands"] == ["/start Begin\n/stop End"]
    with pytest.raises(errors.BotCommandInvalidError):
        await client(menu(("Start!", "Begin")))
    with pytest.raises(errors.BotCommandDescriptionInvalidError):
        await client(menu(("start", "")))
    with pytest.raises(errors.BotCommandsTooMuchError):
        await client(menu(*[(f"c{n}", "x") for n in range(101)]))
