"""Messages that join a running turn: answered by it or by a turn of their own, and never by both or none."""

import asyncio

import pytest

from tests.integration.pipeline.house import ADA, GROUP, MEMBERS, OWNER, House, message, until
from tests.support.scripted_agent import Act, Script, echo, hang
from valor.pipeline.v1 import pipeline_pb2 as pb


async def switch(house: House, how: str = "on", number: int = 1, chat: int = ADA, **fields: int) -> str:
    await house.ask(f"/steer {how}", number=number, chat=chat, **fields)
    return house.channel.texts(chat)[-1]


def takes(count: int = 1) -> Script:
    """Answers when it was told so many things, and covers them."""

    async def script(act: Act) -> str:
        for _ in range(count):
            act.took.append((await act.steered()).steer_id)
        return " + ".join([act.question, *(steer.said.text for steer in act.steers)])

    return script


async def test_a_message_waits_by_default(house: House) -> None:
    house.agent.on("first", hang)
    await house.pipeline.submit(message("first", number=1))
    await until(house.agent.running)
    await house.pipeline.submit(message("second", number=2))
    await house.pipeline.delete(1)
    await house.pipeline.until(2, "done")
    assert house.agent.acts[0].steers == []
    assert house.channel.texts() == ["answer to second"]


async def test_with_steering_on_it_joins_the_running_turn_and_counts_as_answered_by_it(house: House) -> None:
    await switch(house)
    house.agent.on("first", takes())
    await house.pipeline.submit(message("first", number=2))
    await until(house.agent.running)
    accepted = await house.pipeline.submit(message("second", number=3))
    joined = await house.pipeline.until(3, "done")
    first = await house.pipeline.turn(2)
    assert house.channel.texts()[1:] == ["first + second"]
    assert joined.turn_id == accepted.turn_id != first.turn_id
    assert joined.answer_message_ids == first.answer_message_ids
    assert await house.pipeline.submit(message("second", number=3)) == accepted
    await house.ask("third", number=4)
    assert house.agent.acts[-1].history[-3:] == ["first", "second", "first + second"]


async def test_a_message_that_comes_too_late_is_answered_by_a_turn_of_its_own(house: House) -> None:
    await switch(house)
    told = asyncio.Event()

    async def write(act: Act) -> str:
        await act.steered()
        told.set()
        return "the model was done by then"

    house.agent.on("first", write)
    await house.pipeline.submit(message("first", number=2))
    await until(house.agent.running)
    await house.pipeline.submit(message("second", number=3))
    await told.wait()
    await house.pipeline.until(3, "done")
    assert house.channel.texts()[1:] == ["the model was done by then", "answer to second"]


@pytest.mark.parametrize("how", ["on", "off"])
async def test_photos_that_come_while_a_turn_runs_are_kept_and_none_is_passed_over(house: House, how: str) -> None:
    """F33. The caption reaches the model, in the running turn or in its own; a photo alone gets a word."""
    await switch(house, how)
    go = asyncio.Event()

    async def first(act: Act) -> str:
        await go.wait()
        return str(await (takes() if how == "on" else echo)(act))

    house.agent.on("first", first)
    await house.pipeline.submit(message("first", number=2))
    await until(house.agent.running)
    await house.pipeline.submit(message("what is on it?", number=3, kind="photo"))
    await house.pipeline.submit(message("", number=4, kind="photo"))
    go.set()
    await house.pipeline.until(4, "done")
    told = ["first + what is on it?"] if how == "on" else ["answer to first", "answer to what is on it?"]
    assert house.channel.texts()[1:] == [*told, "I cannot read photos yet. Please write to me in words."]
    kept = house.rows("SELECT message_type, message FROM chat_history WHERE message_id IN (3, 4) ORDER BY message_id")
    assert kept == [("photo", "what is on it?"), ("photo", "")]


async def test_many_messages_join_in_order(house: House) -> None:
    """F31."""
    await switch(house)
    house.agent.on("go", takes(100))
    await house.pipeline.submit(message("go", number=2))
    await until(house.agent.running)
    for number in range(3, 103):
        await house.pipeline.submit(message(f"{number}", number=number))
    await house.pipeline.until(102, "done")
    assert [steer.said.text for steer in house.agent.acts[0].steers] == [str(n) for n in range(3, 103)]
    assert len(house.agent.acts) == 1


async def test_what_was_said_before_a_step_ends_is_told_before_its_tools_start(house: House) -> None:
    await switch(house)
    go = asyncio.Event()

    async def work(act: Act) -> str:
        await go.wait()
        await act.step(1)
        act.took = [steer.steer_id for steer in act.steers]
        return f"{len(act.took)} joined"

    house.agent.on("first", work)
    await house.pipeline.submit(message("first", number=2))
    await until(house.agent.running)
    await house.pipeline.submit(message("second", number=3))
    go.set()
    await house.pipeline.until(3, "done")
    assert house.channel.texts()[1:] == ["1 joined"]


