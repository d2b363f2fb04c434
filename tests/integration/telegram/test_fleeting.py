"""Previews, drafts, typing and reactions: nothing of it outlives the answer, and nothing of it holds the answer up."""

import asyncio
from typing import Any

import pytest

from services.telegram import __main__ as main
from services.telegram.adapters import client
from services.testdc.faults import DROP_AFTER, DROP_BEFORE, SWALLOW, Fault, delay, error, flood
from services.testdc.model import Account, Group
from tests.integration.telegram.scene import Scene, break_once, metric, quiet
from tests.support.sandbox import until
from valor.pipeline.v1 import pipeline_pb2 as pb

SEND, EDIT, REACT, TYPE = "messages.sendMessage", "messages.editMessage", "messages.sendReaction", "messages.setTyping"
PREVIEW, REACTION = pb.PART_KIND_PREVIEW, pb.PART_KIND_REACTION
FAULTS: dict[str, Fault] = {
    "drop_after": DROP_AFTER,
    "drop_before": DROP_BEFORE,
    "swallow": SWALLOW,
    "delay": delay(0.2),
    "INTERNAL": error(500, "INTERNAL"),
}


@pytest.fixture
def team(scene: Scene, anna: Account) -> Group:
    return scene.dc.world.add_group("Team", anna, scene.bot)


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PATIENCE", 0.4)
    monkeypatch.setattr(main, "GRACE", 0.05)


async def preview(scene: Scene, team: Group, text: str = "Think", turn: int = 5) -> int:
    """A preview that stands; its message id."""
    (message_id,) = await scene.delivered(scene.pipeline.send(team.id, text, kind=PREVIEW, turn=turn))
    assert isinstance(message_id, int)
    return message_id


async def frames_handled(scene: Scene, chat: int) -> None:
    """Wait until every frame that was shown so far has reached the service: it handles a stream in order."""
    await scene.delivered(scene.pipeline.send(chat, "👀", kind=REACTION, target_message_id=1, turn=99))


# -- previews ----------------------------------------------------------------------------------------------------------
async def test_a_preview_becomes_the_answer(scene: Scene, anna: Account, team: Group) -> None:
    """Covers F16."""
    async with scene.telegram():
        target = await preview(scene, team)
        scene.pipeline.draft(team.id, "Thinking about", turn=5, target=target)
        await until(lambda: scene.seen(anna, team) == ["Thinking about"])
        part = scene.pipeline.send(team.id, "The answer.", turn=5, target_message_id=target)
        assert await scene.delivered(part) == [target]
    assert scene.seen(anna, team) == ["The answer."]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.usefixtures("_impatient")
async def test_the_answer_replaces_its_preview_whatever_happens_to_the_edit(
    scene: Scene, anna: Account, team: Group, fault: str
) -> None:
    """Covers F16."""
    async with scene.telegram():
        target = await preview(scene, team)
        scene.dc.faults.add(EDIT, FAULTS[fault])
        part = scene.pipeline.send(team.id, "The answer.", turn=5, target_message_id=target)
        assert await scene.delivered(part) == [target]
    assert scene.seen(anna, team) == ["The answer."]


@pytest.mark.parametrize("mode", ["returns_first", "duplicate", "forgotten"])
@pytest.mark.parametrize("step", ["preview", "answer"])
@pytest.mark.usefixtures("_impatient")
async def test_after_a_stop_at_any_step_exactly_the_answer_remains(
    scene: Scene, anna: Account, team: Group, step: str, mode: Any
) -> None:
    """Covers F16."""
    scene.dc.world.limits.random_ids = mode
    async with scene.telegram():
        if step == "preview":
            scene.pipeline.go.clear()
            shown = scene.pipeline.send(team.id, "Think", kind=PREVIEW, turn=5)
            await until(lambda: scene.seen(anna, team) == ["Think"])
        else:
            target = await preview(scene, team)
            scene.pipeline.go.clear()
            part = scene.pipeline.send(team.id, "The answer.", turn=5, target_message_id=target)
            await until(lambda: scene.seen(anna, team) == ["The answer."])
    scene.pipeline.go.set()
    async with scene.telegram():
        if step == "preview":
            target = int((await scene.delivered(shown))[0])
            part = scene.pipeline.send(team.id, "The answer.", turn=5, target_message_id=target)
        assert await scene.delivered(part) == [target]
    assert scene.seen(anna, team) == ["The answer."]


async def test_an_answer_whose_preview_was_deleted_becomes_a_message(scene: Scene, anna: Account, team: Group) -> None:
    async with scene.telegram():
        target = await preview(scene, team)
        post = scene.dc.world.posts.at(team.id, target)
        assert post is not None
        scene.dc.world.delete(scene.bot, post)
        part = scene.pipeline.send(team.id, "The answer.", turn=5, target_message_id=target)
        assert await scene.delivered(part) == [target + 1]
    assert scene.seen(anna, team) == ["The answer."]


