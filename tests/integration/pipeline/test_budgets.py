"""What model calls cost: reserved before, settled after, whatever dies in between."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from services.chassis.errors import Exhausted, Unavailable, ValorError, WrongState
from services.pipeline import spending
from services.pipeline.budget import Price, likely_cost
from tests.integration.pipeline.house import ADA, GROUP, MEMBERS, OWNER, House, message, until
from tests.support.scripted_agent import Act, Script, ScriptedAgent, echo, fails, hang
from valor.agent.v1 import agent_pb2

DOLLAR = 1_000_000
PRICED = agent_pb2.GetModelResponse(model="dear", input_price=3, output_price=15, max_output_tokens=1000)
"""So cheap that what is reserved hardly counts, and not free."""
SOON = 0.01
SPENT = "Your budget for today is spent"


def settings(**limits: str) -> dict[str, str]:
    """Limits as the settings have them, and no others."""
    names = [f"budget_{scope}_{window}" for scope in ("person", "chat", "total") for window in ("day", "month")]
    return {name: limits.get(name.removeprefix("budget_"), "none") for name in names}


def house(tmp_path: Path, **limits: str) -> House:
    made = House(tmp_path, **settings(**limits))
    made.agent.model = PRICED
    return made


def used(it: House, scope: str = "total") -> tuple[int, int]:
    """Tokens and cost that are settled."""
    query = "SELECT COALESCE(SUM(tokens), 0), COALESCE(SUM(cost), 0) FROM budgets WHERE scope = ?"
    ((tokens, cost),) = it.rows(query, scope)
    return tokens, cost


def reserved(it: House) -> list[Any]:
    return it.rows("SELECT tokens, cost FROM reservations")


async def endless(act: Act) -> None:
    """Ask for tools for ever."""
    number = 0
    while True:
        number += 1
        await act.step(number, b"x")


@pytest.mark.parametrize("limit", ["person_day", "person_month", "chat_day", "chat_month", "total_day", "total_month"])
async def test_a_loop_stops_within_one_call_of_the_limit(tmp_path: Path, limit: str) -> None:
    """F100, F101."""
    async with house(tmp_path, **{limit: "1 USD"}).open() as it:
        it.agent.script, it.agent.cost = endless, 300_000
        turn = await it.ask("hello")
        assert used(it) == (0, 1_200_000)
        assert it.agent.acts[0].acknowledged == [1, 2, 3]
        (said,) = it.channel.texts()
        assert "is spent: $1.20 of $1.00. It begins again on" in said
        assert turn.usage.cost_micros == 1_200_000
        assert turn.usage.requests == 1 + 2 + 3 + 4
        assert (await it.pipeline.queue()).dead == 0
        assert reserved(it) == []


async def test_who_has_spent_it_is_told_so_and_the_others_go_on(tmp_path: Path) -> None:
    async with house(tmp_path, person_day="100 tokens").open() as it:
        it.agent.tokens = 60
        for number in (1, 2, 3, 4):
            await it.ask("hello", number=number)
        assert [text.startswith(SPENT) for text in it.channel.texts()] == [False, False, True, True]
        await it.ask("hello", chat=MEMBERS[0])
        assert it.channel.texts(MEMBERS[0]) == ["answer to hello"]
        assert len(it.agent.acts) == 3
        assert used(it) == (180, 0)
        await it.ask("/help", number=5)
        assert it.channel.texts()[-1].startswith("Ask me anything")


async def test_a_chat_may_have_spent_it_while_its_people_go_on_elsewhere(tmp_path: Path) -> None:
    async with house(tmp_path, chat_day="1 tokens").open() as it:
        it.agent.tokens = 60
        await it.ask("@valor_bot hello", chat=GROUP, topic=3)
        await it.ask("@valor_bot hello", chat=GROUP, topic=4, number=2)
        await it.ask("hello")
        assert it.channel.texts(GROUP, 3) == it.channel.texts() == ["answer to hello"]
        assert it.channel.texts(GROUP, 4)[0].startswith("The budget of this chat for today is spent")


async def test_a_call_waits_while_others_hold_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is refused for what others only reserved is not told that it is spent."""
    monkeypatch.setattr(spending, "AGAIN", SOON)
    async with house(tmp_path, total_day="5000 tokens").open() as it:
        go = asyncio.Event()

        async def wait(act: Act) -> str:
            await go.wait()
            return "done"

        it.agent.script = wait
        chats = MEMBERS[:4]
        for chat in chats:
            await it.pipeline.submit(message("hello", chat=chat))
        await until(lambda: it.rows("SELECT state FROM turns") == ["running"] * 4 and len(it.agent.acts) == 2)
        assert sum(tokens for tokens, _ in reserved(it)) == 2 * (3000 + 2 + 1000)
        go.set()
        for chat in chats:
            await it.pipeline.until(1, "done", chat)
        assert it.agent.acts[-1].question == "hello"
        assert reserved(it) == []


