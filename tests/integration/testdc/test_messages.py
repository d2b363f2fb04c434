from collections.abc import AsyncIterator
from typing import Any

import pytest
from telethon import errors
from telethon import functions as f
from telethon import types as t

from services.testdc.faults import slow_send
from services.testdc.model import Account
from services.testdc.server import TestDC
from tests.support.sandbox import Inbox, connected, until


@pytest.fixture
def bot(dc: TestDC) -> Account:
    return dc.world.add_bot("Echo")


@pytest.fixture
def anna(dc: TestDC) -> Account:
    return dc.world.add_user("Anna")


@pytest.fixture
async def client(dc: TestDC, bot: Account) -> AsyncIterator[Any]:
    async with connected(dc, bot) as client:
        yield client


def texts(dc: TestDC, bot: Account, person: Account) -> list[str]:
    return [seen.text for seen in dc.world.view(person, bot).messages]


def send(person: Account, text: str, random_id: int = 1, **more: Any) -> Any:
    return f.messages.SendMessageRequest(t.InputPeerUser(person.id, 0), text, random_id=random_id, **more)


def unrepeated(client: Any, request: Any) -> Any:
    """The answer to a single try; Telethon itself waits two seconds after each error of the server."""
    return client._sender.send(request)


# -- what may be sent
@pytest.mark.parametrize(
    ("text", "entities", "error"),
    [
        ("", [], errors.MessageEmptyError),
        (" \n", [], errors.MessageEmptyError),
        ("x" * 4097, [], errors.MessageTooLongError),
        ("😀" * 2049, [], errors.MessageTooLongError),
        ("abc", [t.MessageEntityBold(1, 3)], errors.EntityBoundsInvalidError),
        ("a😀b", [t.MessageEntityBold(2, 2)], errors.EntityBoundsInvalidError),
    ],
)
async def test_a_text_that_telegram_would_refuse_is_refused(
    dc: TestDC, bot: Account, anna: Account, client: Any, *, text: str, entities: Any, error: Any
) -> None:
    with pytest.raises(error):
        await client(send(anna, text, entities=entities))
    assert texts(dc, bot, anna) == []


async def test_texts_at_the_limit_pass_and_entities_beyond_it_are_dropped(
    dc: TestDC, bot: Account, anna: Account, client: Any
) -> None:
    await client(send(anna, "😀" * 2048, 1))
    await client(send(anna, "x" * 4096, 2, entities=[t.MessageEntityBold(n, 1) for n in range(101)]))
    assert [len(seen.entities) for seen in dc.world.view(anna, bot).messages] == [0, 100]


async def test_a_random_id_is_needed(anna: Account, client: Any) -> None:
    with pytest.raises(errors.RandomIdEmptyError):
        await client(send(anna, "x", 0))


async def test_what_the_sandbox_does_not_know_is_refused_and_listed(dc: TestDC, anna: Account, client: Any) -> None:
    with pytest.raises(errors.InputMethodInvalidError):
        await client(send(anna, "x", reply_markup=t.ReplyKeyboardHide()))
    assert dc.world.unknown_calls == ["messages.sendMessage with reply_markup"]
    dc.world.unknown_calls.clear()


async def test_a_reply_to_a_message_that_is_gone_is_refused_or_sent_without(
    dc: TestDC, bot: Account, anna: Account, client: Any
) -> None:
    gone = dc.world.say(anna, bot, "gone")
    dc.world.delete(anna, gone)
    reply = t.InputReplyToMessage(gone.message_id(bot.id))
    with pytest.raises(errors.MessageIdInvalidError):
        await client(send(anna, "reply", reply_to=reply))
    dc.world.limits.reply_to_deleted = "dropped"
    await client(send(anna, "reply", reply_to=reply))
    assert [(seen.text, seen.reply_to) for seen in dc.world.view(anna, bot).messages] == [("reply", None)]


async def test_an_id_of_another_chat_is_no_id_of_this_one(dc: TestDC, bot: Account, anna: Account, client: Any) -> None:
    of_ben = dc.world.say(dc.world.add_user("Ben"), bot, "secret")
    with pytest.raises(errors.MessageIdInvalidError):
        await client(send(anna, "reply", reply_to=t.InputReplyToMessage(of_ben.message_id(bot.id))))


