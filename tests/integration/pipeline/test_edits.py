"""Messages that change or vanish, before, while and after they are answered."""

import asyncio

import pytest

from services.pipeline.adapters import people
from tests.integration.pipeline.house import (
    ADA,
    BASIC_GROUP,
    GROUP,
    MEMBERS,
    OTHER_GROUP,
    OWNER,
    STRANGER,
    House,
    message,
    until,
)
from tests.support.scripted_agent import Act, echo, hang
from valor.pipeline.v1 import pipeline_pb2 as pb


async def test_an_edit_that_nobody_sees_changes_nothing(house: House) -> None:
    """F11."""
    request = message("hello")
    house.agent.on("hello", hang)
    await house.pipeline.submit(request)
    await until(house.agent.running)
    for version in range(2, 12):
        assert await house.pipeline.edit(request, "hello", version) == pb.DISPOSITION_QUEUED
    assert len(house.agent.running()) == len(house.agent.acts) == 1


async def test_an_edit_while_the_turn_waits_changes_the_question(house: House) -> None:
    """F38."""
    house.agent.on("first", hang)
    second = message("secnd", number=2)
    await house.pipeline.submit(message("first"))
    await house.pipeline.submit(second)
    assert await house.pipeline.edit(second, "second") == pb.DISPOSITION_EDITED
    await house.pipeline.delete(1)
    await house.pipeline.until(2, "done")
    assert house.channel.texts() == ["answer to second"]


async def test_an_edit_while_the_turn_runs_begins_it_anew(house: House) -> None:
    """F38."""

    async def think(act: Act) -> None:
        await act.step(1, b"thought about helo")
        await hang(act)

    house.agent.on("helo", think)
    request = message("helo")
    await house.pipeline.submit(request)
    await until(lambda: house.agent.acts and house.agent.acts[0].acknowledged == [1])
    assert await house.pipeline.edit(request, "hello") == pb.DISPOSITION_EDITED
    await house.pipeline.until(1, "done")
    assert house.channel.texts() == ["answer to hello"]
    assert [act.ending for act in house.agent.acts] == ["cancelled", "answered"]
    assert list(house.agent.acts[1].start.checkpoints) == []
    assert [act.scope.turn_id for act in house.agent.acts] == ["1", "1.1"]  # other calls than those of the old text


async def test_an_edit_after_the_answer_is_remembered_and_not_answered_again(house: House) -> None:
    """F11, F38."""
    request = message("hello")
    await house.pipeline.submit(request)
    first = await house.pipeline.until(1, "done")
    assert await house.pipeline.edit(request, "good evening") == pb.DISPOSITION_EDITED
    await house.ask("next", number=2)
    assert await house.pipeline.turn(1) == first
    assert house.agent.acts[1].history == ["good evening", "answer to hello"]
    assert len(house.agent.acts) == 2


async def test_an_edit_of_a_message_nobody_submitted_is_ignored(house: House) -> None:
    assert await house.pipeline.edit(message("hello"), "what?") == pb.DISPOSITION_IGNORED
    assert house.rows("SELECT 1 FROM chat_history") == []


async def test_an_older_version_does_not_undo_an_edit(house: House) -> None:
    """F11."""
    house.agent.on("new", hang)
    request = message("old", version=3)
    await house.pipeline.submit(request)
    await house.pipeline.edit(request, "new", 5)
    assert await house.pipeline.edit(request, "older", 4) == pb.DISPOSITION_QUEUED
    assert await house.pipeline.edit(request, "other", 5) == pb.DISPOSITION_QUEUED
    assert house.rows("SELECT message FROM chat_history") == ["new"]


async def test_many_edits_in_a_row_end_in_one_answer_to_the_last(house: House) -> None:
    house.agent.script = hang
    house.agent.on("text 12", echo)
    request = message("text 0")
    await house.pipeline.submit(request)
    for version in range(1, 13):
        await until(house.agent.running)
        await house.pipeline.edit(request, f"text {version}", version + 1)
    await house.pipeline.until(1, "done")
    assert house.channel.texts() == ["answer to text 12"]


