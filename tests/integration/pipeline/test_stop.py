"""/stop: what runs ends, what waits is forgotten, and nothing else is touched. F73."""

import asyncio
import time

import pytest

from services.pipeline import stage
from tests.integration.pipeline.house import ADA, GROUP, MEMBERS, STRANGER, House, message, until
from tests.support.scripted_agent import Act, hang
from valor.pipeline.v1 import pipeline_pb2 as pb


async def test_stop_ends_what_runs_within_a_second(house: House) -> None:
    async def talk(act: Act) -> None:
        while True:
            await act.say("and so on ")
            await asyncio.sleep(0.01)

    house.agent.script = talk
    await house.pipeline.submit(message("hello"))
    await until(house.agent.running)
    asked = time.monotonic()
    response = await house.pipeline.submit(message("/stop", number=2))
    assert response.disposition == pb.DISPOSITION_ACTED
    await until(lambda: not house.agent.running())
    assert house.agent.acts[0].ending == "cancelled"
    assert house.agent.acts[0].end - asked < 1.0
    assert (await house.pipeline.turn(1)).state == pb.TURN_STATE_CANCELLED
    await house.pipeline.until(2, "done")
    assert house.channel.texts() == ["Stopped."]


async def test_stop_forgets_what_waits(house: House) -> None:
    house.agent.script = hang
    for number in (1, 2, 3):
        await house.pipeline.submit(message(f"{number}", number=number))
    await until(house.agent.running)
    await house.ask("/stop", number=4)
    for number in (1, 2, 3):
        assert (await house.pipeline.turn(number)).state == pb.TURN_STATE_CANCELLED
    assert house.channel.texts() == ["Stopped."]
    assert len(house.agent.acts) == 1


async def test_stop_where_nothing_is_to_stop_says_so_and_a_repeat_changes_nothing(house: House) -> None:
    first = await house.pipeline.submit(message("/stop"))
    house.agent.script = hang
    await house.pipeline.submit(message("hello", number=2))
    await until(house.agent.running)
    assert await house.pipeline.submit(message("/stop")) == first
    await house.pipeline.until(1, "done")
    assert house.channel.texts() == ["There was nothing to stop."]
    assert house.agent.running()


async def test_stop_reaches_neither_other_chats_nor_other_topics(house: House) -> None:
    house.agent.script = hang
    await house.pipeline.submit(message("hello", chat=ADA))
    await house.pipeline.submit(message("@valor_bot one", chat=GROUP, topic=1, number=1))
    await house.pipeline.submit(message("@valor_bot two", chat=GROUP, topic=2, number=2))
    await until(lambda: len(house.agent.running()) == 3)
    await house.ask("/stop@valor_bot", chat=GROUP, topic=2, number=3)
    await until(lambda: len(house.agent.running()) == 2)
    assert {act.question for act in house.agent.running()} == {"hello", "one"}
    assert house.channel.texts(GROUP, 2) == ["Stopped."]


async def test_stop_for_another_bot_or_in_another_sentence_stops_nothing(house: House) -> None:
    house.agent.script = hang
    await house.pipeline.submit(message("@valor_bot hello", chat=GROUP))
    await until(house.agent.running)
    for number, text in enumerate(["/stop@other_bot", "please /stop", "stop"], start=2):
        await house.pipeline.submit(message(text, chat=GROUP, number=number))
    assert (await house.pipeline.turn(1, GROUP)).state == pb.TURN_STATE_RUNNING


async def test_a_stranger_cannot_stop_anything(house: House) -> None:
    response = await house.pipeline.submit(message("/stop", chat=STRANGER))
    assert response.disposition == pb.DISPOSITION_PAIRING
    await house.pipeline.until(1, "done", STRANGER)


async def test_an_answer_that_is_written_is_delivered_even_if_stop_comes_before_its_receipt(house: House) -> None:
    """F41."""
    house.channel.go.clear()
    await house.pipeline.submit(message("hello"))
    await until(house.channel.texts)
    await house.pipeline.submit(message("/stop", number=2))
    house.channel.go.set()
    await house.pipeline.until(2, "done")
    assert house.channel.texts() == ["answer to hello", "There was nothing to stop."]


async def test_stops_that_race_with_the_start_of_their_turns_leave_nobody_running(house: House) -> None:
    house.agent.script = hang

    async def write(chat: int) -> None:
        for number in range(1, 11, 2):
            await asyncio.gather(
                house.pipeline.submit(message("hello", chat=chat, number=number)),
                house.pipeline.submit(message("/stop", chat=chat, number=number + 1)),
            )
        await house.ask("/stop", chat=chat, number=11)

    await asyncio.gather(*(write(chat) for chat in MEMBERS[:20]))
    await until(lambda: not house.agent.running(), limit=2.0)
    assert house.rows("SELECT COUNT(*) FROM turns WHERE state IN ('waiting', 'running')") == [0]


async def test_the_next_question_after_a_stop_is_answered(house: House) -> None:
    house.agent.on("hello", hang)
    await house.pipeline.submit(message("hello"))
    await until(house.agent.running)
    await house.pipeline.submit(message("/stop", number=2))
    await house.ask("next", number=3)
    assert house.channel.texts() == ["Stopped.", "answer to next"]


async def test_the_stop_button_of_an_answer_ends_it_within_a_second_and_says_so(house: House) -> None:
    house.agent.script = hang
    turn_id = (await house.pipeline.submit(message("hello"))).turn_id
    await house.pipeline.submit(message("second", number=2))
    await until(house.agent.running)
    asked = time.monotonic()
    assert await house.pipeline.stop(turn_id)
    await until(lambda: house.agent.acts[0].end)
    assert house.agent.acts[0].end - asked < 1.0
    assert not await house.pipeline.stop(turn_id)
    await until(lambda: house.channel.texts() == ["Stopped."])
    await until(lambda: [act.question for act in house.agent.running()] == ["second"])


async def test_the_stop_button_in_a_group_turns_the_preview_into_the_word(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "MESSAGE_AFTER", 0.0)

    async def talk(act: Act) -> None:
        await act.say("and so on")
        await hang(act)

    house.agent.script = talk
    turn_id = (await house.pipeline.submit(message("@valor_bot hello", chat=GROUP))).turn_id
    await until(lambda: house.channel.texts(GROUP) == ["and so on"])
    assert await house.pipeline.stop(turn_id, GROUP)
    await until(lambda: house.channel.texts(GROUP) == ["Stopped."])


async def test_the_stop_button_reaches_no_turn_of_another_chat_or_topic(house: House) -> None:
    house.agent.script = hang
    turn_id = (await house.pipeline.submit(message("hello"))).turn_id
    await until(house.agent.running)
    assert not await house.pipeline.stop(turn_id, MEMBERS[0])
    assert not await house.pipeline.stop(turn_id, ADA, topic=5)
    assert not await house.pipeline.stop("99")
    assert house.agent.running()