# -- edits and deletions
async def test_edits_are_seen_and_told_to_other_sessions(dc: TestDC, bot: Account, anna: Account, client: Any) -> None:
    async with connected(dc, bot) as other:
        inbox = Inbox(other)
        message = await client.send_message(anna.id, "one")
        edited = await client.edit_message(message, "two")
        assert (edited.text, edited.edit_date is not None) == ("two", True)
        assert (await inbox.wait(t.UpdateEditMessage)).message.message == "two"
    assert [(seen.text, seen.edited) for seen in dc.world.view(anna, bot).messages] == [("two", True)]


async def test_edits_that_telegram_would_refuse_are_refused(
    dc: TestDC, bot: Account, anna: Account, client: Any
) -> None:
    theirs = dc.world.say(anna, bot, "theirs").message_id(bot.id)
    mine = (await client.send_message(anna.id, "mine")).id
    peer = t.InputPeerUser(anna.id, 0)
    for message_id, text, error in [
        (mine, "mine", errors.MessageNotModifiedError),
        (theirs, "forged", errors.MessageAuthorRequiredError),
        (99, "nothing", errors.MessageIdInvalidError),
        (mine, "x" * 4097, errors.MessageTooLongError),
        (mine, "", errors.MessageEmptyError),
    ]:
        with pytest.raises(error):
            await client(f.messages.EditMessageRequest(peer, message_id, message=text))
    assert texts(dc, bot, anna) == ["theirs", "mine"]


async def test_a_bot_deletes_its_messages(dc: TestDC, bot: Account, anna: Account, client: Any) -> None:
    group = dc.world.add_group("Team", anna, bot)
    one, two = [await client.send_message(anna.id, text) for text in ("one", "two")]
    affected = await client.delete_messages(anna.id, [one.id, two.id, two.id, 99])
    assert (affected[0].pts, affected[0].pts_count) == (5, 2)
    assert texts(dc, bot, anna) == []
    three = await client.send_message(group.id, "three")
    affected = await client(f.channels.DeleteMessagesRequest(t.InputChannel(group.raw_id, 0), [three.id]))
    assert (affected.pts, affected.pts_count) == (3, 1)
    assert dc.world.view(anna, group).messages == []


async def test_a_bot_learns_of_deletions(dc: TestDC, bot: Account, anna: Account, client: Any) -> None:
    group, inbox = dc.world.add_group("Team", anna, bot), Inbox(client)
    dc.world.delete(anna, dc.world.say(anna, bot, "one"), dc.world.say(anna, bot, "two"))
    deleted = await inbox.wait(t.UpdateDeleteMessages)
    assert (deleted.messages, deleted.pts, deleted.pts_count) == ([1, 2], 5, 2)
    dc.world.delete(anna, dc.world.say(anna, group, "three"))
    deleted = await inbox.wait(t.UpdateDeleteChannelMessages)
    assert (deleted.channel_id, deleted.messages, deleted.pts) == (group.raw_id, [1], 3)


async def test_a_bot_does_not_delete_what_others_say_in_a_group(
    dc: TestDC, bot: Account, anna: Account, client: Any
) -> None:
    group = dc.world.add_group("Team", anna, bot)
    dc.world.say(anna, group, "hello")
    with pytest.raises(errors.MessageDeleteForbiddenError):
        await client(f.channels.DeleteMessagesRequest(t.InputChannel(group.raw_id, 0), [1]))


# -- reactions, typing, drafts
def react(person: Account, message_id: int, *emoji: str) -> Any:
    reaction = [t.ReactionEmoji(one) for one in emoji]
    return f.messages.SendReactionRequest(t.InputPeerUser(person.id, 0), message_id, reaction=reaction)


