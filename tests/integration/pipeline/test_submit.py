"""Messages coming in: kept once, answered once, in order, by nobody but those who may ask."""

import asyncio
import random
from itertools import pairwise

import pytest

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
from tests.support.scripted_agent import Act, hang
from tests.support.store import holds, place
from valor.common.v1 import common_pb2 as common
from valor.pipeline.v1 import pipeline_pb2 as pb

TABLES = ("chat_history", "turns", "checkpoints", "parts", "rate", "dead_letters")


def is_empty(house: House) -> bool:
    return not any(house.rows(f"SELECT 1 FROM {table}") for table in TABLES)  # noqa: S608


async def test_a_message_is_answered_and_the_answer_is_known_by_its_id(house: House) -> None:
    turn = await house.ask("hello")
    assert house.channel.texts() == ["answer to hello"]
    assert turn.answer_message_ids == [house.channel.posts[0].message_id]
    assert turn.settled
    assert turn.accept_time.ToSeconds() <= turn.answer_time.ToSeconds() <= turn.end_time.ToSeconds()
    assert (turn.usage.requests, turn.usage.output_tokens) == (1, 3)


async def test_a_message_submitted_a_hundred_times_at_once_is_answered_once(house: House) -> None:
    """F2."""
    responses = await asyncio.gather(*(house.pipeline.submit(message()) for _ in range(100)))
    assert {response.disposition for response in responses} == {pb.DISPOSITION_QUEUED}
    assert len({response.turn_id for response in responses}) == 1
    await house.pipeline.until(1, "done")
    assert house.channel.texts() == ["answer to hello"]
    assert len(house.agent.acts) == 1


async def test_a_repeat_after_the_answer_gets_the_first_answer(house: House) -> None:
    """F5."""
    turn = await house.ask("hello")
    again = await house.pipeline.submit(message("hello", version=9))
    assert (again.disposition, again.turn_id) == (pb.DISPOSITION_QUEUED, turn.turn_id)
    await house.ask("next", number=2)
    assert house.channel.texts() == ["answer to hello", "answer to next"]


async def test_every_chat_is_answered_in_its_own_order_however_long_each_answer_takes(house: House) -> None:
    """F7."""
    dice = random.Random(7)

    async def slow(act: Act) -> str:
        await asyncio.sleep(dice.random() * 0.01)  # a model is never equally fast
        return act.question

    async def write(chat: int) -> None:
        for number in range(1, 21):
            await house.pipeline.submit(message(f"{number}", chat=chat, number=number))
            await asyncio.sleep(dice.random() * 0.01)  # nor are people

    house.agent.script = slow
    chats = MEMBERS[:20]
    await asyncio.gather(*(write(chat) for chat in chats))
    await asyncio.gather(*(house.pipeline.until(20, "done", chat) for chat in chats))
    for chat in chats:
        assert house.channel.texts(chat) == [f"{number}" for number in range(1, 21)]
        acts = [act for act in house.agent.acts if act.scope.address.chat_id == chat]
        assert all(one.end <= other.begin for one, other in pairwise(acts))


async def test_two_topics_of_a_chat_do_not_wait_for_each_other_and_never_mix(house: House) -> None:
    """F17."""
    release = asyncio.Event()

    async def wait(act: Act) -> str:
        await release.wait()
        return "late"

    house.agent.on("@valor_bot first", hang)
    house.agent.on("first", wait)
    await house.pipeline.submit(message("@valor_bot first", chat=GROUP, topic=5, number=1))
    await until(house.agent.running)
    await house.ask("@valor_bot second", chat=GROUP, topic=6, number=2)
    assert house.channel.texts(GROUP, 6) == ["answer to second"]
    release.set()
    await house.pipeline.until(1, "done", GROUP)
    assert house.channel.texts(GROUP, 5) == ["late"]
    assert house.agent.of("second")[0].history == []


@pytest.mark.parametrize(
    "sender",
    [
        pytest.param(pb.Sender(user_id=42, name="Valor"), id="own message"),
        pytest.param(pb.Sender(user_id=77, name="Other", bot=True), id="another bot"),
        pytest.param(pb.Sender(), id="nobody"),
    ],
)
async def test_own_messages_and_bots_are_ignored_without_a_trace(house: House, sender: pb.Sender) -> None:
    """F1, F13."""
    for number in range(50):
        response = await house.pipeline.submit(message("hi @valor_bot", chat=GROUP, number=number + 1, sender=sender))
        assert response == pb.SubmitMessageResponse(disposition=pb.DISPOSITION_IGNORED)
    assert is_empty(house)


