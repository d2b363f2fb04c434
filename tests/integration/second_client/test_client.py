"""A second client as a person: it logs in, chats with the bot and is answered, and misses nothing."""

from pathlib import Path
from typing import Any

import pytest
from pyrogram import enums, errors
from pyrogram.handlers import MessageHandler, RawUpdateHandler
from pyrogram.types import ReplyParameters

from services.testdc.model import Account, Seen
from services.testdc.people import phone_of
from services.testdc.server import TestDC
from tests.support.model_server import Reply
from tests.support.sandbox import Inbox, connected, until
from tests.support.second_client import second_client, unknown_person
from tests.support.whole_house import asked, whole_house


@pytest.fixture
def anna(dc: TestDC) -> Account:
    return dc.world.add_user("Anna", "anna_k")


async def test_a_person_logs_in_by_phone(dc: TestDC, anna: Account) -> None:
    async with unknown_person(dc) as client:
        with pytest.raises(errors.PhoneNumberInvalid):
            await client.send_code("+1 555")
        sent = await client.send_code(phone_of(anna))
        with pytest.raises(errors.PhoneCodeInvalid):
            await client.sign_in(phone_of(anna), sent.phone_code_hash, "00000")
        with pytest.raises(errors.PhoneCodeExpired):
            await client.sign_in(phone_of(anna), "of another time", "22222")
        assert (await client.sign_in(phone_of(anna), sent.phone_code_hash, "22222")).id == anna.id
        with pytest.raises(errors.PhoneNumberInvalid):
            await client.sign_in("1555", sent.phone_code_hash, "22222")


async def test_it_chats_with_the_house_and_is_answered(dc: TestDC, tmp_path: Path) -> None:
    async with whole_house(dc, tmp_path, lambda request: Reply(asked(request).splitlines()[-1].upper())) as house:
        topic = dc.world.begin_topic(house.anna, house.team, "Release")
        async with second_client(dc, house.anna, workers=1) as client:
            heard: list[Any] = []

            async def hear(_client: Any, message: Any) -> None:
                heard.append(message)

            client.add_handler(MessageHandler(hear))
            asked_in_private = await client.send_message(house.bot.username, "how are you?")
            await until(lambda: heard, 10)
            assert (heard[0].from_user.id, heard[0].text) == (house.bot.id, "HOW ARE YOU?")
            assert heard[0].chat.id == asked_in_private.chat.id
            number = topic.message_id(house.anna.id)
            dc.world.say(house.anna, house.team, f"@{house.bot.username} and here?", topic=topic)
            await until(lambda: len(heard) >= 3, 10)
            assert (heard[-1].text, heard[-1].message_thread_id) == ("ANNA: AND HERE?", number)


async def test_what_it_does_is_done(dc: TestDC, anna: Account) -> None:
    """Every action of a person's client, and what the world and another person's client see of it."""
    world = dc.world
    ben = world.add_user("Ben", "ben_k")
    async with second_client(dc, anna, workers=1) as client, connected(dc, ben) as other:
        inbox = Inbox(other)
        first = await client.send_message("ben_k", "hello **bold** @ben_k", parse_mode=enums.ParseMode.MARKDOWN)
        await client.send_message(ben.id, "a reply", reply_parameters=ReplyParameters(message_id=first.id))
        await client.edit_message_text(ben.id, first.id, "other words")
        await client.send_reaction(ben.id, first.id, "👍")
        await client.send_chat_action(ben.id, enums.ChatAction.TYPING)
        await until(lambda: world.view(ben, anna).typing == [anna.id])
        gone = await client.send_message(ben.id, "gone")
        await client.delete_messages(ben.id, gone.id)
        await until(lambda: [u for u in inbox.updates if type(u).__name__ == "UpdateDeleteMessages"])
    kinds = [type(update).__name__ for update in inbox.updates]
    assert kinds == [
        "UpdateNewMessage",
        "UpdateNewMessage",
        "UpdateEditMessage",
        "UpdateMessageReactions",
        "UpdateUserTyping",
        "UpdateNewMessage",
        "UpdateDeleteMessages",
    ]
    edited, reply = world.view(ben, anna).messages
    assert (edited.text, edited.edited, edited.reactions) == ("other words", True, {anna.id: ["👍"]})
    assert (reply.text, reply.reply_to) == ("a reply", edited.id)
    assert [entity.to_dict()["_"] for entity in inbox.updates[0].message.entities] == [
        "MessageEntityBold",
        "MessageEntityMention",
    ]


