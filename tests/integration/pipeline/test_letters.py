"""Dead letters of every kind: seen, replayed once, dropped for good."""

import asyncio
from pathlib import Path

import pytest

from services.chassis.errors import InvalidArgument, NotFound, WrongState
from services.pipeline import failures
from tests.integration.pipeline.house import ACCOUNT, ADA, GROUP, House, message, until
from tests.support.scripted_agent import echo, fails
from valor.pipeline.v1 import pipeline_pb2 as pb

REFUSED = WrongState("too many", reason="STEP_LIMIT")
APOLOGY = failures.WORDS["UNDELIVERABLE"]
LONG = "\n\n".join(f"paragraph {number} " + "x" * 3000 for number in range(3))


async def letters(it: House) -> list[pb.DeadLetter]:
    return list((await it.pipeline.dead()).dead_letters)


async def replay(it: House, letter_id: str) -> str:
    response = await it.pipeline.call("ReplayDeadLetter", pb.ReplayDeadLetterRequest(letter_id=letter_id))
    turn_id: str = response.turn_id
    return turn_id


async def drop(it: House, letter_id: str) -> None:
    await it.pipeline.call("DropDeadLetter", pb.DropDeadLetterRequest(letter_id=letter_id))


async def content(it: House, letter_id: str) -> str:
    found = await it.pipeline.call("GetDeadLetter", pb.GetDeadLetterRequest(letter_id=letter_id))
    assert found.dead_letter.letter_id == letter_id
    text: str = found.content
    return text


async def give_up(it: House, number: int = 1) -> pb.DeadLetter:
    """A question that could not be answered."""
    it.agent.script = fails(REFUSED)
    await it.pipeline.submit(message(f"question {number}", number=number))
    await it.pipeline.until(number, "failed")
    it.agent.script = echo
    return (await letters(it))[0]


def forbid(part: pb.Part) -> str:
    return "CHAT_WRITE_FORBIDDEN" if part.text.startswith(("answer to", "paragraph 1")) else ""


async def refuse(it: House, *, chat: int = ADA, text: str = "hello") -> pb.DeadLetter:
    """An answer that Telegram refuses for good."""
    it.channel.refuse = forbid
    await it.pipeline.submit(message(text, chat=chat))
    await it.pipeline.until(1, "failed", chat)
    await until(lambda: APOLOGY in it.channel.texts(chat))
    it.channel.refuse = lambda _: ""
    return (await letters(it))[0]


# -- questions ---------------------------------------------------------------------------------------------------------
async def test_a_question_is_answered_once_however_often_and_by_how_many_it_is_replayed(house: House) -> None:
    letter = await give_up(house)
    assert (letter.kind, await content(house, letter.letter_id)) == (pb.DEAD_LETTER_KIND_TURN, "question 1")
    turns = await asyncio.gather(*(replay(house, letter.letter_id) for _ in range(5)))
    assert set(turns) == {letter.turn_id}
    await house.pipeline.until(1, "done")
    assert await replay(house, letter.letter_id) == letter.turn_id
    assert house.channel.texts() == [failures.WORDS["STEP_LIMIT"], "answer to question 1"]
    assert len(house.agent.acts) == 2
    assert await letters(house) == []


async def test_a_replay_that_is_killed_in_the_middle_gives_one_answer(tmp_path: Path) -> None:
    it = House(tmp_path)
    async with it.open():
        letter = await give_up(it)
        await replay(it, letter.letter_id)
        await it.service.stop()
        await it.service.start()
        await replay(it, letter.letter_id)
        await it.pipeline.until(1, "done")
        assert it.channel.texts()[1:] == ["answer to question 1"]


async def test_what_fails_again_is_another_letter_and_the_first_one_stays_ended(house: House) -> None:
    first = await give_up(house)
    house.agent.script = fails(REFUSED)
    await replay(house, first.letter_id)
    await until(lambda: len(house.agent.acts) == 2)
    await house.pipeline.until(1, "failed")
    (second,) = await letters(house)
    assert int(second.letter_id) > int(first.letter_id)
    await replay(house, first.letter_id)
    assert [letter.letter_id for letter in await letters(house)] == [second.letter_id]


# -- parts -------------------------------------------------------------------------------------------------------------
async def test_what_was_refused_of_an_answer_is_sent_again_and_nobody_thinks_twice(house: House) -> None:
    house.agent.on("long", _say(LONG))
    letter = await refuse(house, text="long")
    assert (letter.kind, letter.cause) == (pb.DEAD_LETTER_KIND_PARTS, "CHAT_WRITE_FORBIDDEN")
    assert (await content(house, letter.letter_id)).startswith("paragraph 1")
    before = {part.random_id for part in house.channel.parts()}
    await asyncio.gather(*(replay(house, letter.letter_id) for _ in range(3)))
    turn = await house.pipeline.until(1, "done")
    beginnings = [text[:11] for text in house.channel.texts()]
    assert beginnings == ["paragraph 0", "paragraph 2", APOLOGY[:11], "paragraph 1"]
    assert house.channel.parts()[-1].random_id not in before
    assert len(house.agent.acts) == 1
    assert len(turn.answer_message_ids) == 3
    assert turn.reason == ""


def _say(text: str):  # type: ignore[no-untyped-def]
    async def script(_act: object) -> str:
        return text

    return script