async def test_a_bot_reacts_with_one_emoji_of_the_list(dc: TestDC, bot: Account, anna: Account, client: Any) -> None:
    said = dc.world.say(anna, bot, "hello").message_id(bot.id)
    answer = await client(react(anna, said, "👀"))
    assert answer.updates[0].reactions.results[0].count == 1
    await client(react(anna, said, "👍"))
    assert dc.world.view(anna, bot).messages[0].reactions == {bot.id: ["👍"]}
    for emoji, error in [
        (["👍"], errors.MessageNotModifiedError),
        (["👍", "🔥"], errors.ReactionsTooManyError),
        (["✅"], errors.ReactionInvalidError),
    ]:
        with pytest.raises(error):
            await client(react(anna, said, *emoji))
    with pytest.raises(errors.MessageIdInvalidError):
        await client(react(anna, 99, "👍"))
    await client(react(anna, said))
    assert dc.world.view(anna, bot).messages[0].reactions == {}


async def test_a_bot_learns_of_reactions_of_people(dc: TestDC, bot: Account, anna: Account, client: Any) -> None:
    inbox = Inbox(client)
    message = await client.send_message(anna.id, "hello")
    dc.world.react(anna, dc.world.posts.get(1), "🔥")
    update = await inbox.wait(t.UpdateBotMessageReaction)
    assert (update.msg_id, update.qts, update.actor.user_id, update.peer.user_id) == (message.id, 1, anna.id, anna.id)
    assert [one.emoticon for one in update.new_reactions] == ["🔥"]


async def test_an_invisible_edit_has_the_old_text(dc: TestDC, bot: Account, anna: Account, client: Any) -> None:
    dc.world.limits.invisible_edits = True
    inbox = Inbox(client)
    dc.world.react(anna, dc.world.say(anna, bot, "hello"), "🔥")
    touched = (await inbox.wait(t.UpdateEditMessage)).message
    assert (touched.message, touched.edit_hide, touched.reactions.results[0].count) == ("hello", True, 1)


def typing(person: Account, action: Any) -> Any:
    return f.messages.SetTypingRequest(t.InputPeerUser(person.id, 0), action)


def draft(text: str, random_id: int = 9) -> Any:
    return t.SendMessageTextDraftAction(t.TextWithEntities(text, []), random_id=random_id)


async def test_people_see_typing_and_drafts_until_the_message(
    dc: TestDC, bot: Account, anna: Account, client: Any
) -> None:
    await client(typing(anna, t.SendMessageTypingAction()))
    assert dc.world.view(anna, bot).typing == [bot.id]
    await client(typing(anna, t.SendMessageCancelAction()))
    assert dc.world.view(anna, bot).typing == []
    for text in ("", "Hel", "Hello"):
        await client(typing(anna, draft(text)))
        assert dc.world.view(anna, bot).drafts == {bot.id: text}
    await client.send_message(anna.id, "Hello!")
    assert dc.world.view(anna, bot).drafts == {}
    drafts = [(a.text, a.random_id) for a in dc.world.record.all() if a.kind == "draft"]
    assert drafts == [("", 9), ("Hel", 9), ("Hello", 9)]


async def test_drafts_that_telegram_would_refuse_are_refused(
    dc: TestDC, bot: Account, anna: Account, client: Any
) -> None:
    with pytest.raises(errors.MessageTooLongError):
        await client(typing(anna, draft("x" * 4097)))
    with pytest.raises(errors.RandomIdEmptyError):
        await client(typing(anna, draft("x", 0)))
    group = dc.world.add_group("Team", bot, anna)
    in_group = f.messages.SetTypingRequest(t.InputPeerChannel(group.raw_id, 0), draft("x"))
    with pytest.raises(errors.BadRequestError, match="TEXTDRAFT_PEER_INVALID"):
        await client(in_group)


# -- repeated random ids
async def test_a_repeated_random_id_returns_the_first_message(
    dc: TestDC, bot: Account, anna: Account, client: Any
) -> None:
    group = dc.world.add_group("Team", bot, anna)
    for peer in (t.InputPeerUser(anna.id, 0), t.InputPeerChannel(group.raw_id, 0)):
        first = await client(f.messages.SendMessageRequest(peer, "once", random_id=7))
        again = await client(f.messages.SendMessageRequest(peer, "other", random_id=7))
        named, repeated = again.updates
        assert (named.random_id, repeated.pts_count, repeated.message.message) == (7, 0, "once")
        assert named.id == repeated.message.id == (first.id if hasattr(first, "id") else first.updates[0].id)
    assert texts(dc, bot, anna) == ["once"]


