import asyncio
from typing import Any

import pytest
from telethon import errors
from telethon import functions as f
from telethon import types as t
from telethon.network import connection

from services.testdc.server import TestDC
from tests.support.sandbox import Inbox, arrivals, connected, new_client


@pytest.mark.parametrize(
    "transport",
    [
        connection.ConnectionTcpFull,
        connection.ConnectionTcpAbridged,
        connection.ConnectionTcpIntermediate,
        connection.ConnectionTcpObfuscated,
    ],
)
async def test_a_bot_logs_in_over_every_transport_and_sends_long_messages(dc: TestDC, transport: Any) -> None:
    bot, anna = dc.world.add_bot("Echo"), dc.world.add_user("Anna")
    client = new_client(dc.port, connection=transport)
    await client.start(bot_token=bot.token)
    me = await client.get_me()
    assert (me.id, me.username, me.bot) == (bot.id, bot.username, True)
    await client.send_message(anna.id, "x" * 4096)
    assert [seen.text for seen in dc.world.view(anna, bot).messages] == ["x" * 4096]
    await client.disconnect()


async def test_a_wrong_token_is_refused(dc: TestDC) -> None:
    client = new_client(dc.port)
    await client.connect()
    with pytest.raises(errors.AccessTokenInvalidError):
        await client.sign_in(bot_token="1:wrong")
    await client.disconnect()


async def test_who_is_not_logged_in_learns_it(dc: TestDC) -> None:
    client = new_client(dc.port)
    await client.connect()
    with pytest.raises(errors.AuthKeyUnregisteredError):
        await client(f.updates.GetStateRequest())
    assert not await client.is_user_authorized()
    await client.disconnect()


async def test_logging_out_ends_the_login(dc: TestDC) -> None:
    bot = dc.world.add_bot("Echo")
    client = new_client(dc.port)
    await client.start(bot_token=bot.token)
    key = client.session.auth_key.key
    await client.log_out()
    again = new_client(dc.port, key)
    await again.connect()
    assert not await again.is_user_authorized()
    await again.disconnect()


async def test_the_server_can_log_a_bot_out(dc: TestDC) -> None:
    bot = dc.world.add_bot("Echo")
    async with connected(dc, bot) as client:
        dc.log_out(bot)
        with pytest.raises(errors.AuthKeyUnregisteredError):
            await client(f.updates.GetStateRequest())


async def test_a_forgotten_key_ends_the_client_and_a_new_login_works(dc: TestDC) -> None:
    bot, anna = dc.world.add_bot("Echo"), dc.world.add_user("Anna")
    async with connected(dc, bot) as client:
        heard = arrivals(client)
        dc.forget_keys(bot)
        dc.world.say(anna, bot, "unheard")
        with pytest.raises(errors.AuthKeyNotFound):
            await client(f.updates.GetStateRequest())
        with pytest.raises(errors.AuthKeyNotFound):
            await client.disconnected
        assert heard == []
    fresh = new_client(dc.port)
    await fresh.start(bot_token=bot.token)
    assert await fresh.is_user_authorized()
    await fresh.disconnect()


async def test_a_transport_flood_ends_the_client(dc: TestDC) -> None:
    async with connected(dc, dc.world.add_bot("Echo")) as client:
        dc.send_transport_error(429)
        with pytest.raises(errors.InvalidBufferError) as ended:
            await client.disconnected
        assert ended.value.code == 429


async def test_a_changed_salt_costs_one_repetition(dc: TestDC) -> None:
    bot, anna = dc.world.add_bot("Echo"), dc.world.add_user("Anna")
    async with connected(dc, bot) as client:
        salt = client._sender._state.salt
        dc.change_salt()
        await client.send_message(anna.id, "once")
        assert client._sender._state.salt != salt
        assert [seen.text for seen in dc.world.view(anna, bot).messages] == ["once"]


async def test_a_wrong_clock_of_the_client_is_corrected(dc: TestDC) -> None:
    async with connected(dc, dc.world.add_bot("Echo")) as client:
        client._sender._state.time_offset = 1000
        assert (await client.get_me()).bot
        assert abs(client._sender._state.time_offset) < 5


