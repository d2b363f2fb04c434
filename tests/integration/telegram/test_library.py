"""The private names of Telethon that we touch: each test here fails when Telethon changes one of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from telethon import functions as f
from telethon import types as t
from telethon.network.mtprotosender import MTProtoSender

from services.telegram.adapters import client as client_module
from services.telegram.adapters.client import Client
from services.telegram.adapters.session import DatabaseSession
from services.telegram.model import Away, FloodWait, LoggedOut, Refused, Unreadable
from services.testdc.faults import DROP_AFTER, SWALLOW, Fault, delay, error, flood
from services.testdc.model import Account
from tests.integration.telegram.scene import Scene, metric
from tests.support.sandbox import until

SEND, STATE = "messages.sendMessage", "updates.getState"


@dataclass
class Line:
    """A connected client, and what it told of updates and reconnects."""

    client: Client = field(init=False)
    updates: list[Any] = field(default_factory=list)
    reconnects: int = 0

    async def take(self, updates: Any) -> None:
        self.updates.append(updates)

    def reconnected(self) -> None:
        self.reconnects += 1


@asynccontextmanager
async def connected(scene: Scene) -> AsyncIterator[Line]:
    async with scene.store() as store:
        session, line = DatabaseSession(store), Line()
        await session.load((2, scene.dc.host, scene.dc.port))
        line.client = Client(session, 1, "0" * 32, on_updates=line.take, on_reconnect=line.reconnected)
        await line.client.open()
        await line.client.ask(f.updates.GetStateRequest())
        try:
            yield line
        finally:
            await line.client.disconnect()


@pytest.fixture
async def line(scene: Scene) -> AsyncIterator[Line]:
    async with connected(scene) as line:
        yield line


def calls(scene: Scene, method: str) -> int:
    return scene.dc.world.calls.counts[method]


def send(person: Account, text: str = "hello", random_id: int = 1) -> Any:
    return f.messages.SendMessageRequest(t.InputPeerUser(person.id, 0), text, random_id=random_id)


async def test_updates_come_to_us_as_they_are(scene: Scene, anna: Account, line: Line) -> None:
    """`_update_loop`, `_updates_queue`."""
    scene.dc.delivery.faults.duplicate = True
    scene.say(anna, "hello")
    await until(lambda: len(line.updates) == 2)
    assert [updates.updates[0].message.message for updates in line.updates] == ["hello", "hello"]
    scene.dc.delivery.push_too_long(scene.bot)
    await until(lambda: isinstance(line.updates[-1], t.UpdatesTooLong))


async def test_the_answers_to_our_own_calls_come_as_updates_too(scene: Scene, anna: Account, line: Line) -> None:
    """`_updates_queue`: they carry numbers of our box."""
    await line.client.ask(send(anna))
    await until(lambda: any(isinstance(updates, t.UpdateShortSentMessage) for updates in line.updates))


async def test_a_reconnect_is_told_and_says_again_who_we_are(scene: Scene, anna: Account, line: Line) -> None:
    """`_handle_auto_reconnect`, `_init_request`."""
    name = {"method": "InvokeWithLayer", "outcome": "ok"}
    before = metric("telegram_calls_total", **name)
    scene.dc.kill_connections()
    await until(lambda: metric("telegram_calls_total", **name) == before + 1)
    assert line.reconnects == 1
    scene.say(anna, "hello")
    await until(lambda: line.updates)


async def test_the_flood_wait_of_one_chat_is_not_held_against_another(
    scene: Scene, anna: Account, bob: Account, line: Line
) -> None:
    """`_flood_waited_requests`; covers F48, F58."""
    scene.dc.faults.add(SEND, flood(40))
    with pytest.raises(FloodWait) as wait:
        await line.client.log_in(send(anna))  # the library's own way of calling
    assert wait.value.seconds == 40
    await line.client.log_in(send(bob))
    assert line.client._flood_waited_requests == {}


@pytest.mark.parametrize("fault", [error(500, "INTERNAL"), error(-503, "Timeout"), error(500, "RPC_CALL_FAIL")])
async def test_a_fault_of_the_servers_is_told_at_once_and_the_call_not_repeated(
    scene: Scene, anna: Account, line: Line, fault: Fault
) -> None:
    """`_sender.send`."""
    scene.dc.faults.add(SEND, fault)
    async with asyncio.timeout(1):
        with pytest.raises(Away):
            await line.client.ask(send(anna))
    assert calls(scene, SEND) == 1


async def test_a_new_connection_is_made_on_demand(scene: Scene, line: Line) -> None:
    """`_sender._start_reconnect`."""
    accepted = scene.dc.accepted
    line.client.reconnect()
    await line.client.ask(f.updates.GetStateRequest())
    assert scene.dc.accepted == accepted + 1
    assert line.reconnects == 1


async def test_a_new_connection_that_is_asked_for_again_and_again_while_there_is_no_network_is_one(
    scene: Scene, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`_sender._reconnect_task`; covers F59."""
    monkeypatch.setattr(line.client._sender, "_delay", 0.05)
    accepted = scene.dc.accepted
    scene.dc.refuse()
    scene.dc.kill_connections()
    await until(lambda: line.client._sender._reconnect_task)
    for _ in range(5):
        await until(lambda: not line.client._sender._reconnecting)  # it tries already
        line.client.reconnect()
    await scene.dc.accept()
    for _ in range(50):
        await line.client.ask(f.updates.GetStateRequest())
        await asyncio.sleep(0.01)
    assert (scene.dc.accepted, line.reconnects) == (accepted + 1, 1)


