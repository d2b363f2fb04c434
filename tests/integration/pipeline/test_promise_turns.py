"""A turn that carries out a promise, among those that answer messages: edits, deletions, steering, stops and topics."""

import asyncio
from typing import Any

import pytest

from services.pipeline import keep
from tests.integration.pipeline.house import ADA, GROUP, House, message, until
from tests.support.scripted_agent import Act, Script, hang
from valor.pipeline.v1 import pipeline_pb2 as pb

LATER = "/remind in 3 days stretch"


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keep, "POLL", 0.02)


async def plan(act: Act) -> str:
    await act.host("make_promise", {"what": "dig", "when": "in 3 days"}, index=1)
    return "I will dig"


async def due(house: House) -> None:
    """What was promised is due now, and has become a turn."""
    house.rows("UPDATE promises SET due_time = 1")
    await until(lambda: house.rows("SELECT 1 FROM promises WHERE state = 'running'"))


async def keep_promise(house: House, dig: Script) -> None:
    """In a chat where messages join, a promise is being kept."""
    house.agent.on("plan", plan)
    house.agent.on("dig", dig)
    await house.ask("/steer on", number=1)
    await house.ask("plan", number=2)
    await due(house)
    await until(house.agent.running)


async def over(house: House, state: str = "kept") -> None:
    await until(lambda: house.rows("SELECT DISTINCT state FROM promises") == [state])


@pytest.mark.parametrize("second", ["second", ""])
async def test_it_never_joins_a_running_turn_and_what_stands_behind_it_waits(house: House, second: str) -> None:
    go = asyncio.Event()

    async def work(act: Act) -> str:
        await go.wait()
        await act.step(1)
        act.took = [steer.steer_id for steer in act.steers]
        return " + ".join([act.question, *(steer.said.text for steer in act.steers)])

    house.agent.on("first", work)
    await house.ask("/steer on", number=1)
    await house.ask(LATER, number=2)
    await house.pipeline.submit(message("first", number=3))
    await until(house.agent.running)
    if second:
        await house.pipeline.submit(message(second, number=4))
    await due(house)
    await house.pipeline.submit(message("third", number=5))
    go.set()
    await house.pipeline.until(5, "done")
    joined, reminded, last = house.channel.texts()[2:]
    assert joined == ("first + second" if second else "first")
    assert reminded.endswith(": stretch")
    assert last == "answer to third"
    said = [text for text in house.agent.acts[-1].history if "I will remind" not in text]
    assert said[3:] == ["first", *([second] if second else []), joined, reminded]


async def test_what_is_written_while_it_runs_joins_it(house: House) -> None:
    async def dig(act: Act) -> str:
        act.took = [(await act.steered()).steer_id]
        return "dug, and more"

    await keep_promise(house, dig)
    await house.pipeline.submit(message("more", number=3))
    await house.pipeline.until(3, "done")
    await over(house)
    assert [(post.reply_to, post.texts[-1].splitlines()[-1]) for post in house.channel.posts[2:]] == [
        (2, "dug, and more")
    ]
    await house.ask("next", number=4)
    assert house.agent.acts[-1].history[-2:] == ["more", house.channel.texts()[2]]


async def test_what_is_asked_while_it_runs_may_be_promised_as_soon_as_anything_else(house: House) -> None:
    """The pause between promises that promise is for what nobody asks for."""
    tried: list[dict[str, Any]] = []

    async def dig(act: Act) -> str:
        tried.append(await act.host("make_promise", {"what": "rest", "when": "now"}, index=1))
        act.took = [(await act.steered()).steer_id]
        tried.append(await act.host("make_promise", {"what": "plant", "when": "now"}, index=2))
        return "dug, and will plant"

    await keep_promise(house, dig)
    await house.pipeline.submit(message("promise to plant", number=3))
    await house.pipeline.until(3, "done")
    await until(lambda: house.channel.texts()[-1] == "answer to plant")
    assert ["error" in told for told in tried] == [True, False]
    await over(house)


async def test_what_joined_a_promise_that_is_stopped_or_cancelled_is_not_lost(house: House) -> None:
    async def dig(act: Act) -> None:
        await act.step(1, steer_ids=[(await act.steered()).steer_id])
        await hang(act)

    await keep_promise(house, dig)
    await house.pipeline.submit(message("more", number=3))
    await until(lambda: [act.acknowledged for act in house.agent.running()] == [[1]])
    await house.ask("/cancel 1", number=4, topic=5)
    await house.pipeline.until(3, "done")
    assert house.channel.texts()[-1] == "answer to more"
    await over(house, "cancelled")


