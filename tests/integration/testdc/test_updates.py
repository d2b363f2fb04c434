from collections.abc import AsyncIterator
from typing import Any

import pytest
from telethon import functions as f
from telethon import types as t

from services.testdc.model import Account
from services.testdc.server import TestDC
from tests.support.sandbox import Inbox, arrivals, connected, new_client


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


async def test_a_lost_push_is_found_through_the_gap_it_leaves(
    dc: TestDC, bot: Account, anna: Account, client: Any
) -> None:
    inbox = Inbox(client)
    dc.world.say(anna, bot, "one")
    await inbox.wait(t.UpdateNewMessage)
    asked = dc.world.calls.counts["updates.getDifference"]
    dc.delivery.faults.drop(1)
    dc.world.say(anna, bot, "lost")
    dc.world.say(anna, bot, "three")
    await inbox.wait(t.UpdateNewMessage, 3)
    assert [u.message.message for u in inbox.of(t.UpdateNewMessage)] == ["one", "lost", "three"]
    assert dc.world.calls.counts["updates.getDifference"] == asked + 1


async def test_pushes_of_one_chat_alone_can_be_lost(dc: TestDC, bot: Account, anna: Account, client: Any) -> None:
    group, inbox = dc.world.add_group("Team", bot, anna), Inbox(client)
    dc.delivery.faults.drop(1000, chat=group.id)
    dc.world.say(anna, group, "lost")
    dc.world.say(anna, bot, "heard")
    assert (await inbox.wait(t.UpdateNewMessage)).message.message == "heard"
    assert inbox.of(t.UpdateNewChannelMessage) == []
    diff = await client(f.updates.GetDifferenceRequest(1, await date_of(client), 0))
    late = next(update for update in diff.other_updates if isinstance(update, t.UpdateChannelTooLong))
    assert (late.channel_id, late.pts) == (group.raw_id, 2)
    assert diff.chats[0].access_hash == dc.world.people.access_hash(bot.id, group.id)
    request = f.updates.GetChannelDifferenceRequest(
        t.InputChannel(group.raw_id, diff.chats[0].access_hash), t.ChannelMessagesFilterEmpty(), 1, 100
    )
    assert [message.message for message in (await client(request)).new_messages] == ["lost"]


async def date_of(client: Any) -> Any:
    return (await client(f.updates.GetStateRequest())).date


async def test_pushes_can_be_held_and_reversed(dc: TestDC, bot: Account, anna: Account, client: Any) -> None:
    order = arrivals(client)
    dc.delivery.faults.hold()
    for text in ("one", "two", "three"):
        dc.world.say(anna, bot, text)
    await client.get_me()
    assert order == []
    dc.delivery.faults.release(reverse=True)
    dc.world.say(anna, bot, "four")
    await client.get_me()
    assert order == ["three", "two", "one", "four"]


async def test_pushes_can_come_twice(dc: TestDC, bot: Account, anna: Account, client: Any) -> None:
    order = arrivals(client)
    dc.delivery.faults.duplicate = True
    for text in ("one", "two"):
        dc.world.say(anna, bot, text)
    await client.get_me()
    assert order == ["one", "one", "two", "two"]


async def test_a_client_can_be_told_to_ask(dc: TestDC, bot: Account, anna: Account, client: Any) -> None:
    group, inbox = dc.world.add_group("Team", bot, anna), Inbox(client)
    dc.world.say(anna, bot, "one")
    dc.world.say(anna, group, "two")
    await inbox.wait(t.UpdateNewChannelMessage)
    dc.delivery.faults.drop(2)
    dc.world.say(anna, bot, "three")
    dc.world.say(anna, group, "four")
    dc.delivery.push_too_long(bot)
    assert (await inbox.wait(t.UpdateNewMessage, 2)).message.message == "three"
    dc.delivery.push_too_long(bot, group)
    assert (await inbox.wait(t.UpdateNewChannelMessage, 2)).message.message == "four"


async def test_a_session_that_comes_back_gets_again_what_it_did_not_acknowledge(
    dc: TestDC, bot: Account, anna: Account, client: Any
) -> None:
    inbox, order = Inbox(client), arrivals(client)
    dc.world.say(anna, bot, "one")
    await inbox.wait(t.UpdateNewMessage)
    state = client._sender._state
    state.reset, session = (lambda: None), state.id
    dc.kill_connections()
    await client.get_me()
    assert client._sender._state.id == session
    dc.world.say(anna, bot, "two")
    await inbox.wait(t.UpdateNewMessage, 2)
    assert order == ["one", "one", "two"]
    assert [u.message.message for u in inbox.of(t.UpdateNewMessage)] == ["one", "two"]


async def test_the_state_can_tell_an_old_qts(dc: TestDC, bot: Account, anna: Account, client: Any) -> None:
    post = dc.world.publish(bot, anna, "hello")
    dc.world.react(anna, post, "👍")
    assert (await client(f.updates.GetStateRequest())).qts == 1
    dc.world.limits.state_qts = 0
    assert (await client(f.updates.GetStateRequest())).qts == 0


@pytest.mark.parametrize(("form", "reaches"), [("full", False), ("count0", False), ("zero", True)])
async def test_telethon_drops_the_other_updates_of_a_difference_unless_they_are_zero(
    dc: TestDC, bot: Account, anna: Account, client: Any, *, form: Any, reaches: bool
) -> None:
    """Known trouble of the client (telegram.md P4); shows that the three forms differ on the wire."""
    inbox = Inbox(client)
    dc.world.limits.difference_form = form
    post = dc.world.say(anna, bot, "one")
    await inbox.wait(t.UpdateNewMessage)
    dc.delivery.faults.drop(1)
    dc.world.edit(anna, post, "edited")
    dc.world.say(anna, bot, "two")
    await inbox.wait(t.UpdateNewMessage, 2)
    assert [u.message.message for u in inbox.of(t.UpdateEditMessage)] == (["edited"] if reaches else [])


async def test_two_thousand_messages_come_in_slices_and_in_order(dc: TestDC, bot: Account, anna: Account) -> None:
    for number in range(1, 2001):
        dc.world.say(anna, bot, str(number))
    client = new_client(dc.port, dc.provision(bot))
    await client.connect()
    asked = dc.world.calls.counts["updates.getDifference"]
    pts, texts = 1, list[str]()
    while pts < 2001:
        diff = await client(f.updates.GetDifferenceRequest(pts, await date_of(client), 0))
        texts += [message.message for message in diff.new_messages]
        pts = (getattr(diff, "intermediate_state", None) or diff.state).pts
    assert texts == [str(number) for number in range(1, 2001)]
    assert dc.world.calls.counts["updates.getDifference"] == asked + 20
    await client.disconnect()