async def test_it_uses_topics(dc: TestDC, anna: Account) -> None:
    world = dc.world
    team = world.add_group("Team", anna, admins=[anna], forum=True)
    async with second_client(dc, anna) as client:
        inbox = heard_by(client)
        world.say(anna, team, "in general")
        await until(lambda: inbox)  # people's clients can name the groups that they heard of
        topic = await client.create_forum_topic(team.id, "Release")
        inside = await client.send_message(team.id, "inside", message_thread_id=topic.id)
        await client.send_message(
            team.id, "a reply", message_thread_id=topic.id, reply_parameters=ReplyParameters(message_id=inside.id)
        )
        await client.send_message(team.id, "outside")
        listed = [(one.id, one.title) async for one in client.get_forum_topics(team.id)]
        await client.close_forum_topic(team.id, topic.id)
        assert listed == [(topic.id, "Release"), (1, "General")]
        assert places(world.view(anna, team).messages) == {
            "in general": 0,
            "Release": topic.id,
            "inside": topic.id,
            "a reply": topic.id,
            "outside": 0,
        }
        history = {m.text: m async for m in client.get_chat_history(team.id) if m.text}
        assert {text: message.message_thread_id or 0 for text, message in history.items()} == {
            "in general": 0,
            "inside": topic.id,
            "a reply": topic.id,
            "outside": 0,
        }
        assert history["a reply"].reply_to_message_id == inside.id


def heard_by(client: Any) -> list[Any]:
    """The updates that reach the client from now on, in order."""
    heard: list[Any] = []

    async def hear(_client: Any, update: Any, _users: Any, _chats: Any) -> None:
        heard.append(update)

    client.add_handler(RawUpdateHandler(hear))
    return heard


def places(messages: list[Seen]) -> dict[str, int]:
    return {seen.text: seen.topic for seen in messages}


async def test_both_clients_find_what_they_missed(dc: TestDC, anna: Account) -> None:
    world = dc.world
    ben = world.add_user("Ben")
    team = world.add_group("Team", anna, ben, forum=True)
    async with (
        second_client(dc, anna, workers=1, skip_updates=False) as second,
        connected(dc, anna, catch_up=True) as first,
    ):
        inbox, heard = Inbox(first), heard_by(second)
        for chat in (anna, team):
            world.say(ben, chat, "before")
        await until(lambda: len(texts(heard)) == len(texts(inbox.updates)) == 2)
        dc.delivery.faults.drop(100)
        kept = world.say(ben, anna, "kept")
        for chat in (anna, team):
            world.edit(ben, world.say(ben, chat, "missed"), "missed, and edited")
        world.delete(ben, kept)
        dc.delivery.faults.drop(0)
        dc.kill_connections()
        await until(lambda: len(dc._wires_of(anna)) == 2 and second.session.is_started.is_set(), limit=15)
        await first.get_me()
        await second.recover_gaps()
        await first.catch_up()
        await until(lambda: all(texts(one).count("missed, and edited") >= 2 for one in (heard, inbox.updates)))
        assert "kept" not in texts(heard) + texts(inbox.updates)


def texts(updates: list[Any]) -> list[str]:
    return [update.message.message for update in updates if hasattr(getattr(update, "message", None), "message")]


@pytest.fixture(autouse=True)
def _nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that wants to ask a person for something fails."""
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("the client asks for input"))
