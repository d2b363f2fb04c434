"""F95: what operators see of the account moves when the account does."""

import pytest

from services.telegram import pace
from services.telegram.adapters import account
from services.testdc.faults import Fault, delay, error, flood
from services.testdc.model import Account
from tests.integration.telegram.scene import LIMIT, Scene
from tests.support.metrics import change, metric
from tests.support.sandbox import until

SEND = "messages.sendMessage"


async def test_a_message_that_the_pipeline_does_not_keep_grows_old(scene: Scene, anna: Account) -> None:
    async with scene.telegram():
        assert metric("telegram_oldest_unsubmitted_seconds") == 0
        await scene.place.down()
        scene.say(anna, "hello")
        await until(lambda: metric("telegram_oldest_unsubmitted_seconds") > 0.1)
        assert metric("telegram_unsubmitted_messages") > 0
        await scene.place.up()
        await scene.received(anna.id, "hello")
        await until(lambda: metric("telegram_oldest_unsubmitted_seconds") == 0)
        assert metric("telegram_unsubmitted_messages") == 0


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (flood(1), "flood_wait"),
        (error(500, "INTERNAL"), "away"),
        (error(400, "MESSAGE_TOO_LONG"), "refused"),
    ],
    ids=["flood wait", "away", "refused"],
)
async def test_a_call_is_counted_by_what_telegram_says_to_it(
    scene: Scene, anna: Account, fault: Fault, outcome: str
) -> None:
    calls = change("telegram_calls_total", method="SendMessage", outcome=outcome)
    done = change("telegram_calls_total", method="SendMessage", outcome="ok")
    async with scene.telegram():
        scene.dc.faults.add(SEND, fault)
        await scene.delivered(scene.pipeline.send(anna.id, "hello"))
    assert calls() == 1
    assert done() == (outcome != "refused")


async def test_the_owner_is_one_and_a_lost_login_is_seen(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "WATCH", 0.1)
    lost, taken = change("telegram_lost_logins_total"), change("telegram_takeovers_total")
    async with scene.telegram() as vitals:
        assert metric("telegram_owner") == metric("telegram_connected") == 1
        scene.dc.log_out(scene.bot)
        await until(lambda: vitals.said == [False, True, False, True], LIMIT)
    assert lost() == 1
    assert taken() == 2
    assert metric("telegram_owner") == metric("telegram_connected") == 0


async def test_calls_without_a_place_are_seen_to_wait(
    scene: Scene, anna: Account, bob: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "SLOTS", 1)
    async with scene.telegram():
        scene.dc.faults.add(SEND, delay(0.3))
        parts = [scene.pipeline.send(person.id, "hello") for person in (anna, bob)]
        await until(lambda: metric("telegram_queued_calls") == 1)
        await scene.delivered(*parts)
        assert metric("telegram_queued_calls") == 0