async def test_edits_that_race_with_the_start_of_their_turns_are_answered_as_edited(house: House) -> None:
    """F38."""

    written = asyncio.Event()

    async def write(chat: int) -> None:
        request = message("old", chat=chat)
        await asyncio.gather(house.pipeline.submit(request), house.pipeline.edit(request, "new", 2))
        await house.pipeline.edit(request, "newer", 3)

    async def talk(act: Act) -> str:
        while not written.is_set():
            await act.say("x")
            await asyncio.sleep(0)
        return act.question

    house.agent.script = talk
    await asyncio.gather(*(write(chat) for chat in MEMBERS))
    written.set()
    for chat in MEMBERS:
        await house.pipeline.until(1, "done", chat)
        assert house.channel.texts(chat) == ["newer"]
    await until(lambda: not house.agent.running())


@pytest.mark.parametrize(("chat", "user"), [(GROUP, ADA), (OTHER_GROUP, OWNER)])
async def test_an_edit_that_takes_the_mention_away_still_changes_the_question(
    house: House, chat: int, user: int
) -> None:
    """F38."""
    house.agent.on("who?", hang)
    request = message("@valor_bot who?", chat=chat, user=user)
    await house.pipeline.submit(request)
    await until(house.agent.running)
    assert await house.pipeline.edit(request, "where?") == pb.DISPOSITION_EDITED
    await house.pipeline.until(1, "done", chat)
    assert house.channel.texts(chat) == ["answer to where?"]


async def test_a_deleted_message_is_neither_answered_nor_told_of(house: House) -> None:
    house.agent.on("first", hang)
    await house.pipeline.submit(message("first", number=1))
    await house.pipeline.submit(message("second", number=2))
    await until(house.agent.running)
    assert await house.pipeline.delete(1, 2, 77) == 2
    await until(lambda: not house.agent.running())
    for number in (1, 2):
        assert (await house.pipeline.turn(number)).state == pb.TURN_STATE_CANCELLED
    await house.ask("third", number=3)
    assert house.agent.acts[-1].history == []
    assert house.channel.texts() == ["answer to third"]


async def test_a_message_deleted_after_its_answer_takes_nothing_back(house: House) -> None:
    await house.ask("hello")
    assert await house.pipeline.delete(1) == 1
    assert await house.pipeline.delete(1) == 1
    assert (await house.pipeline.turn(1)).state == pb.TURN_STATE_DONE


async def test_a_deletion_by_the_account_spares_supergroups_and_one_by_chat_spares_all_others(house: House) -> None:
    house.agent.script = hang
    chats = (ADA, BASIC_GROUP, GROUP)
    for chat in chats:
        await house.pipeline.submit(message("@valor_bot hello", chat=chat, number=5))
    assert await house.pipeline.delete(5) == 2
    states = [(await house.pipeline.turn(5, chat)).state for chat in chats]
    assert states[:2] == [pb.TURN_STATE_CANCELLED] * 2
    assert states[2] in {pb.TURN_STATE_WAITING, pb.TURN_STATE_RUNNING}
    assert await house.pipeline.delete(5, chat=GROUP) == 1
    assert (await house.pipeline.turn(5, GROUP)).state == pb.TURN_STATE_CANCELLED


async def test_an_edit_after_a_tool_has_acted_is_told_to_the_running_turn(house: House) -> None:
    """What was done is not done again: the turn goes on and hears of the new wording."""

    async def act_and_hear(act: Act) -> str:
        await act.step(1, b"sent a mail", side_effects=True)
        steer = await act.steered()
        act.took = [steer.steer_id]
        assert steer.rewords
        return f"done, and {steer.said.text}"

    house.agent.on("helo", act_and_hear)
    request = message("helo")
    await house.pipeline.submit(request)
    await until(lambda: house.agent.acts and house.agent.acts[0].acknowledged)
    assert await house.pipeline.edit(request, "hello") == pb.DISPOSITION_EDITED
    await house.pipeline.until(1, "done")
    assert house.channel.texts() == ["done, and hello"]
    assert len(house.agent.acts) == 1


