"""The account's connection and login: what is lost comes back, what works is left alone."""

import asyncio
import itertools
import time
from contextlib import suppress

import pytest

from services.chassis.app import innermost
from services.chassis.errors import SettingsError
from services.telegram import __main__ as main
from services.telegram import receive
from services.telegram.adapters import account, client
from services.testdc.faults import DROP_AFTER, DROP_BEFORE, SWALLOW, Fault, delay, error, flood
from services.testdc.model import Account
from tests.integration.telegram.scene import LIMIT, Scene, Vitals, metric, quiet
from tests.support.sandbox import new_client, until

IMPORT = "auth.importBotAuthorization"


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "GRACE", 0.05)
    monkeypatch.setattr(main, "AGAIN", 0.1)


@pytest.fixture
def _watchful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "WATCH", 0.1)
    monkeypatch.setattr(client, "PATIENCE", 0.3)


def logins(scene: Scene) -> int:
    return scene.dc.world.calls.counts[IMPORT]


async def alive(scene: Scene, anna: Account, text: str) -> None:
    """What Anna writes arrives, and she gets an answer."""
    scene.say(anna, text)
    await until(lambda: text in scene.pipeline.texts(anna.id), LIMIT)
    await scene.delivered(scene.pipeline.send(anna.id, f"answer to {text}"))


def test_a_dead_connection_is_noticed_within_20_seconds() -> None:
    """Covers F26: the last question may have been asked just before, and the next may wait for its answer in vain."""
    assert account.WATCH + client.PATIENCE <= 20


# -- the network -------------------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("_watchful")
async def test_a_frozen_connection_is_replaced_and_nothing_is_lost(scene: Scene, anna: Account) -> None:
    """Covers F26."""
    async with scene.telegram() as vitals:
        scene.dc.freeze()
        scene.say(anna, "into the void")
        part = scene.pipeline.send(anna.id, "from the void")
        await scene.received(anna.id, "into the void")
        assert len(await scene.delivered(part)) == 1
        assert scene.dc.accepted == 2
        assert vitals.said == [False, True]


