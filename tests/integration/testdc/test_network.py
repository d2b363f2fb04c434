import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from telethon import errors
from telethon import functions as f
from telethon import types as t

from services.testdc import wire
from services.testdc.faults import DROP_AFTER, DROP_BEFORE, SWALLOW, delay, error, flood
from services.testdc.model import Account
from services.testdc.server import TestDC
from tests.support.sandbox import Inbox, connected, new_client, until

SEND = "messages.sendMessage"


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


def send(person: Account, text: str, random_id: int = 1) -> Any:
    return f.messages.SendMessageRequest(t.InputPeerUser(person.id, 0), text, random_id=random_id)


def texts(dc: TestDC, bot: Account, person: Account) -> list[str]:
    return [seen.text for seen in dc.world.view(person, bot).messages]


@pytest.mark.parametrize(
    ("fault", "expected", "code"),
    [
        (flood(7), errors.FloodWaitError, 420),
        (error(500, "INTERNAL"), errors.ServerError, 500),
        (error(500, "RPC_CALL_FAIL"), errors.RpcCallFailError, 500),
        (error(-503, "Timeout"), errors.TimedOutError, 503),
    ],
)
async def test_a_call_can_be_refused_with_any_error(
    dc: TestDC, bot: Account, anna: Account, client: Any, *, fault: Any, expected: Any, code: int
) -> None:
    dc.faults.add(SEND, fault)
    with pytest.raises(expected) as refused:
        await client._sender.send(send(anna, "x"))
    assert refused.value.code == code
    assert texts(dc, bot, anna) == []
    await client(send(anna, "x"))


@pytest.mark.parametrize("fault", [DROP_BEFORE, DROP_AFTER])
@pytest.mark.parametrize("mode", ["returns_first", "forgotten"])
async def test_a_lost_answer_is_asked_for_again_by_the_client(
    dc: TestDC, bot: Account, anna: Account, client: Any, *, fault: Any, mode: Any
) -> None:
    dc.world.limits.random_ids = mode
    dc.faults.add(SEND, fault)
    sent = await client(send(anna, "once"))
    assert dc.accepted == 2
    doubled = fault is DROP_AFTER and mode == "forgotten"
    assert texts(dc, bot, anna) == ["once"] * (2 if doubled else 1)
    assert [update.id for update in getattr(sent, "updates", [sent])[:1]] == [2 if doubled else 1]


async def test_a_swallowed_call_is_never_answered_and_the_connection_lives(
    dc: TestDC, bot: Account, anna: Account, client: Any
) -> None:
    dc.faults.add(SEND, SWALLOW)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client(send(anna, "lost", 1)), 0.1)
    await client(send(anna, "next", 2))
    assert texts(dc, bot, anna) == ["next"]


async def test_a_delayed_call_does_not_hold_up_others_unless_they_wait_for_it(
    dc: TestDC, bot: Account, anna: Account, client: Any
) -> None:
    dc.faults.add(SEND, delay(0.1))
    slow = client._sender.send(send(anna, "slow", 1))
    await client(send(anna, "quick", 2))
    await slow
    dc.faults.add(SEND, delay(0.1))
    await client([send(anna, "first", 3), send(anna, "second", 4)], ordered=True)
    assert texts(dc, bot, anna) == ["quick", "slow", "first", "second"]


async def test_faults_can_be_for_one_account(dc: TestDC, bot: Account, anna: Account, client: Any) -> None:
    other = dc.world.add_bot("Other")
    dc.faults.add(SEND, flood(7), account=other.id)
    async with connected(dc, other) as client_of_other:
        await client(send(anna, "x"))
        with pytest.raises(errors.FloodWaitError):
            await client_of_other(send(anna, "x"))


async def test_a_frozen_connection_is_silent_and_a_new_one_works(
    dc: TestDC, bot: Account, anna: Account, client: Any
) -> None:
    dc.freeze()
    pending = asyncio.ensure_future(client(send(anna, "patient")))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(pending), 0.05)
    assert texts(dc, bot, anna) == []
    client._sender._start_reconnect(None)
    await pending
    assert texts(dc, bot, anna) == ["patient"]


async def test_what_waited_in_a_frozen_connection_arrives_when_it_thaws(
    dc: TestDC, bot: Account, anna: Account, client: Any
) -> None:
    inbox = Inbox(client)
    dc.freeze(bot)
    pending = asyncio.ensure_future(client(send(anna, "patient")))
    dc.world.say(anna, bot, "hello")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(pending), 0.05)
    assert inbox.updates == []
    dc.thaw()
    await pending
    await inbox.wait(t.UpdateNewMessage)
    assert dc.accepted == 1


async def test_one_account_can_be_frozen_alone(dc: TestDC, bot: Account, anna: Account, client: Any) -> None:
    other = dc.world.add_bot("Other")
    async with connected(dc, other) as client_of_other:
        dc.freeze(bot)
        await client_of_other(send(anna, "x"))
        dc.thaw()


async def test_a_client_comes_back_after_an_outage(dc: TestDC, bot: Account, anna: Account, client: Any) -> None:
    dc.refuse()
    dc.kill_connections()
    with pytest.raises(OSError, match=r"refused|Connect call failed"):
        await asyncio.open_connection(dc.host, dc.port)
    await dc.accept()
    await client(send(anna, "back"))
    assert texts(dc, bot, anna) == ["back"]


async def test_connections_of_one_account_can_be_cut(dc: TestDC, bot: Account, client: Any) -> None:
    other = dc.world.add_bot("Other")
    async with connected(dc, other):
        dc.kill_connections(other, reset=True)
        await until(lambda: dc.accepted == 3)
        await client.get_me()
        assert dc.accepted == 3


async def test_unknown_bytes_take_the_container_with_them(dc: TestDC, bot: Account, anna: Account, client: Any) -> None:
    """Known trouble of the client (telegram.md P7): the answer beside unknown bytes is lost."""
    dc.delivery.push_raw(bot, b"\xde\xad\xbe\xef")
    await client(send(anna, "one", 1))
    dc.delivery.push_raw(bot, b"\xde\xad\xbe\xef", with_answer=True)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client(send(anna, "two", 2)), 0.1)
    await client(send(anna, "three", 3))
    assert texts(dc, bot, anna) == ["one", "two", "three"]


async def test_a_client_that_does_not_read_is_cut_off(
    dc: TestDC, bot: Account, anna: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "MOST_UNSENT", 100_000)
    client = new_client(dc.port, dc.provision(bot), auto_reconnect=False)
    await client.connect()
    await client.get_me()
    socket = client._sender._connection._reader._transport
    socket.pause_reading()
    async with asyncio.timeout(5):
        while dc.connections:
            dc.world.say(anna, bot, "x" * 400_000)
            await asyncio.sleep(0)
    socket.resume_reading()
    with pytest.raises((OSError, asyncio.IncompleteReadError)):
        await client.disconnected
