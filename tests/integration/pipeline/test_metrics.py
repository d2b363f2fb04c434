"""F95: each figure is counted from what happens to messages, and moves when it does."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from services.chassis.errors import Exhausted, WrongState
from services.pipeline import spending
from services.pipeline.outcome import Outcome
from tests.integration.pipeline.house import House, message, until
from tests.support.metrics import change, metric
from tests.support.scripted_agent import Act, echo, fails, hang
from valor.pipeline.v1 import pipeline_pb2 as pb

COUNT = "pipeline_delivery_seconds_count"
LATE = 2.0
"""Seconds that would be seen in a figure that counted them."""
REFUSED = WrongState("no", reason="MODEL_REFUSED_REQUEST")


def outcomes() -> Callable[[], dict[str, float]]:
    """How many messages ended in which way since this was called."""
    changes = {outcome: change(COUNT, outcome=outcome) for outcome in Outcome}
    return lambda: {outcome: count for outcome, changed in changes.items() if (count := changed())}


async def ends(found: Callable[[], dict[str, float]], **wanted: float) -> None:
    await until(lambda: sum(found().values()) >= sum(wanted.values()))
    assert found() == wanted


async def test_an_answer_is_counted_when_its_last_part_is_received(house: House) -> None:
    found, parts = outcomes(), change("pipeline_part_seconds_count")
    house.agent.on("much", partial(says, "word " * 1500))
    await house.ask("much")
    await ends(found, answered=1)
    assert parts() == len(house.channel.parts()) > 1


async def says(text: str, _act: Act) -> str:
    return text


async def test_who_gets_a_word_instead_is_counted_as_told(house: House) -> None:
    found, failed = outcomes(), change("pipeline_failed_turns_total", reason="MODEL_REFUSED_REQUEST")
    house.agent.on("bad", fails(REFUSED))
    await house.pipeline.submit(message("bad"))
    await ends(found, told=1)
    assert failed() == 1


@pytest.mark.parametrize(
    ("refusals", "outcome"),
    [
        (["MESSAGE_TOO_LONG"], "told"),
        (["MESSAGE_TOO_LONG"] * 2, "unheard"),
        (["USER_IS_BLOCKED"] * 2, "unwanted"),
    ],
    ids=["of the answer alone", "of the word as well", "by the person"],
)
async def test_an_answer_that_is_refused_is_counted_by_what_the_person_knows(
    house: House, refusals: list[str], outcome: str
) -> None:
    found, left = outcomes(), list(refusals)
    refused: dict[str, str] = {}

    def refuse(part: pb.Part) -> str:
        """The same part as often as it comes, and no reaction."""
        if part.kind == pb.PART_KIND_TEXT and part.part_id not in refused:
            refused[part.part_id] = left.pop(0) if left else ""
        return refused.get(part.part_id, "")

    house.channel.refuse = refuse
    await house.pipeline.submit(message("hello"))
    await ends(found, **{outcome: 1.0})


async def test_failing_words_that_are_refused_leave_a_person_unheard(house: House) -> None:
    found = outcomes()
    house.agent.on("bad", fails(REFUSED))
    house.channel.refuse = lambda _: "MESSAGE_TOO_LONG"
    await house.pipeline.submit(message("bad"))
    await ends(found, unheard=1)


async def test_what_joined_is_counted_with_the_answer_and_a_replay_as_one(house: House) -> None:
    async def take(act: Act) -> str:
        act.took.append((await act.steered()).steer_id)
        return "both"

    await house.ask("/steer on", number=1)
    found = outcomes()
    house.agent.on("one", take)
    await house.pipeline.submit(message("one", number=2))
    await until(house.agent.running)
    await house.pipeline.submit(message("two", number=3))
    await ends(found, answered=2)
    house.agent.on("bad", fails(REFUSED), echo)
    turn_id = (await house.pipeline.submit(message("bad", number=4))).turn_id
    await ends(found, answered=2, told=1)
    await house.pipeline.replay(turn_id)
    await ends(found, answered=2, told=1, replayed=1)


async def test_a_repeat_of_a_receipt_and_a_message_that_was_stopped_are_not_counted(house: House) -> None:
    await house.ask("hello")
    found, parts = outcomes(), change("pipeline_delivered_parts_total", outcome="received")
    await house.pipeline.record(house.channel.parts()[0].part_id, 1_000_000)
    house.agent.on("long", hang)
    accepted = await house.pipeline.submit(message("long", number=2))
    await until(house.agent.running)
    await house.pipeline.stop(accepted.turn_id)
    await until(lambda: parts() == 1)  # "Stopped."
    assert found() == {}


@pytest.mark.parametrize(("model", "counted"), [(0.0, 1), (10.0, 1), (None, 0)])
async def test_the_overhead_is_what_the_model_did_not_take(house: House, model: float | None, counted: int) -> None:
    async def think(act: Act) -> str:
        act.model_seconds = model
        await asyncio.sleep(0.6)  # what it does not say that the model took is ours
        return "answer"

    count, total = change("pipeline_overhead_seconds_count"), change("pipeline_overhead_seconds_sum")
    house.agent.on("hello", think)
    await house.ask("hello")
    assert count() == counted
    assert (total() >= 0.6) == (model == 0.0)


async def test_waiting_for_one_s_own_earlier_question_is_no_overhead(house: House) -> None:
    """A lane works in order: behind an answer that takes long, the next one is late by no fault of the house."""
    first = asyncio.Event()

    async def slow(act: Act) -> str:
        await first.wait()
        act.model_seconds = 60.0
        return "slow"

    house.agent.on("one", slow)
    await house.pipeline.submit(message("one", number=1))
    await until(house.agent.running)
    waited, total = change("pipeline_wait_seconds_sum"), change("pipeline_overhead_seconds_sum")
    await house.pipeline.submit(message("two", number=2))
    began = time.monotonic()
    await until(lambda: time.monotonic() - began > LATE)
    first.set()
    await house.pipeline.until(2, "done")
    assert waited() < LATE
    assert total() < LATE


async def test_waits_for_a_model_that_takes_no_more_are_the_model_s(house: House) -> None:
    total = change("pipeline_overhead_seconds_sum")
    failed = change("pipeline_failed_attempts_total", reason="MODEL_RATE_LIMITED")
    house.agent.on("hello", fails(Exhausted("later", reason="MODEL_RATE_LIMITED", retry_after=LATE)), echo)
    await house.ask("hello")
    assert failed() == 1
    assert total() < LATE


async def test_a_channel_that_follows_is_seen_and_so_is_one_that_left(house: House) -> None:
    await until(lambda: metric("pipeline_followers") == 1)
    await house.unfollow()
    await until(lambda: metric("pipeline_followers") == 0)


async def test_ages_and_numbers_are_those_of_the_queue(house: House) -> None:
    house.channel.go.clear()
    house.agent.on("long", hang)
    await house.pipeline.submit(message("hello", number=1))
    await until(lambda: metric("pipeline_oldest_undelivered_seconds") > 0)
    assert metric("pipeline_undelivered_parts") == 1
    await house.pipeline.submit(message("long", number=2))
    await until(lambda: metric("pipeline_running_turns") == metric("pipeline_live_turns") == 1)
    house.channel.go.set()


async def test_the_house_s_budget_fills_up_and_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spending, "LOOK", 0.02)
    refused = change("pipeline_refused_calls_total", scope="total", window="day")
    async with House(tmp_path, budget_total_day="1 USD").open() as it:
        it.agent.cost = 500_000
        for number, share in ((1, 0.5), (2, 1.0)):
            await it.ask("hello", number=number)
            await until(lambda share=share: metric("pipeline_budget_used_ratio", window="day") == share)  # type: ignore[misc]
        await it.ask("hello", number=3)
    assert refused() == 1