@pytest.mark.usefixtures("_watchful")
async def test_quiet_is_no_reason_to_reconnect(scene: Scene, anna: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Covers F26, F50, F67."""
    monkeypatch.setattr(receive, "VERIFY", 0.05)
    async with scene.telegram():
        before = metric("telegram_reconnects_total")
        verified = metric("telegram_verified_timestamp_seconds")
        asked = scene.dc.world.calls.counts["updates.getState"]
        await until(lambda: scene.dc.world.calls.counts["updates.getState"] > asked + 5)
        assert scene.dc.accepted == 1
        assert metric("telegram_reconnects_total") == before
        assert metric("telegram_verified_timestamp_seconds") > verified
        await alive(scene, anna, "still there")


async def test_storms_of_cut_and_refused_connections_lose_nothing(scene: Scene, anna: Account) -> None:
    """Covers F52, F59."""
    texts = [str(number) for number in range(20)]
    async with scene.telegram():
        for number, text in enumerate(texts):
            scene.say(anna, text)
            scene.dc.kill_connections(reset=bool(number % 2))
            if number == 10:
                scene.dc.refuse()
                await quiet(0.05)
                await scene.dc.accept()
            await quiet(0.01)
        await scene.received(anna.id, *texts)


async def test_a_reconnect_is_followed_by_a_reading_although_nothing_is_pushed(scene: Scene, anna: Account) -> None:
    """Covers F52."""
    async with scene.telegram():
        scene.dc.refuse()
        scene.dc.kill_connections()
        scene.say(anna, "missed")
        await scene.dc.accept()
        await scene.received(anna.id, "missed")


async def test_a_new_salt_of_the_servers_disturbs_nobody(scene: Scene, anna: Account) -> None:
    async with scene.telegram():
        scene.dc.change_salt()
        await alive(scene, anna, "hello")
        assert scene.dc.accepted == 1


async def test_a_transport_flood_costs_the_connection_and_not_the_login(scene: Scene, anna: Account) -> None:
    async with scene.telegram() as vitals:
        difference = "updates.getDifference"
        asked = scene.dc.world.calls.counts[difference]
        scene.dc.faults.add(difference, delay(9))
        scene.dc.delivery.push_too_long(scene.bot)
        await until(lambda: scene.dc.world.calls.counts[difference] > asked)
        scene.dc.send_transport_error(429)
        await until(lambda: vitals.said == [False, True, False, True], LIMIT)
        await alive(scene, anna, "hello")
        assert logins(scene) == 0


# -- the login ---------------------------------------------------------------------------------------------------------
async def again(scene: Scene, vitals: Vitals, anna: Account) -> None:
    """The service noticed that its login is lost, made a new one, and goes on from its cursor."""
    await until(lambda: vitals.said[-2:] == [False, True], LIMIT)
    assert logins(scene) == 1
    await scene.received(anna.id, "before", "meanwhile")
    await alive(scene, anna, "after")


@pytest.mark.usefixtures("_watchful")
async def test_a_login_that_telegram_ends_is_made_anew_and_the_cursor_survives(scene: Scene, anna: Account) -> None:
    """Covers F49."""
    async with scene.telegram() as vitals:
        await alive(scene, anna, "before")
        scene.dc.log_out(scene.bot)
        scene.say(anna, "meanwhile")
        await until(lambda: vitals.said == [False, True, False, True], LIMIT)
        await again(scene, vitals, anna)


@pytest.mark.usefixtures("_watchful")
async def test_a_key_that_telegram_forgets_is_made_anew_and_the_cursor_survives(scene: Scene, anna: Account) -> None:
    async with scene.telegram() as vitals:
        await alive(scene, anna, "before")
        scene.dc.forget_keys()
        scene.say(anna, "meanwhile")
        await until(lambda: vitals.said == [False, True, False, True], LIMIT)
        await again(scene, vitals, anna)


@pytest.mark.parametrize("how", ["log out", "forget", "forbid"])
async def test_a_login_that_was_lost_while_the_service_was_down_is_made_anew(
    scene: Scene, anna: Account, how: str
) -> None:
    """Covers F45, F49."""
    async with scene.telegram():
        await alive(scene, anna, "before")
    scene.say(anna, "meanwhile")
    if how == "log out":
        scene.dc.log_out(scene.bot)
    elif how == "forget":
        scene.dc.forget_keys()
    else:
        scene.dc.faults.add("users.getUsers", error(406, "AUTH_KEY_DUPLICATED"))
    async with scene.telegram() as vitals:
        await again(scene, vitals, anna)


@pytest.mark.usefixtures("_watchful")
async def test_a_key_that_died_of_two_users_is_replaced(scene: Scene, anna: Account) -> None:
    """Covers F45."""
    scene.dc.world.limits.duplicate_key_grace = 0
    async with scene.telegram() as vitals:
        await alive(scene, anna, "before")
        thief = new_client(scene.dc.port, scene.rows("SELECT auth_key FROM session")[0], connection_retries=1)
        with suppress(*client.LOST_KEY):  # the key dies at the next call of either, maybe before the thief's own
            await thief.connect()
        scene.say(anna, "meanwhile")
        await until(lambda: vitals.said[1:4] == [True, False, True], LIMIT)
        await thief.disconnect()
        await scene.received(anna.id, "before", "meanwhile")
        await alive(scene, anna, "after")


async def test_a_login_that_telegram_ends_at_once_again_and_again_is_not_a_storm(scene: Scene) -> None:
    """Covers F46, F49."""
    scene.dc.faults.add(IMPORT, error(401, "USER_DEACTIVATED"), times=None)
    async with scene.store() as store:
        await store.save_session(None)
    async with scene.telegram(wait=False) as vitals:
        await until(lambda: logins(scene) == 3, LIMIT)
        begun = time.monotonic()
        await until(lambda: logins(scene) == 5, LIMIT)
        assert time.monotonic() - begun > 2 * main.AGAIN
        assert vitals.said[-1] is False


CALLS = ("help.getConfig", "users.getUsers", IMPORT, "updates.getState", "updates.getDifference")
FAULTS = (DROP_AFTER, DROP_BEFORE, SWALLOW, error(500, "INTERNAL"))


@pytest.mark.parametrize(
    ("call", "fault"), [*itertools.product(CALLS, FAULTS), ("users.getUsers", flood(1)), (IMPORT, flood(1))]
)
async def test_whatever_happens_to_a_call_of_the_login_there_is_a_login_in_the_end(
    scene: Scene, anna: Account, call: str, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Covers F46, F54."""
    monkeypatch.setattr(client, "PATIENCE", 0.3)
    monkeypatch.setattr(client, "LOGIN_PATIENCE", 0.5)
    monkeypatch.setattr(account, "AGAIN", 0.05)
    if call == IMPORT:
        scene.dc.log_out(scene.bot)
    scene.dc.faults.add(call, fault)
    async with scene.telegram() as vitals:
        assert vitals.said == [False, True]
        await alive(scene, anna, "hello")


# -- the start and the end ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("ACCESS_TOKEN_INVALID", "TELEGRAM_BOT_TOKEN is wrong: Telegram does not know it."),
        ("ACCESS_TOKEN_EXPIRED", "TELEGRAM_BOT_TOKEN is wrong: Telegram does not know it."),
        ("API_ID_INVALID", "TELEGRAM_API_ID and TELEGRAM_API_HASH are refused by Telegram."),
    ],
)
async def test_a_token_or_application_that_telegram_refuses_is_one_sentence(
    scene: Scene, reason: str, sentence: str
) -> None:
    scene.dc.log_out(scene.bot)
    scene.dc.faults.add(IMPORT, error(400, reason))
    with pytest.raises(ExceptionGroup) as group:
        async with scene.telegram():
            pass
    assert str(innermost(group.value)) == sentence