# -- crashes -----------------------------------------------------------------------------------------------------------
async def hang_in_the_second_call(act: Act) -> str:
    if not act.start.checkpoints:
        await act.step(1, b"one")
        await hang(act)
    return "done"


LOST = likely_cost(len("hello"), Price(3, 15, 1000))
LOST_LATER = likely_cost(len("hello") + len(b"one"), Price(3, 15, 1000))
COST, TOKENS = 1000, 10


@pytest.mark.parametrize(
    ("script", "settled_before", "after"),
    [
        pytest.param(hang, 0, [LOST.cost, COST], id="in the first call"),
        pytest.param(hang_in_the_second_call, COST, [COST, LOST_LATER.cost, COST], id="in the second call"),
    ],
)
async def test_what_a_crashed_run_had_reserved_is_settled_when_the_turn_is_taken_over(
    tmp_path: Path, script: Script, settled_before: int, after: list[int]
) -> None:
    """F42: no reservation leaks, and nothing is counted twice, even when it crashes again and again."""
    it = house(tmp_path, person_day="1 USD")
    async with it.open():
        it.agent.cost, it.agent.tokens = COST, TOKENS
        it.agent.on("hello", script, echo)
        await it.pipeline.submit(message("hello"))
        await until(lambda: used(it)[1] == settled_before and len(reserved(it)) == 1 and len(it.agent.acts) == 1)
        if settled_before:
            await until(lambda: it.agent.acts[0].acknowledged == [1])
        await it.crash()
        await it.pipeline.until(1, "done")
        assert used(it)[1] == sum(after)
        assert used(it, "person") == used(it, "chat") == used(it)
        assert reserved(it) == []
        assert it.rows("SELECT cost FROM turns") == [sum(after)]


async def test_a_crash_between_the_answer_and_its_delivery_costs_nothing_more(tmp_path: Path) -> None:
    it = house(tmp_path, person_day="1 USD")
    async with it.open():
        it.agent.cost = COST
        it.channel.go.clear()
        await it.pipeline.submit(message("hello"))
        await it.pipeline.until(1, "answering")
        await it.crash()
        it.channel.go.set()
        await it.pipeline.until(1, "done")
        assert (used(it)[1], reserved(it)) == (COST, [])


async def test_crash_after_crash_is_paid_each_time_and_stops_at_the_limit(tmp_path: Path) -> None:
    """A call that kills the process every time costs money every time."""
    it = house(tmp_path, person_day="10000 tokens")
    async with it.open():
        it.agent.script = hang
        await it.pipeline.submit(message("hello"))
        for crash in (1, 2, 3):
            await until(lambda: len(reserved(it)) == 1)
            await until(partial(lambda many: len(it.agent.acts) == many, crash))
            await it.service.stop()
            await it.service.start()
        await it.pipeline.until(1, "done")
        assert it.channel.texts()[0].startswith(SPENT)
        assert used(it)[0] == 3 * LOST.tokens


# -- ways a call ends --------------------------------------------------------------------------------------------------
async def stop(it: House) -> None:
    await it.pipeline.submit(message("/stop", number=2))


async def delete(it: House) -> None:
    await it.pipeline.delete(1)


async def press_the_stop_button(it: House) -> None:
    assert await it.pipeline.stop((await it.pipeline.turn(1)).turn_id)


@pytest.mark.parametrize("end", [stop, delete, press_the_stop_button])
async def test_a_call_that_was_cancelled_costs_what_was_reserved(
    tmp_path: Path, end: Callable[[House], Awaitable[None]]
) -> None:
    async with house(tmp_path, person_day="1 USD").open() as it:
        it.agent.script = hang
        await it.pipeline.submit(message("hello"))
        await until(it.agent.running)
        await end(it)
        await it.pipeline.until(1, "cancelled")
        assert (used(it), reserved(it)) == ((LOST.tokens, LOST.cost), [])