async def test_parts_that_are_refused_again_are_a_letter_again(house: House) -> None:
    letter = await refuse(house)
    house.channel.refuse = forbid
    await replay(house, letter.letter_id)
    await until(lambda: house.channel.texts() == [APOLOGY, APOLOGY])
    (again,) = await letters(house)
    assert again.kind == pb.DEAD_LETTER_KIND_PARTS
    assert await content(house, again.letter_id) == "answer to hello"


async def test_in_a_group_the_word_about_it_and_the_replay_answer_the_question(house: House) -> None:
    letter = await refuse(house, chat=GROUP, text="@valor_bot hello")
    await replay(house, letter.letter_id)
    await house.pipeline.until(1, "done", GROUP)
    assert [(post.texts, post.reply_to) for post in house.channel.posts] == [([APOLOGY], 1), (["answer to hello"], 1)]


async def test_the_next_answer_does_not_wait_for_parts_that_are_dead(house: House) -> None:
    await refuse(house)
    await house.ask("next", number=2)
    assert house.channel.texts() == [APOLOGY, "answer to next"]


# -- updates -----------------------------------------------------------------------------------------------------------
def poison(text: str, *, number: int = 0) -> pb.ReportPoisonRequest:
    """An update that was refused; with a number, one that could be read."""
    report = pb.ReportPoisonRequest(account=ACCOUNT, content=f"raw {text}", cause="it broke")
    if number:
        report.submission.CopyFrom(message(text, number=number))
    return report


async def test_an_update_is_one_letter_however_often_it_is_reported(house: House) -> None:
    await asyncio.gather(*(house.pipeline.call("ReportPoison", poison("hello", number=1)) for _ in range(3)))
    (letter,) = await letters(house)
    assert (letter.kind, letter.reason, letter.cause) == (pb.DEAD_LETTER_KIND_UPDATE, "UPDATE_REFUSED", "it broke")
    assert (letter.turn_id, letter.account.account_id) == ("", 42)
    assert await content(house, letter.letter_id) == "raw hello"
    turns = await asyncio.gather(*(replay(house, letter.letter_id) for _ in range(3)))
    turn = await house.pipeline.until(1, "done")
    assert set(turns) == {turn.turn_id}
    assert house.channel.texts() == ["answer to hello"]
    await house.pipeline.call("ReportPoison", poison("hello", number=1))
    assert await letters(house) == []


async def test_an_update_that_cannot_be_read_can_only_be_dropped(house: House) -> None:
    await house.pipeline.call("ReportPoison", poison("???"))
    (letter,) = await letters(house)
    assert letter.reason == "UPDATE_UNREADABLE"
    with pytest.raises(WrongState, match="nothing to replay"):
        await replay(house, letter.letter_id)
    await drop(house, letter.letter_id)
    await house.pipeline.call("ReportPoison", poison("???"))
    assert await letters(house) == []


async def test_an_update_that_is_refused_again_stays(house: House) -> None:
    report = poison("hello", number=1)
    report.submission.address.chat_id = 0
    await house.pipeline.call("ReportPoison", report)
    (letter,) = await letters(house)
    with pytest.raises(InvalidArgument):
        await replay(house, letter.letter_id)
    assert await letters(house) == [letter]


# -- dropping ----------------------------------------------------------------------------------------------------------
async def test_what_was_dropped_is_gone_for_good_and_counted(house: House) -> None:
    letter = await give_up(house)
    for _ in range(2):
        await drop(house, letter.letter_id)
    assert await letters(house) == []
    queue = await house.pipeline.queue()
    assert (queue.dead, queue.dropped) == (0, 1)
    with pytest.raises(WrongState, match="dropped"):
        await replay(house, letter.letter_id)
    with pytest.raises(WrongState, match="dropped"):
        await house.pipeline.replay(letter.turn_id)
    with pytest.raises(NotFound):
        await content(house, letter.letter_id)
    await house.ask("next", number=2)
    assert house.channel.texts()[-1] == "answer to next"


async def test_what_was_replayed_cannot_be_dropped(house: House) -> None:
    letter = await give_up(house)
    await replay(house, letter.letter_id)
    with pytest.raises(WrongState, match="replayed"):
        await drop(house, letter.letter_id)
    await house.pipeline.until(1, "done")


async def test_a_replay_and_a_drop_at_once_end_in_one_of_both(house: House) -> None:
    letter = await give_up(house)
    outcomes = await asyncio.gather(
        replay(house, letter.letter_id), drop(house, letter.letter_id), return_exceptions=True
    )
    assert [isinstance(outcome, WrongState) for outcome in outcomes].count(True) == 1
    replayed = not isinstance(outcomes[0], WrongState)
    await house.ask("next", number=2)
    assert ("answer to question 1" in house.channel.texts()) is replayed
    assert (await house.pipeline.queue()).dropped == (not replayed)


async def test_a_number_is_never_given_twice(house: House) -> None:
    first = await give_up(house)
    await drop(house, first.letter_id)
    second = await give_up(house, 2)
    assert int(second.letter_id) > int(first.letter_id)


@pytest.mark.parametrize("name", ["GetDeadLetter", "ReplayDeadLetter", "DropDeadLetter"])
async def test_a_letter_that_never_was_is_named(house: House, name: str) -> None:
    kind = getattr(pb, f"{name}Request")
    with pytest.raises(NotFound, match="no dead letter 77"):
        await house.pipeline.call(name, kind(letter_id="77"))
    with pytest.raises(InvalidArgument) as error:
        await house.pipeline.call(name, kind(letter_id="x"))
    assert error.value.field == "letter_id"