@pytest.mark.parametrize("change", ["deleted", "edited", "asked anew"])
async def test_a_change_of_the_message_that_asked_for_it_does_not_touch_it(house: House, change: str) -> None:
    """It has the place of that message, and no id: so has a question that an edit asks anew."""
    go = asyncio.Event()

    async def dig(act: Act) -> str:
        await go.wait()
        return act.question

    house.agent.on("plan", plan)
    house.agent.on("dig", dig)
    request = message("plan", number=2)
    await house.pipeline.submit(request)
    await house.pipeline.until(2, "done")
    await due(house)
    await until(house.agent.running)
    if change == "deleted":
        assert await house.pipeline.delete(2) == 1
    else:
        text = "/help" if change == "asked anew" else "plan it"
        assert await house.pipeline.edit(request, text) == pb.DISPOSITION_EDITED
    go.set()
    await over(house)
    assert len(house.agent.acts) == 2
    if change == "asked anew":
        await until(lambda: len(house.channel.posts) == 3)
        assert house.channel.texts()[2].startswith("Ask me anything")
    (result, *_) = [post for post in house.channel.posts if post.texts[-1].endswith("dig") and post.reply_to]
    assert result.reply_to == 2
    assert house.rows("SELECT message FROM chat_history WHERE promise_id IS NOT NULL") == [""]


async def test_a_question_asked_anew_is_answered_and_its_promise_kept_as_replies_to_the_message(house: House) -> None:
    house.agent.on("plan", plan)
    request = message("plan", chat=GROUP, number=3, topic=77, reply_to_message_id=2)
    await house.pipeline.submit(request)
    assert await house.pipeline.edit(request, "@valor_bot plan") == pb.DISPOSITION_EDITED
    await until(lambda: house.channel.texts(GROUP, 77) == ["I will dig"])
    await due(house)
    await over(house)
    assert [(post.reply_to, post.address) for post in house.channel.posts] == [(3, (GROUP, 77))] * 2
    assert house.agent.acts[-1].question == "dig"


async def test_a_busy_topic_does_not_hold_up_what_is_promised_in_another(house: House) -> None:
    """F17."""
    house.agent.on("long", hang)
    await house.ask(LATER, number=1, topic=5)
    await house.pipeline.submit(message("long", number=2, topic=6))
    await until(house.agent.running)
    await due(house)
    await over(house)
    assert [text[-9:] for text in house.channel.texts(ADA, 5)[1:]] == [": stretch"]
    assert house.channel.texts() == house.channel.texts(ADA, 6) == []


async def test_the_stop_button_ends_it_where_it_is_shown_and_nowhere_else(house: House) -> None:
    house.agent.on("plan", plan)
    house.agent.on("dig", hang)
    await house.ask("plan", topic=5)
    await due(house)
    await until(house.agent.running)
    (turn_id,) = house.rows("SELECT turn_id FROM promise_runs")
    assert not await house.pipeline.stop(str(turn_id), ADA, topic=6)
    assert await house.pipeline.stop(str(turn_id), ADA, topic=5)
    await over(house, "cancelled")
    await until(lambda: house.channel.texts(ADA, 5)[1:] == ["Stopped."])
    assert house.channel.posts[-1].reply_to == 1


async def test_a_turn_that_fails_leaves_no_promise_behind(house: House) -> None:
    """Its person is told that it failed; whatever joined it asks for the same again."""

    async def unlucky(act: Act) -> str:
        await plan(act)
        if len(house.agent.acts) == 1:
            await act.step(1, steer_ids=[(await act.steered()).steer_id])
            return ""
        return "I will dig"

    await house.ask("/steer on", number=1)
    house.agent.script = unlucky
    await house.pipeline.submit(message("first", number=2))
    await until(lambda: house.rows("SELECT 1 FROM promises"))
    await house.pipeline.submit(message("dig later", number=3))
    await house.pipeline.until(3, "done")
    assert house.rows("SELECT state FROM promises ORDER BY id") == ["cancelled", "waiting"]


async def test_to_operators_it_is_a_turn_without_a_message(house: House) -> None:
    async def dig(act: Act) -> str:
        return ""

    house.agent.on("plan", plan)
    house.agent.on("dig", dig)
    await house.ask("plan", number=2)
    await due(house)
    await over(house, "failed")
    (letter,) = (await house.pipeline.dead()).dead_letters
    assert (letter.message_id, letter.address.chat_id) == (0, ADA)
    turn: Any = (await house.pipeline.call("GetTurn", pb.GetTurnRequest(turn_id=letter.turn_id))).turn
    assert turn.message_id == 0
    assert (await house.pipeline.turn(2)).turn_id != letter.turn_id