async def test_a_question_that_changed_is_paid_anew(tmp_path: Path) -> None:
    async with house(tmp_path, person_day="1 USD").open() as it:
        it.agent.cost = COST
        it.agent.on("hello", hang)
        question = message("hello")
        await it.pipeline.submit(question)
        await until(it.agent.running)
        await it.pipeline.edit(question, "good-bye")
        await it.pipeline.until(1, "done")
        assert (used(it)[1], reserved(it)) == (LOST.cost + COST, [])


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (Exhausted("slow down", reason="MODEL_RATE_LIMITED", retry_after=SOON), 0),
        (Unavailable("busy", reason="MODEL_OVERLOADED", retry_after=SOON), 0),
        (Unavailable("it broke off", reason="MODEL_UNREACHABLE", retry_after=SOON), 1),
        (WrongState("no key", reason="MODEL_REFUSED_KEY"), 0),
        (WrongState("empty twice", reason="MODEL_EMPTY"), 1),
        (WrongState("a loop", reason="TOOL_LOOP"), 0),
    ],
    ids=lambda value: getattr(value, "reason", ""),
)
async def test_a_call_that_the_model_refused_costs_nothing_and_one_that_broke_off_what_was_reserved(
    tmp_path: Path, error: ValorError, lost: int
) -> None:
    async with house(tmp_path, person_day="1 USD").open() as it:
        it.agent.on("hello", fails(error), echo)
        await it.pipeline.submit(message("hello"))
        await until(lambda: (it.rows("SELECT state FROM turns") or [""])[0] in {"done", "failed"})
        assert (used(it)[0], reserved(it)) == (lost * LOST.tokens, [])


async def test_an_agent_that_cannot_be_reached_costs_nothing_however_often_it_is_tried(tmp_path: Path) -> None:
    async with house(tmp_path, person_day="1 USD").open() as it:
        await it.ask("know the price")
        await it.agents.stop()
        await it.pipeline.submit(message("hello", number=2))
        await until(lambda: it.rows("SELECT fence FROM turns WHERE order_key = 2 AND state = 'running'") == [1])
        before = used(it)
        await it.agents.start()
        await it.pipeline.until(2, "done")
        assert (used(it), reserved(it)) == (before, [])


async def test_without_limits_nothing_is_reserved_and_all_is_counted(tmp_path: Path) -> None:
    async with house(tmp_path).open() as it:
        it.agent.tokens, it.agent.cost = TOKENS, COST

        async def look(act: Act) -> str:
            await act.step(1, b"one")
            assert reserved(it) == []
            return "done"

        it.agent.script = look
        await it.ask("hello")
        assert used(it) == (2 * TOKENS, 2 * COST)


async def test_a_dear_model_has_limits_that_nobody_set(tmp_path: Path) -> None:
    it = House(tmp_path)
    it.agent.model = PRICED
    async with it.open():
        it.agent.script, it.agent.cost = endless, DOLLAR
        await it.ask("hello")
        assert it.channel.texts()[0].startswith(f"{SPENT}: $2.00 of $2.00.")


# -- what joins a turn -------------------------------------------------------------------------------------------------
async def test_what_joins_is_paid_from_the_budget_of_the_one_who_wrote_both(tmp_path: Path) -> None:
    async with house(tmp_path, person_day="1 USD").open() as it:
        await it.ask("/steer on")

        async def both(act: Act) -> str:
            act.took.append((await act.steered()).steer_id)
            return "both"

        it.agent.cost = COST
        it.agent.on("first", both)
        await it.pipeline.submit(message("first", number=2))
        await until(it.agent.running)
        await it.pipeline.submit(message("second", number=3))
        joined = await it.pipeline.until(3, "done")
        first = await it.pipeline.turn(2)
        assert [turn.usage.cost_micros for turn in (first, joined)] == [COST, 0]
        assert used(it, "person") == used(it, "chat") == used(it) == (0, COST)