async def test_an_answer_that_equals_its_preview_is_there_already(scene: Scene, anna: Account, team: Group) -> None:
    """Covers F109."""
    async with scene.telegram():
        target = await preview(scene, team, "Done.")
        assert await scene.delivered(scene.pipeline.send(team.id, "Done.", turn=5, target_message_id=target)) == [
            target
        ]


async def test_an_answer_that_its_preview_cannot_become_is_refused_by_telegrams_word(
    scene: Scene, anna: Account, team: Group
) -> None:
    async with scene.telegram():
        target = await preview(scene, team)
        part = scene.pipeline.send(team.id, "x" * 4097, turn=5, target_message_id=target)
        assert await scene.delivered(part) == ["MESSAGE_TOO_LONG"]


# -- frames and the final ----------------------------------------------------------------------------------------------
async def test_the_answer_waits_for_the_frame_in_flight_and_late_frames_are_dropped(
    scene: Scene, anna: Account, team: Group
) -> None:
    """Covers F16."""
    async with scene.telegram():
        target = await preview(scene, team)
        scene.dc.faults.add(EDIT, delay(0.2))
        scene.pipeline.draft(team.id, "Thinking", turn=5, target=target)
        await until(lambda: scene.dc.world.calls.counts[EDIT] == 1)
        part = scene.pipeline.send(team.id, "The answer.", turn=5, target_message_id=target)
        assert await scene.delivered(part) == [target]
        scene.pipeline.draft(team.id, "Thinking again", turn=5, target=target)
        await frames_handled(scene, anna.id)
        assert scene.seen(anna, team) == ["The answer."]
        assert scene.dc.world.calls.counts[EDIT] == 2


@pytest.mark.usefixtures("_impatient")
async def test_a_frame_that_was_given_up_does_not_come_back_with_the_next_connection(
    scene: Scene, anna: Account, team: Group
) -> None:
    """Telethon keeps what got no answer and makes it again after a reconnect: an old preview over the answer."""
    async with scene.telegram():
        target = await preview(scene, team)
        scene.dc.faults.add(EDIT, SWALLOW)
        scene.pipeline.draft(team.id, "Thinking", turn=5, target=target)
        await until(lambda: scene.dc.world.calls.counts[EDIT] == 1)
        part = scene.pipeline.send(team.id, "The answer.", turn=5, target_message_id=target)
        assert await scene.delivered(part) == [target]
        scene.dc.kill_connections()
        await scene.delivered(scene.pipeline.send(anna.id, "still there"))
        assert scene.seen(anna, team) == ["The answer."]
        assert scene.dc.world.calls.counts[EDIT] == 2


async def test_frames_of_two_chats_do_not_wait_for_each_other(
    scene: Scene, anna: Account, bob: Account, team: Group
) -> None:
    """Covers F17."""
    async with scene.telegram():
        scene.dc.faults.add(TYPE, delay(5))
        scene.pipeline.draft(anna.id, "to Anna", turn=1)
        await until(lambda: scene.dc.world.calls.counts[TYPE] == 1)
        scene.pipeline.draft(bob.id, "to Bob", turn=2)
        await until(lambda: scene.dc.world.view(bob, scene.bot).drafts == {scene.bot.id: "to Bob"})
        assert scene.dc.world.view(anna, scene.bot).drafts == {}
        scene.dc.kill_connections()


async def test_frames_are_dropped_in_a_flood_and_the_answer_arrives(scene: Scene, anna: Account, team: Group) -> None:
    """Covers F47."""
    async with scene.telegram():
        target = await preview(scene, team)
        before = metric("telegram_dropped_frames_total")
        scene.dc.faults.add(EDIT, flood(4))
        for number in range(20):
            scene.pipeline.draft(team.id, f"frame {number}", turn=5, target=target)
            await frames_handled(scene, anna.id)
        assert scene.dc.world.calls.counts[EDIT] == 1
        assert metric("telegram_dropped_frames_total") - before == 19
        part = scene.pipeline.send(team.id, "The answer.", turn=5, target_message_id=target)
        assert await scene.delivered(part) == [target]
        assert scene.dc.world.calls.counts[EDIT] == 2
    assert scene.seen(anna, team) == ["The answer."]