async def test_telegram_being_unreachable_at_the_start_is_waited_for(scene: Scene, anna: Account) -> None:
    async with scene.telegram():
        pass
    scene.say(anna, "hello")
    scene.dc.refuse()
    async with scene.telegram(wait=False) as vitals:
        await quiet(0.2)
        assert vitals.said == [False]
        await scene.dc.accept()
        await vitals.online()
        await scene.received(anna.id, "hello")


async def test_a_stop_while_telegram_is_unreachable_is_quick(scene: Scene) -> None:
    """Covers F62."""
    scene.dc.refuse()
    async with scene.telegram(wait=False):
        await quiet(0.1)
        begun = time.monotonic()
    assert time.monotonic() - begun < 5


@pytest.mark.usefixtures("_watchful")
async def test_a_stop_between_two_logins_is_quick(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "AGAIN", 30.0)
    async with scene.telegram() as vitals:
        scene.dc.log_out(scene.bot)
        await until(lambda: vitals.said == [False, True, False], LIMIT)
        begun = time.monotonic()
    assert time.monotonic() - begun < 5


@pytest.mark.sqlite
async def test_a_second_owner_of_the_account_never_connects(scene: Scene) -> None:
    """Covers F44, F45."""
    async with scene.telegram():
        accepted = scene.dc.accepted
        with pytest.raises(SettingsError, match="Another process owns"):
            async with scene.telegram(wait=False):
                pass
        assert scene.dc.accepted == accepted


async def test_the_account_goes_on_while_the_pipeline_is_not_there_yet(scene: Scene, anna: Account) -> None:
    async with scene.telegram():
        pass
    await scene.place.down()
    async with scene.telegram(wait=False) as vitals:
        await vitals.online()
        scene.say(anna, "early bird")
        await quiet(0.1)
        await scene.place.up()
        await scene.received(anna.id, "early bird")


async def test_nothing_of_a_life_that_ended_goes_on(scene: Scene, anna: Account) -> None:
    async with scene.telegram():
        await alive(scene, anna, "hello")
    left = {repr(task.get_coro()) for task in asyncio.all_tasks()}
    assert not [name for name in left if "services/telegram" in name or "Deliverer" in name or "Client" in name]