async def test_a_turn_whose_budget_is_spent_says_so_once_for_all_that_joined(tmp_path: Path) -> None:
    """What it was told too late is told so by a turn of its own."""
    async with house(tmp_path, person_day="1 USD").open() as it:
        await it.ask("/steer on")

        async def work(act: Act) -> None:
            joined = (await act.steered()).steer_id
            await act.steered()
            await act.step(1, b"x", steer_ids=[joined])

        it.agent.cost = DOLLAR
        it.agent.on("first", work)
        await it.pipeline.submit(message("first", number=2))
        await until(it.agent.running)
        for number in (3, 4):
            await it.pipeline.submit(message(f"{number}", number=number))
        first, joined, late = [await it.pipeline.until(number, "done") for number in (2, 3, 4)]
        assert [text.startswith(SPENT) for text in it.channel.texts()] == [False, True, True]
        assert first.answer_message_ids == joined.answer_message_ids != late.answer_message_ids
        assert (used(it), reserved(it), len(it.agent.acts)) == ((0, DOLLAR), [], 1)


@pytest.mark.parametrize(
    ("limit", "answer", "calls"), [("1 USD", "answer to good-bye", 3), ("0.002 USD", SPENT, 2)], ids=["left", "spent"]
)
async def test_an_answer_that_misses_the_new_wording_is_paid_though_it_is_not_said(
    tmp_path: Path, limit: str, answer: str, calls: int
) -> None:
    async with house(tmp_path, person_day=limit).open() as it:
        changed = asyncio.Event()

        async def work(act: Act) -> str:
            await act.step(1, b"x", side_effects=True)
            await changed.wait()
            return "to the old wording"

        it.agent.cost = COST
        it.agent.on("hello", work)
        question = message("hello")
        await it.pipeline.submit(question)
        await until(lambda: it.agent.acts and it.agent.acts[0].acknowledged)
        await it.pipeline.edit(question, "good-bye")
        changed.set()
        await it.pipeline.until(1, "done")
        (said,) = it.channel.texts()
        assert said.startswith(answer)
        assert (used(it), reserved(it)) == ((0, calls * COST), [])


# -- what people see ---------------------------------------------------------------------------------------------------
async def test_who_wrote_while_people_was_away_pays_in_the_end(tmp_path: Path) -> None:
    async with house(tmp_path, person_day="1 USD").open() as it:
        it.agent.cost = COST
        await it.people.stop()
        await it.pipeline.submit(message("hello"))
        await it.people.start()
        await it.pipeline.until(1, "done")
        assert used(it, "person") == used(it, "chat") == used(it) == (0, COST)


async def test_usage_asked_for_by_an_edit_shows_a_person_their_own(tmp_path: Path) -> None:
    async with house(tmp_path).open() as it:
        remark = message("hello", chat=GROUP)
        await it.pipeline.submit(remark)
        await it.pipeline.edit(remark, "/usage@valor_bot")
        await until(lambda: it.channel.texts(GROUP))
        assert it.channel.texts(GROUP)[0].startswith("• You, today: 0 tokens")


async def test_usage_shows_a_person_their_own_and_the_owner_all(tmp_path: Path) -> None:
    async with house(tmp_path, person_day="2 USD", total_month="1000 tokens").open() as it:
        it.agent.tokens, it.agent.cost = 100, DOLLAR // 2
        await it.ask("hello")
        await it.ask("hello", chat=OWNER)
        await it.ask("/usage", number=2)
        await it.ask("/usage", number=2, chat=OWNER)
        hers, the_owners = it.channel.texts()[-1], it.channel.texts(OWNER)[-1]
        assert "You, today: 100 tokens, $0.50; $1.50 of $2.00 remain" in hers
        assert "This chat, this month: 100 tokens, $0.50" in hers
        assert "Everybody" not in hers
        assert "Everybody, this month: 200 tokens, $1.00; 800 of 1,000 tokens remain" in the_owners


async def test_usage_is_shown_while_the_agent_is_away(tmp_path: Path) -> None:
    async with house(tmp_path, person_day="1 tokens").open() as it:
        await it.agents.stop()
        await it.ask("/usage", chat=ADA)
        assert "1 of 1 tokens remain" in it.channel.texts()[0]


async def test_an_agent_of_the_version_before_answers_without_a_price(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unknown(*_: Any) -> None:
        raise NotImplementedError

    monkeypatch.setattr(ScriptedAgent, "GetModel", unknown)
    async with House(tmp_path).open() as it:
        await it.ask("hello")
        assert it.channel.texts() == ["answer to hello"]
