"""/trace: the number that leads to everything that was done for a question."""

import re

import pytest

from tests.integration.pipeline.house import ADA, GROUP, OWNER, House, message, until
from tests.support.scripted_agent import Act

STRANGER_IN_GROUP = 999


def told(it: House, chat: int = ADA, topic: int = 0) -> tuple[str, str]:
    """The turn and the trace that the last answer names."""
    found = re.search(r"^Turn (\d+), asked on .* UTC\. Trace ([0-9a-f]{32})\n", it.channel.texts(chat, topic)[-1])
    assert found, it.channel.texts(chat, topic)[-1]
    return found[1], found[2]


async def trace(it: House, number: int, *, chat: int = ADA, reply_to: int = 0) -> tuple[str, str]:
    await it.ask("/trace", number=number, chat=chat, reply_to_message_id=reply_to)
    return told(it, chat)


async def test_without_a_reply_it_is_the_last_question_of_the_chat(house: House) -> None:
    await house.ask("one", number=1)
    second = await house.ask("two", number=2)
    await house.ask("elsewhere", number=3, chat=OWNER)
    last = await trace(house, 4)
    assert last[0] == second.turn_id
    assert await trace(house, 5) == last
    assert (await trace(house, 6, chat=OWNER))[1] != last[1]


@pytest.mark.parametrize("of", ["question", "answer"])
async def test_a_reply_names_the_question_by_itself_or_by_its_answer(house: House, of: str) -> None:
    first = await house.ask("one", number=1)
    await house.ask("two", number=2)
    replied = 1 if of == "question" else first.answer_message_ids[0]
    assert (await trace(house, 3, reply_to=replied))[0] == first.turn_id


async def test_it_is_the_trace_of_what_was_sent(house: House) -> None:
    await house.ask("one", number=1)
    sent = house.channel.parts()[0].traceparent
    assert (await trace(house, 2))[1] == sent[3:35]


async def test_each_topic_has_its_own_and_whoever_may_ask_may_ask_for_it(house: House) -> None:
    for topic, number in ((5, 1), (6, 2)):
        await house.ask("@valor_bot hello", number=number, chat=GROUP, user=ADA, topic=topic)
    await house.ask("/trace@valor_bot", number=3, chat=GROUP, user=STRANGER_IN_GROUP, topic=5)
    assert told(house, GROUP, 5)[0] == (await house.pipeline.turn(1, GROUP)).turn_id


async def test_what_joined_an_answer_has_the_trace_of_that_answer(house: House) -> None:
    async def take(act: Act) -> str:
        act.took.append((await act.steered()).steer_id)
        return "both"

    await house.ask("/steer on", number=1)
    house.agent.on("one", take)
    await house.pipeline.submit(message("one", number=2))
    await until(house.agent.running)
    await house.pipeline.submit(message("two", number=3))
    await house.pipeline.until(3, "done")
    assert (await trace(house, 4, reply_to=3))[0] == (await house.pipeline.turn(2)).turn_id


async def test_where_nothing_was_asked_that_is_said(house: House) -> None:
    await house.ask("/trace", number=1)
    await house.ask("/trace", number=2, reply_to_message_id=77)
    assert house.channel.texts() == ["There is no question here that I know of."] * 2


async def test_a_promise_that_was_kept_has_a_trace_of_its_own(house: House) -> None:
    asked = await house.ask("/remind in 1 second tea", number=1)
    await until(lambda: len(house.channel.posts) == 2)
    turn_id, _ = await trace(house, 2, reply_to=house.channel.posts[-1].message_id)
    assert turn_id != asked.turn_id
