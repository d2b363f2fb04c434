"""Telegram's flood waits are honoured to their end, per method and chat, over restarts; other chats go on."""

import time

import pytest

from services.telegram import __main__ as main
from services.telegram.adapters.account import LOGIN
from services.testdc.faults import flood
from services.testdc.model import Account
from tests.integration.telegram.scene import Scene, metric
from tests.support.sandbox import until

SEND = "messages.sendMessage"


def at(scene: Scene, method: str = SEND) -> list[float]:
    """When calls of a method were made."""
    return [call.at for call in scene.dc.world.calls.recent if call.name == method]


async def test_a_chats_wait_is_honoured_in_full_and_other_chats_go_at_once(
    scene: Scene, anna: Account, bob: Account
) -> None:
    """Covers F47, F48, F58."""
    async with scene.telegram():
        scene.dc.faults.add(SEND, flood(1))
        waiting = [scene.pipeline.send(anna.id, "one"), scene.pipeline.send(anna.id, "two")]
        await until(lambda: metric("telegram_flood_wait_seconds") > 0)
        started = time.time()
        assert await scene.delivered(scene.pipeline.send(bob.id, "hello")) == [1]
        assert time.time() - started < 0.5
        assert scene.seen(anna) == []
        await scene.delivered(*waiting)
        refused, _bobs, first, _second = at(scene)
        assert first - refused >= 1
        assert scene.seen(anna) == ["one", "two"]
        assert metric("telegram_flood_wait_seconds") == 0


async def test_a_wait_outlives_the_process(scene: Scene, anna: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Covers F46."""
    monkeypatch.setattr(main, "GRACE", 0.05)
    async with scene.telegram():
        scene.dc.faults.add(SEND, flood(1))
        part = scene.pipeline.send(anna.id, "patience")
        await until(lambda: scene.rows("SELECT method, chat_id FROM waits") == [("send", anna.id)])
    async with scene.telegram():
        assert await scene.delivered(part) == [1]
    refused, sent = at(scene)
    assert sent - refused >= 1


async def test_one_method_waits_and_another_does_not(scene: Scene, anna: Account) -> None:
    async with scene.telegram():
        scene.dc.faults.add("messages.setTyping", flood(9))
        scene.pipeline.typing(anna.id, turn=1)
        await until(lambda: metric("telegram_flood_wait_seconds") > 8)
        assert await scene.delivered(scene.pipeline.send(anna.id, "hello")) == [1]


async def test_slow_mode_is_a_wait_like_any_other(scene: Scene, anna: Account) -> None:
    group = scene.dc.world.add_group("Slow", anna, scene.bot)
    async with scene.telegram():
        scene.dc.world.limits.slowmode = 1
        parts = [scene.pipeline.send(group.id, text) for text in ("one", "two")]
        assert await scene.delivered(*parts) == [1, 2]
    _, refused, second = at(scene)
    assert second - refused >= 0.9
    assert scene.seen(anna, group) == ["one", "two"]


async def test_a_login_that_is_told_to_wait_waits_and_the_process_stays_up(scene: Scene, anna: Account) -> None:
    """Covers F46."""
    login = "auth.importBotAuthorization"
    async with scene.store() as store:
        await store.save_session(None)
    scene.dc.faults.add(login, flood(2))
    async with scene.telegram(wait=False) as vitals:
        await until(lambda: scene.rows("SELECT method FROM waits") == [LOGIN])
        assert vitals.said == [False]
    async with scene.telegram() as vitals:
        scene.say(anna, "hello")
        await scene.received(anna.id, "hello")
    refused, taken = at(scene, login)
    assert taken - refused >= 2


async def test_the_flood_wait_of_one_supergroup_holds_up_no_other_chat(scene: Scene, anna: Account) -> None:
    """Covers F48."""
    group = scene.dc.world.add_group("Team", anna, scene.bot)
    async with scene.telegram():
        scene.say(anna, "one", group)
        await scene.received(group.id, "one")
        scene.dc.faults.add("updates.getChannelDifference", flood(1))
        scene.dc.kill_connections()
        scene.say(anna, "two", group)
        scene.say(anna, "missed")
        await scene.received(anna.id, "missed")
        scene.say(anna, "pushed")
        await scene.received(anna.id, "missed", "pushed")
        assert scene.pipeline.texts(group.id) == ["one"]
        await scene.received(group.id, "one", "two")