async def test_a_group_that_is_not_served_leaves_no_trace_on_disk(house: House) -> None:
    """F85."""
    texts = ("the launch code is swordfish", "@valor_bot swordfish", "/help swordfish")
    for chat, user in [(OTHER_GROUP, ADA), (OTHER_GROUP, STRANGER), (-7, ADA)]:
        for number, text in enumerate(texts, start=1):
            response = await house.pipeline.submit(message(text, chat=chat, user=user, number=number))
            assert response.disposition == pb.DISPOSITION_IGNORED
    assert is_empty(house)
    assert not holds(place(house.data, "pipeline"), "swordfish")


@pytest.mark.parametrize("chat", [GROUP, BASIC_GROUP])
async def test_in_a_listed_group_what_asks_for_nothing_is_context_for_the_next_question(
    house: House, chat: int
) -> None:
    """F88."""
    for number, (user, text) in enumerate([(ADA, "it rains"), (STRANGER, "it pours")], start=1):
        response = await house.pipeline.submit(message(text, chat=chat, user=user, number=number))
        assert response == pb.SubmitMessageResponse(disposition=pb.DISPOSITION_CONTEXT)
    assert house.rows("SELECT COUNT(*) FROM turns") == [0]
    await house.ask("@valor_bot, how is the weather?", chat=chat, user=STRANGER, number=3)
    act = house.agent.acts[0]
    assert [(said.speaker, said.text) for said in act.start.history] == [
        ("Person 8", "it rains"),
        ("Person 9", "it pours"),
    ]
    assert (act.start.group, act.question, act.start.question.speaker) == (True, "how is the weather?", "Person 9")
    assert house.channel.posts[0].reply_to == 3


async def test_the_owner_is_answered_in_any_group_and_nobody_else_is_heard_there(house: House) -> None:
    await house.ask("@valor_bot hello", chat=OTHER_GROUP, user=OWNER)
    response = await house.pipeline.submit(message("hello @valor_bot", chat=OTHER_GROUP, user=OWNER + 1, number=2))
    assert response.disposition == pb.DISPOSITION_IGNORED
    assert house.channel.texts(OTHER_GROUP) == ["answer to hello"]


async def test_who_replies_to_valor_speaks_to_valor(house: House) -> None:
    await house.ask("@valor_bot hello", chat=GROUP)
    answer = house.channel.posts[0].message_id
    await house.ask("and now?", chat=GROUP, number=2, reply_to_message_id=answer)
    said = house.agent.acts[1].start.reply_to
    assert (said.speaker, said.text) == ("", "answer to hello")
    foreign = await house.pipeline.submit(message("yes", chat=GROUP, number=3, reply_to_message_id=1))
    assert foreign.disposition == pb.DISPOSITION_CONTEXT


async def test_the_same_message_id_in_another_chat_or_account_is_another_message(house: House) -> None:
    """F80."""
    await house.ask("ada's secret")
    await house.ask("hello", chat=MEMBERS[0])
    other = message("hello")
    other.account.CopyFrom(common.Account(channel="telegram", account_id=43))
    await house.pipeline.submit(other)
    await until(lambda: len(house.agent.acts) == 3)
    assert [act.history for act in house.agent.acts] == [[], [], []]


async def test_what_was_said_is_told_to_the_agent_questions_before_their_answers(house: House) -> None:
    for number in (1, 2, 3):
        await house.ask(f"question {number}", number=number)
    assert house.agent.acts[2].history == [
        "question 1",
        "answer to question 1",
        "question 2",
        "answer to question 2",
    ]


async def test_two_people_asking_alike_get_two_answers(house: House) -> None:
    """F89."""

    async def answer(act: Act) -> str:
        return f"for {act.start.question.speaker}"

    house.agent.script = answer
    long = "x" * 200
    await asyncio.gather(*(house.ask(long, chat=chat) for chat in MEMBERS[:2]))
    assert [house.channel.texts(chat) for chat in MEMBERS[:2]] == [["for Person 100"], ["for Person 101"]]


@pytest.mark.parametrize("kind", ["photo", "voice", "sticker", "dice", "never_heard_of"])
async def test_every_kind_of_message_gets_a_word(house: House, kind: str) -> None:
    """F34."""
    await house.ask("", kind=kind)
    assert house.channel.texts()[0].startswith("I cannot read")
    assert house.agent.acts == []


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("/start", "Hello, Person! I am Valor"),
        ("/help", "Ask me anything"),
        ("/status", "I am here."),
        ("/nonsense", "I do not know /nonsense."),
    ],
)
async def test_commands_are_answered_without_the_agent(house: House, text: str, answer: str) -> None:
    """F97."""
    await house.ask(text)
    assert house.channel.texts()[0].startswith(answer)
    assert house.agent.acts == []


async def test_only_the_owner_is_told_the_id_of_the_chat(house: House) -> None:
    await house.ask("/status", chat=OWNER)
    await house.ask("/status", chat=ADA)
    assert "7" in house.channel.texts(OWNER)[0]
    assert "8" not in house.channel.texts(ADA)[0]