async def test_a_repetition_of_what_was_deleted_makes_no_new_message(
    dc: TestDC, bot: Account, anna: Account, client: Any
) -> None:
    first = await client(send(anna, "once", 7))
    dc.world.delete(anna, dc.world.posts.get(1))
    again = await client(send(anna, "once", 7))
    assert [update.id for update in again.updates] == [first.id]
    assert texts(dc, bot, anna) == []


async def test_the_same_random_id_in_another_chat_is_new(dc: TestDC, bot: Account, anna: Account, client: Any) -> None:
    ben = dc.world.add_user("Ben")
    await client(send(anna, "to Anna", 7))
    await client(send(ben, "to Ben", 7))
    assert texts(dc, bot, ben) == ["to Ben"]


async def test_a_repeated_random_id_can_be_refused(dc: TestDC, bot: Account, anna: Account, client: Any) -> None:
    dc.world.limits.random_ids = "duplicate"
    await client(send(anna, "once", 7))
    with pytest.raises(errors.RandomIdDuplicateError):
        await unrepeated(client, send(anna, "once", 7))
    assert texts(dc, bot, anna) == ["once"]


async def test_a_repeated_random_id_can_be_forgotten(dc: TestDC, bot: Account, anna: Account, client: Any) -> None:
    dc.world.limits.random_ids = "forgotten"
    for _ in range(2):
        await client(send(anna, "twice", 7))
    assert texts(dc, bot, anna) == ["twice", "twice"]


@pytest.mark.parametrize("mode", ["returns_first", "duplicate", "forgotten"])
async def test_a_repetition_while_the_first_is_under_way_is_refused_in_every_mode(
    dc: TestDC, bot: Account, anna: Account, client: Any, mode: Any
) -> None:
    dc.world.limits.random_ids = mode
    dc.faults.add("messages.sendMessage", slow_send(0.1))
    first = unrepeated(client, send(anna, "once", 7))
    await until(lambda: dc.world.sending)
    with pytest.raises(errors.RandomIdDuplicateError):
        await unrepeated(client, send(anna, "once", 7))
    assert (await first).id == 1
    assert texts(dc, bot, anna) == ["once"]


# -- pace
async def wait_of(client: Any, request: Any) -> int:
    with pytest.raises(errors.FloodError) as refused:
        await unrepeated(client, request)
    return int(refused.value.seconds)


async def test_messages_have_to_keep_the_pace_of_a_chat(dc: TestDC, bot: Account, anna: Account, client: Any) -> None:
    ben = dc.world.add_user("Ben")
    dc.world.limits.per_chat = (2, 30)
    await client(send(anna, "one", 1))
    await client(send(anna, "two", 2))
    assert 28 <= await wait_of(client, send(anna, "three", 3)) <= 30
    await client(send(ben, "one", 4))
    assert texts(dc, bot, anna) == ["one", "two"]


async def test_messages_have_to_keep_the_pace_of_the_account(dc: TestDC, anna: Account, client: Any) -> None:
    ben = dc.world.add_user("Ben")
    dc.world.limits.overall = (1, 30)
    await client(send(anna, "one", 1))
    assert await wait_of(client, send(ben, "one", 2)) > 0


async def test_edits_and_typing_have_a_pace_of_their_own(dc: TestDC, anna: Account, client: Any) -> None:
    dc.world.limits.per_edit = dc.world.limits.per_typing = (1, 30)
    message = await client.send_message(anna.id, "one")
    await client.edit_message(message, "two")
    peer = t.InputPeerUser(anna.id, 0)
    assert await wait_of(client, f.messages.EditMessageRequest(peer, message.id, message="three")) > 0
    await client(typing(anna, draft("a")))
    assert await wait_of(client, typing(anna, t.SendMessageTypingAction())) > 0
    await client(send(anna, "sending is free"))


async def test_slow_mode_is_for_supergroups(dc: TestDC, bot: Account, anna: Account, client: Any) -> None:
    group = dc.world.add_group("Team", bot, anna)
    dc.world.limits.slowmode = 30
    await client.send_message(group.id, "one")
    with pytest.raises(errors.SlowModeWaitError) as refused:
        await client.send_message(group.id, "two")
    assert 28 <= refused.value.seconds <= 30
    await client(send(anna, "one", 1))
    await client(send(anna, "two", 2))