async def test_a_frame_that_our_own_tables_fail_is_dropped(
    scene: Scene, anna: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene.telegram():
        before = metric("telegram_dropped_frames_total")
        broken = break_once(monkeypatch, "access_hash")
        scene.pipeline.typing(anna.id, turn=1)
        await until(lambda: not broken)
        assert await scene.delivered(scene.pipeline.send(anna.id, "hello")) == [1]
        assert metric("telegram_dropped_frames_total") == before + 1


async def test_many_streams_under_telegrams_limits_all_end_with_their_answers(scene: Scene, anna: Account) -> None:
    """Covers F47."""
    world = scene.dc.world
    teams = [world.add_group(f"Team {number}", anna, scene.bot) for number in range(5)]
    async with scene.telegram():
        targets = [await preview(scene, team, turn=number) for number, team in enumerate(teams, 1)]
        world.limits.per_edit = (2, 1.0)
        for frame in range(10):
            for number, team in enumerate(teams, 1):
                scene.pipeline.draft(team.id, f"frame {frame}", turn=number, target=targets[number - 1])
            await asyncio.sleep(0.02)
        parts = [
            scene.pipeline.send(team.id, f"answer {number}", turn=number, target_message_id=targets[number - 1])
            for number, team in enumerate(teams, 1)
        ]
        assert await scene.delivered(*parts) == targets
    assert [scene.seen(anna, team) for team in teams] == [[f"answer {number}"] for number in range(1, 6)]


# -- drafts and typing -------------------------------------------------------------------------------------------------
async def test_a_draft_grows_and_vanishes_with_the_answer(scene: Scene, anna: Account) -> None:
    async with scene.telegram():
        for text in ("", "He", "Hello 👋"):
            scene.pipeline.draft(anna.id, text, turn=3)
            await until(
                lambda text=text: scene.dc.world.view(anna, scene.bot).drafts == {scene.bot.id: text}  # type: ignore[misc]
            )
        await scene.delivered(scene.pipeline.send(anna.id, "Hello 👋, Anna", turn=3))
        assert scene.dc.world.view(anna, scene.bot).drafts == {}


async def test_typing_is_shown(scene: Scene, anna: Account, team: Group) -> None:
    async with scene.telegram():
        scene.pipeline.typing(anna.id, turn=3)
        scene.pipeline.typing(team.id, turn=4)
        for chat in (scene.bot, team):
            await until(lambda chat=chat: scene.dc.world.view(anna, chat).typing == [scene.bot.id])  # type: ignore[misc]


@pytest.mark.parametrize("text", ["x" * 4097, "😀" * 2049])
async def test_a_draft_that_telegram_refuses_harms_nobody(scene: Scene, anna: Account, text: str) -> None:
    async with scene.telegram():
        scene.pipeline.draft(anna.id, text, turn=3)
        await until(lambda: scene.dc.world.calls.counts[TYPE] == 1)
        assert await scene.delivered(scene.pipeline.send(anna.id, "The answer.", turn=3)) == [1]


@pytest.mark.parametrize("turn", ["0", "", "a-turn-of-another-age", "9" * 30])
async def test_a_draft_is_shown_whatever_its_turn_is_called(scene: Scene, anna: Account, turn: str) -> None:
    async with scene.telegram():
        scene.pipeline.draft(anna.id, "Hello", turn=turn)  # type: ignore[arg-type]
        await until(lambda: scene.dc.world.view(anna, scene.bot).drafts == {scene.bot.id: "Hello"})


# -- reactions ---------------------------------------------------------------------------------------------------------
async def test_a_reaction_is_shown_changed_and_taken_away(scene: Scene, anna: Account) -> None:
    async with scene.telegram():
        post = scene.say(anna, "hello")
        target = post.message_id(scene.bot.id)
        for emoji in ("👀", "👀", "👍", "", ""):  # the second of the same changes nothing, and is done
            part = scene.pipeline.send(anna.id, emoji, kind=REACTION, target_message_id=target)
            assert await scene.delivered(part) == [target]
            shown = scene.dc.world.posts.get(post.id).reactions.get(scene.bot.id) or []
            assert shown == [emoji] * bool(emoji)


@pytest.mark.parametrize(("emoji", "reason"), [("✅", "REACTION_INVALID"), ("👍", "MESSAGE_ID_INVALID")])
async def test_a_refused_reaction_is_recorded_and_holds_nothing_up(
    scene: Scene, anna: Account, emoji: str, reason: str
) -> None:
    async with scene.telegram():
        post = scene.say(anna, "hello")
        if reason == "MESSAGE_ID_INVALID":
            scene.dc.world.delete(anna, post)
        refused = scene.pipeline.send(anna.id, emoji, kind=REACTION, target_message_id=post.message_id(scene.bot.id))
        answer = scene.pipeline.send(anna.id, "The answer.")
        assert await scene.delivered(refused, answer) == [reason, 2]


async def test_a_reaction_in_a_flood_does_not_hold_up_the_answer(scene: Scene, anna: Account) -> None:
    async with scene.telegram():
        target = scene.say(anna, "hello").message_id(scene.bot.id)
        scene.dc.faults.add(REACT, flood(1))
        sign = scene.pipeline.send(anna.id, "👀", kind=REACTION, target_message_id=target)
        assert await scene.delivered(scene.pipeline.send(anna.id, "The answer.")) == [2]
        assert not scene.pipeline.outcome(sign)
        assert await scene.delivered(sign) == [target]
        await quiet(0)