async def test_a_container_of_calls_is_answered_in_order(dc: TestDC) -> None:
    bot, anna = dc.world.add_bot("Echo"), dc.world.add_user("Anna")
    async with connected(dc, bot) as client:
        peer = await client.get_input_entity(anna.id)
        requests = [f.messages.SendMessageRequest(peer, str(n), random_id=n + 1) for n in range(30)]
        sent = await client(requests, ordered=True)
        assert [update.id for update in sent] == list(range(1, 31))
        assert [seen.text for seen in dc.world.view(anna, bot).messages] == [str(n) for n in range(30)]


async def test_updates_come_only_to_who_asked_for_them(dc: TestDC) -> None:
    bot, anna = dc.world.add_bot("Echo"), dc.world.add_user("Anna")
    deaf = new_client(dc.port, dc.provision(bot), receive_updates=False)
    await deaf.connect()
    async with connected(dc, bot) as client:
        inbox, silence = Inbox(client), Inbox(deaf)
        await deaf(f.InvokeWithoutUpdatesRequest(f.updates.GetStateRequest()))
        dc.world.say(anna, bot, "hello")
        await inbox.wait(t.UpdateNewMessage)
        await deaf(f.InvokeWithoutUpdatesRequest(f.updates.GetStateRequest()))
        assert silence.updates == []
    await deaf.disconnect()


async def test_sessions_can_be_destroyed_and_salts_asked_for(dc: TestDC) -> None:
    async with connected(dc, dc.world.add_bot("Echo")) as client:
        assert isinstance(await client._sender.send(f.DestroySessionRequest(5)), t.DestroySessionNone)
        assert (await client._sender.send(f.GetFutureSaltsRequest(1))).salts == []
        assert (await client._sender.send(f.PingRequest(7))).ping_id == 7


async def test_an_unknown_rpc_is_refused_and_listed(dc: TestDC) -> None:
    async with connected(dc, dc.world.add_bot("Echo")) as client:
        with pytest.raises(errors.InputMethodInvalidError):
            await client(f.account.GetPasswordRequest())
        with pytest.raises(errors.InputMethodInvalidError):
            await client(f.messages.DeleteMessagesRequest([1]))
        assert dc.world.unknown_calls == ["account.getPassword", "messages.deleteMessages without revoke"]
        dc.world.unknown_calls.clear()


@pytest.mark.parametrize("junk", [b"GET / HTTP/1.1\r\nHost: sandbox\r\n\r\n" + b"x" * 64, b"\xef\x0a" + b"\x01" * 40])
async def test_junk_ends_its_own_connection_and_no_other(dc: TestDC, junk: bytes) -> None:
    async with connected(dc, dc.world.add_bot("Echo")) as client:
        reader, writer = await asyncio.open_connection(dc.host, dc.port)
        writer.write(junk)
        writer.write_eof()
        await asyncio.wait_for(reader.read(), 5)
        writer.close()
        assert (await client.get_me()).bot


async def test_a_key_in_two_live_connections_is_dead_for_good(dc: TestDC) -> None:
    dc.world.limits.duplicate_key_grace = 0.0
    bot = dc.world.add_bot("Echo")
    key = dc.provision(bot)
    old, new = new_client(dc.port, key), new_client(dc.port, key)
    await old.connect()
    await old.get_me()
    await new.connect()
    await new.get_me()
    with pytest.raises(errors.AuthKeyDuplicatedError):
        await old.get_me()
    with pytest.raises(errors.AuthKeyNotFound):
        await old.disconnected  # its acknowledgement was one packet too many
    with pytest.raises(errors.AuthKeyNotFound):
        await new.get_me()
    fresh = new_client(dc.port)
    await fresh.start(bot_token=bot.token)
    assert await fresh.is_user_authorized()
    await fresh.disconnect()


async def test_a_reconnect_never_kills_a_key(dc: TestDC) -> None:
    dc.world.limits.duplicate_key_grace = 0.0
    async with connected(dc, dc.world.add_bot("Echo")) as client:
        for _ in range(3):
            dc.kill_connections(reset=True)
            assert (await client.get_me()).bot
        assert dc.accepted == 4
        client._sender._start_reconnect(None)
        assert (await client.get_me()).bot