@pytest.mark.parametrize("kept", [True, False])
async def test_after_a_crash_it_is_answered_once(house: House, *, kept: bool) -> None:
    """Kept by a step's checkpoint, it is the turn's for good; told and not kept, it is told again."""
    await switch(house)

    async def work(act: Act) -> None:
        steer = await act.steered()
        await act.step(1, b"thought", steer_ids=[steer.steer_id] if kept else [])
        await hang(act)

    async def go_on(act: Act) -> str:
        assert list(act.start.checkpoints) == [b"thought"]
        if not kept:
            act.took = [(await act.steered()).steer_id]
        return "both"

    house.agent.on("first", work, go_on)
    await house.pipeline.submit(message("first", number=2))
    await until(house.agent.running)
    await house.pipeline.submit(message("second", number=3))
    await until(lambda: house.agent.acts[0].acknowledged)
    await house.crash()
    await house.pipeline.until(3, "done")
    await house.pipeline.until(2, "done")
    assert house.channel.texts()[1:] == ["both"]
    assert len(house.agent.of("first")) == 2
    assert house.agent.of("second") == []


@pytest.mark.parametrize("end", ["deleted", "edited", "failed"])
async def test_when_the_turn_it_joined_ends_without_an_answer_it_is_answered_by_its_own(house: House, end: str) -> None:
    await switch(house)
    go = asyncio.Event()

    async def work(act: Act) -> str:
        await act.step(1, steer_ids=[(await act.steered()).steer_id])
        await go.wait()
        return "" if end == "failed" else "never said"

    house.agent.on("first", work)
    house.agent.on("other", hang)
    request = message("first", number=2)
    await house.pipeline.submit(request)
    await until(house.agent.running)
    await house.pipeline.submit(message("second", number=3))
    await until(lambda: house.agent.acts[0].acknowledged)
    if end == "deleted":
        await house.pipeline.delete(2)
    elif end == "edited":
        await house.pipeline.edit(request, "other")
        await until(lambda: [act.question for act in house.agent.running()] == ["other"])
        await house.pipeline.delete(2)
    go.set()
    await house.pipeline.until(3, "done")
    assert house.channel.texts()[-1] == "answer to second"


async def test_stop_cancels_what_joined_as_well(house: House) -> None:
    await switch(house)

    async def work(act: Act) -> None:
        await act.step(1, steer_ids=[(await act.steered()).steer_id])
        await hang(act)

    house.agent.on("first", work)
    await house.pipeline.submit(message("first", number=2))
    await until(house.agent.running)
    await house.pipeline.submit(message("second", number=3))
    await until(lambda: house.agent.acts[0].acknowledged)
    await house.ask("/stop", number=4)
    for number in (2, 3):
        assert (await house.pipeline.turn(number)).state == pb.TURN_STATE_CANCELLED


async def test_an_edit_of_what_joined_is_told_again(house: House) -> None:
    await switch(house)
    house.agent.on("first", takes(2))
    second = message("secnd", number=3)
    await house.pipeline.submit(message("first", number=2))
    await until(house.agent.running)
    await house.pipeline.submit(second)
    await until(lambda: house.agent.acts[0].steers)
    await house.pipeline.edit(second, "second")
    await house.pipeline.until(3, "done")
    assert house.channel.texts()[1:] == ["first + secnd + second"]
    assert len(house.agent.acts) == 1


async def test_an_answer_to_an_earlier_wording_of_what_joined_is_thrown_away(house: House) -> None:
    """F38. Otherwise both wordings would be answered: the first with the turn, the last by itself."""
    await switch(house)
    go = asyncio.Event()

    async def slow(act: Act) -> str:
        act.took = [(await act.steered()).steer_id]
        await go.wait()
        return "first + secnd"

    house.agent.on("first", slow, takes())
    second = message("secnd", number=3)
    await house.pipeline.submit(message("first", number=2))
    await until(house.agent.running)
    await house.pipeline.submit(second)
    await until(lambda: house.agent.acts[0].took)
    await house.pipeline.edit(second, "second")
    go.set()
    await house.pipeline.until(3, "done")
    assert house.channel.texts()[1:] == ["first + second"]


async def remember(act: Act) -> None:
    """Keeps what joined in a checkpoint, as something that acts."""
    steer = await act.steered()
    await act.step(1, b"thought", steer_ids=[steer.steer_id], side_effects=True)
    await hang(act)


async def too_soon(act: Act) -> str:
    """Its model was asked before it heard of anything new."""
    return "first + secnd"