async def test_an_edit_that_came_too_late_after_a_tool_has_acted_is_answered_from_checkpoints(
    house: House,
) -> None:
    go = asyncio.Event()

    async def act_and_write(act: Act) -> str:
        await act.step(1, b"sent a mail", side_effects=True)
        await go.wait()
        return "about the old wording"

    async def go_on(act: Act) -> str:
        assert list(act.start.checkpoints) == [b"sent a mail"]
        return f"about {act.question}"

    house.agent.on("helo", act_and_write)
    house.agent.on("hello", go_on)
    request = message("helo")
    await house.pipeline.submit(request)
    await until(lambda: house.agent.acts and house.agent.acts[0].acknowledged)
    await house.pipeline.edit(request, "hello")
    go.set()
    await house.pipeline.until(1, "done")
    assert house.channel.texts() == ["about hello"]


@pytest.mark.parametrize(
    ("chat", "old", "new", "answers"),
    [
        (ADA, "hello", "good evening", ["answer to hello"]),
        (ADA, "hello", "/steer", ["answer to hello", "Say /steer on or /steer off."]),
        (ADA, "/steer", "/steer on", ["Say /steer on or /steer off."]),
        (GROUP, "@valor_bot hello", "@valor_bot good evening", ["answer to hello"]),
        (GROUP, "/steer", "/steer or @valor_bot", ["Say /steer on or /steer off."]),
        (GROUP, "hello", "hello all", []),
        (GROUP, "hello", "hello @valor_bot", ["answer to hello"]),
    ],
)
async def test_an_edit_after_the_answer_is_answered_only_if_it_asks_anew(
    house: House, chat: int, old: str, new: str, answers: list[str]
) -> None:
    """F38. It is a command now, or calls Valor's name, and was not, or did not, before."""
    request = message(old, chat=chat)
    await house.pipeline.submit(request)
    if old != "hello" or chat == ADA:
        await house.pipeline.until(1, "done", chat)
    for _ in range(2):
        await house.pipeline.edit(request, new)
    await house.ask("@valor_bot last", chat=chat, number=2)
    await until(lambda: house.channel.texts(chat)[-1].startswith("answer to"))
    assert house.channel.texts(chat)[:-1] == answers


async def test_an_edit_that_asks_anew_while_people_is_away_is_answered_when_people_is_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "REMEMBER", 0.0)
    request = message("hello")
    await house.pipeline.submit(request)
    await house.pipeline.until(1, "done")
    await house.people.stop()
    for _ in range(2):
        await house.pipeline.edit(request, "/steer")
    await house.people.start()
    await until(lambda: house.channel.texts() == ["answer to hello", "Say /steer on or /steer off."])


async def test_a_stranger_gets_no_answer_by_an_edit(house: House) -> None:
    request = message("hello", chat=STRANGER)
    await house.pipeline.submit(request)
    await house.pipeline.until(1, "done", STRANGER)
    await house.pipeline.edit(request, "/status")
    assert (await house.pipeline.queue()).waiting == 0
    assert len(house.channel.texts(STRANGER)) == 1


async def test_a_follow_up_can_be_changed_and_deleted_like_any_question(house: House) -> None:
    request = message("@valor_bot hello", chat=GROUP)
    await house.pipeline.submit(message("hello", chat=GROUP))
    house.agent.on("hello", hang)
    assert await house.pipeline.edit(request, "@valor_bot hello", 2) == pb.DISPOSITION_EDITED
    await until(house.agent.running)
    assert await house.pipeline.edit(request, "@valor_bot good evening", 3) == pb.DISPOSITION_EDITED
    await until(lambda: house.channel.texts(GROUP) == ["answer to good evening"])
    await house.ask("/steer@valor_bot", chat=GROUP, number=2)
    house.agent.on("now?", hang)
    await house.pipeline.edit(message("/steer@valor_bot", chat=GROUP, number=2), "@valor_bot now?", 2)
    assert not house.agent.of("now?")  # it called us before