async def test_calls_end_with_their_connection_and_are_not_made_again_behind_our_back(
    scene: Scene, anna: Account, line: Line
) -> None:
    """`_sender._start_reconnect`, `_sender._pending_state`; covers F9."""
    scene.dc.world.limits.random_ids = "forgotten"
    scene.dc.faults.add(SEND, DROP_AFTER)
    with pytest.raises(Away):
        await line.client.ask(send(anna))
    await line.client.ask(f.updates.GetStateRequest())
    assert calls(scene, SEND) == 1


async def test_calls_that_were_given_up_are_not_made_again(
    scene: Scene, anna: Account, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`_sender._pending_state`."""
    monkeypatch.setattr(client_module, "PATIENCE", 0.1)
    scene.dc.faults.add(SEND, SWALLOW)
    with pytest.raises(Away):
        await line.client.ask(send(anna))
    line.client.reconnect()
    await line.client.ask(f.updates.GetStateRequest())
    assert calls(scene, SEND) == 1


async def test_a_sign_of_life_that_ended_with_its_connection_is_not_held_against_the_next(
    scene: Scene, line: Line
) -> None:
    """`_sender._ping`; covers F67."""
    scene.dc.freeze()
    line.client._sender._keepalive_ping(1)  # as Telethon does every minute
    await until(lambda: line.client._sender._pending_state)
    line.client.reconnect()
    await line.client.ask(f.updates.GetStateRequest())
    accepted = scene.dc.accepted
    line.client._sender._keepalive_ping(2)
    await until(lambda: line.client._sender._ping is None)
    assert (scene.dc.accepted, line.reconnects) == (accepted, 1)


async def test_calls_made_while_there_is_no_connection_wait_for_the_next(
    scene: Scene, anna: Account, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "PATIENCE", 0.1)
    scene.dc.refuse()
    scene.dc.kill_connections()
    with pytest.raises(Away):
        await line.client.ask(send(anna))
    monkeypatch.setattr(client_module, "PATIENCE", 5)
    patient = asyncio.create_task(line.client.ask(send(anna, "patient", 2)))
    await scene.dc.accept()
    await patient
    assert scene.seen(anna) == ["patient"]  # and not what was given up meanwhile


async def test_a_swallowed_call_ends_within_its_time_and_the_connection_lives(
    scene: Scene, anna: Account, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Covers F54."""
    monkeypatch.setattr(client_module, "PATIENCE", 0.1)
    accepted = scene.dc.accepted
    scene.dc.faults.add(SEND, SWALLOW)
    with pytest.raises(Away):
        await line.client.ask(send(anna))
    await line.client.ask(send(anna))
    assert scene.dc.accepted == accepted


ERRORS = [
    (error(400, "USER_IS_BLOCKED"), Refused, "USER_IS_BLOCKED"),
    (error(403, "CHAT_WRITE_FORBIDDEN"), Refused, "CHAT_WRITE_FORBIDDEN"),
    (error(406, "TOPIC_CLOSED"), Refused, "TOPIC_CLOSED"),
    (error(400, "A_WORD_OF_TOMORROW"), Refused, "A_WORD_OF_TOMORROW"),
    (error(303, "USER_MIGRATE_4"), Refused, "ERROR_SEE_OTHER"),
    (error(420, "FLOOD_WAIT_3"), FloodWait, "3 s"),
    (error(420, "FLOOD_PREMIUM_WAIT_3"), FloodWait, "3 s"),
    (error(420, "SLOWMODE_WAIT_3"), FloodWait, "3 s"),
    (error(401, "AUTH_KEY_UNREGISTERED"), LoggedOut, "AuthKeyUnregisteredError"),
    (error(401, "SESSION_REVOKED"), LoggedOut, "SessionRevokedError"),
    (error(406, "AUTH_KEY_DUPLICATED"), LoggedOut, "AuthKeyDuplicatedError"),
    (error(500, "RANDOM_ID_DUPLICATE"), Away, "RANDOM_ID_DUPLICATE"),
    (error(500, "SOMETHING_BROKE"), Away, "SOMETHING_BROKE"),
]


@pytest.mark.parametrize(("fault", "kind", "word"), ERRORS)
async def test_telegrams_errors_in_our_words(
    scene: Scene, anna: Account, line: Line, *, fault: Fault, kind: type[Exception], word: str
) -> None:
    scene.dc.faults.add(SEND, fault)
    with pytest.raises(kind, match=word) as refused:
        await line.client.ask(send(anna))
    assert type(refused.value) is kind


async def test_an_answer_that_cannot_be_read_is_told_apart_and_not_quoted(
    scene: Scene, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Covers F55."""
    monkeypatch.setattr(t.updates.State, "_bytes", lambda _: b"\xde\xad\xbe\xefmy diary")
    with pytest.raises(Unreadable, match=r"^constructor efbeadde$"):
        await line.client.ask(f.updates.GetStateRequest())


@pytest.mark.parametrize("code", [404, 429])
async def test_a_connection_that_ends_for_good_says_why(scene: Scene, line: Line, code: int) -> None:
    scene.dc.faults.add(STATE, delay(9))
    asking = asyncio.create_task(line.client.ask(f.updates.GetStateRequest()))
    await until(lambda: calls(scene, STATE) > 2)
    scene.dc.send_transport_error(code)
    kind = LoggedOut if code == 404 else Away
    with pytest.raises(kind):
        await line.client.lost()
    with pytest.raises(kind):
        await asking


def test_the_private_names_are_still_telethons() -> None:
    """What is overridden or replaced must exist, or our code would silently be nobody's."""
    base = Client.__mro__[1]
    assert {"_update_loop", "_handle_auto_reconnect"} <= {name for one in base.__mro__ for name in vars(one)}
    assert {"send", "_start_reconnect", "_keepalive_ping"} <= vars(MTProtoSender).keys()