async def edit_after_a_step_and_crash(house: House, text: str) -> None:
    second = message("secnd", number=3)
    await house.pipeline.submit(message("first", number=2))
    await until(house.agent.running)
    await house.pipeline.submit(second)
    await until(lambda: house.agent.acts[0].acknowledged)
    await house.pipeline.edit(second, text)
    await house.crash()


async def test_an_edit_of_what_joined_an_earlier_run_is_answered_once(house: House) -> None:
    """F38, F64. Whoever goes on from a checkpoint knows what that was told."""
    await switch(house)
    house.agent.on("first", remember, too_soon, takes())
    await edit_after_a_step_and_crash(house, "second")
    await house.pipeline.until(3, "done")
    await house.pipeline.until(2, "done")
    assert house.channel.texts()[1:] == ["first + second"]


async def test_what_joined_an_earlier_run_and_cannot_any_more_is_answered_by_itself(house: House) -> None:
    await switch(house)
    house.agent.on("first", remember, too_soon)
    await edit_after_a_step_and_crash(house, "/help")
    await house.pipeline.until(3, "done")
    assert house.channel.texts()[1] == "first + secnd"
    assert "/steer" in house.channel.texts()[2]
    assert len(house.agent.of("first")) == 2


async def test_what_cannot_join_and_all_behind_it_wait(house: House) -> None:
    """A command, and in a group what others say: a turn acts with the rights of who asked."""
    assert "joins" in await switch(house, chat=GROUP, user=OWNER)
    house.agent.on("first", takes())
    await house.pipeline.submit(message("@valor_bot first", chat=GROUP, user=ADA, number=2))
    await until(house.agent.running)
    for number, (text, user) in enumerate([("second", ADA), ("third", MEMBERS[0]), ("fourth", ADA)], start=3):
        await house.pipeline.submit(message(f"@valor_bot {text}", chat=GROUP, user=user, number=number))
    await house.pipeline.until(5, "done", GROUP)
    assert house.channel.texts(GROUP)[1:] == ["first + second", "answer to third", "answer to fourth"]


@pytest.mark.parametrize("again", ["sent", "thought"])
async def test_an_answer_that_cannot_be_delivered_is_one_letter_whose_replay_answers_all_that_joined(
    house: House, again: str
) -> None:
    await switch(house)
    house.agent.on("first", takes())
    house.channel.refuse = lambda part: "USER_IS_BLOCKED" if "first + " in part.text else ""
    await house.pipeline.submit(message("first", number=2))
    await until(house.agent.running)
    joined = await house.pipeline.submit(message("second", number=3))
    assert (await house.pipeline.until(3, "failed")).reason == "UNDELIVERABLE"
    (letter,) = (await house.pipeline.dead()).dead_letters
    assert letter.message_id == 2
    house.channel.refuse = lambda _: ""
    if again == "sent":
        await house.pipeline.call("ReplayDeadLetter", pb.ReplayDeadLetterRequest(letter_id=letter.letter_id))
    else:
        await house.pipeline.replay(joined.turn_id)
    for number in (2, 3):
        assert (await house.pipeline.until(number, "done")).reason == ""
    assert house.channel.texts().count("first + second") == 1
    assert len(house.agent.acts) == (1 if again == "sent" else 2)


async def test_a_dead_turn_that_others_had_joined_is_replayed_for_itself(house: House) -> None:
    """They were answered by turns of their own when it died, and are not answered again."""
    await switch(house)

    async def die(act: Act) -> str:
        await act.step(1, steer_ids=[(await act.steered()).steer_id])
        return ""

    house.agent.on("first", die, echo)
    await house.pipeline.submit(message("first", number=2))
    await until(house.agent.running)
    await house.pipeline.submit(message("second", number=3))
    await house.pipeline.until(3, "done")
    (letter,) = (await house.pipeline.dead()).dead_letters
    for _ in range(2):
        await house.pipeline.call("ReplayDeadLetter", pb.ReplayDeadLetterRequest(letter_id=letter.letter_id))
    await house.pipeline.until(2, "done")
    assert house.channel.texts()[2:] == ["answer to second", "answer to first"]
    assert len(house.agent.of("second")) == 1


async def test_who_may_switch_it_and_how(house: House) -> None:
    house.agent.on("first", hang)
    assert await switch(house, "maybe") == "Say /steer on or /steer off."
    assert "joins" in await switch(house, "on", 2)
    assert "waits" in await switch(house, "off", 3)
    await house.pipeline.submit(message("first", number=4))
    await until(house.agent.running)
    await house.pipeline.submit(message("second", number=5))
    await house.pipeline.delete(4)
    await house.pipeline.until(5, "done")
    assert await switch(house, chat=GROUP, user=9, number=6) == "Only members may change that."
    assert house.rows("SELECT chat, steering FROM chats") == [(f"telegram:42:{ADA}", 0)]
