"""The attempts at one turn."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

import pytest

from services.chassis.errors import Exhausted, LostOwnership, TimedOut, Unavailable, ValorError, WrongState
from services.pipeline import context, failures
from services.pipeline.absence import LONG, PAUSES
from services.pipeline.budget import Price
from services.pipeline.model import Checkpoint, Draft, Limits, Question, Said, Steer, Turn, Usage
from services.pipeline.orchestrate import Orchestrator
from services.pipeline.ports import Agent, AgentEvent, Output, Step, Store, Text
from services.pipeline.spending import Spending
from services.pipeline.stage import Stage
from tests.unit.pipeline.messages import turn

ANSWER = Output("answer", Usage(requests=1))
BUSY = Unavailable("busy", reason="MODEL_OVERLOADED")
SAID = Text("so far", restart=False)
GONE = Unavailable("gone", reason="AGENT_AWAY")


class Scripted:
    """An agent that does what is listed, attempt by attempt; the store and the stage of the same turn."""

    def __init__(self, *attempts: AgentEvent | ValorError | list[AgentEvent | ValorError]) -> None:
        self.attempts = [attempt if isinstance(attempt, list) else [attempt] for attempt in attempts]
        self.questions: list[Question] = []
        self.pauses: list[float] = []
        self.told: list[str] = []
        self.log: list[str] = []
        self.failed = 0
        self.kept: list[Checkpoint] = []
        self.behind: list[Turn] = []
        orchestrator = self.orchestrator(5.0)
        orchestrator._pause, orchestrator._clock = self._pause, lambda: sum(self.pauses)
        self.answer = orchestrator.answer

    def orchestrator(self, seconds: float) -> Orchestrator:
        store, agent = cast("Store", self), cast("Agent", self)
        spending = Spending(store, agent, lambda _: ())
        return Orchestrator(store, agent, cast("Stage", self), spending, limits=Limits(), seconds=seconds)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    @asynccontextmanager
    async def run(self, question: Question) -> "AsyncIterator[Scripted]":
        self.questions.append(question)
        yield self

    async def __aiter__(self) -> AsyncIterator[AgentEvent]:
        for event in self.attempts.pop(0):
            if isinstance(event, ValorError):
                raise event
            yield event

    async def acknowledge(self, step: int) -> None:
        self.log.append(f"acknowledged {step}")

    async def answer_call(self, content: str) -> None:
        self.log.append(content)

    async def steer(self, steer: Steer) -> None:
        self.log.append(f"steered {steer.steer_id}")

    async def joining(self, _turn: Any) -> list[Turn]:
        return self.behind

    async def changed(self, _steer_ids: Any) -> set[int]:
        return set()

    def say(self, _turn: Any, text: str) -> None:
        self.told.append(text)

    async def before(self, _message: Any, limit: int) -> list[Said]:
        return [Said("Ada", "x" * 10_000, 1.0)] * limit

    async def said(self, *_key: Any) -> Said:
        return Said("", "y" * 10_000, 1.0)

    async def checkpoints(self, _turn: Any) -> tuple[Checkpoint, ...]:
        return tuple(self.kept)

    async def price(self) -> Price:
        return Price()

    async def accepted(self) -> bool:
        return True

    async def add_checkpoint(self, _turn: Any, checkpoint: Checkpoint, _wish: Any) -> None:
        self.log.append(f"kept {checkpoint.step}")
        self.kept.append(checkpoint)

    async def tell(self, _turn: Any, words: Draft) -> None:
        self.log.append(f"told {words.text.split('.')[0]}")

    async def note_failure(self, _turn: Any) -> int:
        self.failed += 1
        return self.failed


async def test_waits_between_failures_of_the_model_grow() -> None:
    agent = Scripted(BUSY, BUSY, BUSY, ANSWER)
    assert await agent.answer(turn(), "hello") == replace(ANSWER, model_seconds=7.0)
    assert agent.pauses == [1, 2, 4]


async def test_the_model_itself_may_say_when_to_come_back() -> None:
    agent = Scripted(Exhausted("slow", reason="MODEL_RATE_LIMITED", retry_after=7), ANSWER)
    await agent.answer(turn(), "hello")
    assert agent.pauses == [7]


async def test_after_so_many_failures_of_the_model_the_turn_is_given_up() -> None:
    agent = Scripted(*[BUSY] * 10)
    with pytest.raises(Unavailable):
        await agent.answer(turn(), "hello")
    assert len(agent.questions) == failures.ATTEMPTS


async def test_an_agent_that_is_away_costs_no_attempt_however_long() -> None:
    agent = Scripted(*[GONE] * 2000, BUSY, GONE, ANSWER)
    await agent.answer(turn(), "hello")
    assert agent.pauses[: len(PAUSES)] == list(PAUSES)
    assert set(agent.pauses[len(PAUSES) : 2000]) == {PAUSES[-1]}
    assert agent.pauses[2000:] == [1, PAUSES[0]]
    assert agent.failed == 1


@pytest.mark.parametrize("error", [WrongState("no", reason="STEP_LIMIT"), LostOwnership("not ours")])
async def test_what_waiting_cannot_help_is_not_tried_again(error: ValorError) -> None:
    agent = Scripted(error, ANSWER)
    with pytest.raises(type(error)):
        await agent.answer(turn(), "hello")
    assert agent.pauses == []


@pytest.mark.parametrize(("error", "reason"), [(GONE, failures.NO_AGENT), (BUSY, "TURN_TIMEOUT")])
async def test_time_runs_out_over_all_attempts_together(error: ValorError, reason: str) -> None:
    """F30. Where nobody could be reached in all that time, that is what is told."""
    agent = Scripted(*[error] * 100)
    with pytest.raises(TimedOut) as timeout:
        await agent.orchestrator(0.1).answer(turn(), "hello")
    assert timeout.value.reason == reason


async def test_after_two_minutes_without_an_agent_the_person_is_told() -> None:
    """F30."""
    agent = Scripted(*[GONE] * 100, ANSWER)
    await agent.answer(turn(), "hello")
    assert agent.log == []
    agent = Scripted(*[GONE] * 130, ANSWER)
    await agent.answer(turn(), "hello")
    assert agent.log == [f"told {failures.NOBODY.split('.')[0]}"]


async def test_a_long_run_between_two_short_absences_is_nothing_to_tell() -> None:
    """F30."""
    agent = Scripted(*[GONE] * 100, [SAID, GONE], *[GONE] * 100, ANSWER)
    await agent.answer(turn(), "hello")
    assert sum(agent.pauses) > LONG
    assert agent.log == []


async def test_a_step_is_kept_before_it_is_acknowledged_and_handed_back_only_to_a_later_attempt() -> None:
    step = Checkpoint(1, b"x", Usage())
    agent = Scripted([Step(step), GONE], ANSWER)
    agent.kept = [Checkpoint(0, b"stale", Usage())]
    await agent.answer(turn(), "hello")
    assert agent.log == ["kept 1", "acknowledged 1"]
    assert agent.questions[0].checkpoints == ()
    assert step in agent.questions[1].checkpoints


async def test_a_turn_that_ran_before_gets_its_checkpoints_at_once() -> None:
    agent = Scripted(ANSWER)
    agent.kept = [Checkpoint(1, b"x", Usage())]
    await agent.answer(turn(fence=2), "hello")
    assert agent.questions[0].checkpoints == tuple(agent.kept)


async def test_what_is_told_grows_and_begins_anew() -> None:
    agent = Scripted([Text("one", restart=False), Text(" two", restart=False), Text("three", restart=True), ANSWER])
    await agent.answer(turn(), "hello")
    assert agent.told == ["one", "one two", "three"]


async def test_the_history_is_cut_to_what_fits() -> None:
    """F99."""
    agent = Scripted(ANSWER)
    await agent.answer(turn(), "hello")
    assert sum(len(said.text) for said in agent.questions[0].history) <= context.CHARACTERS


async def test_an_answer_of_nothing_is_a_failure() -> None:
    """F39."""
    agent = Scripted(Output(" ", Usage()))
    with pytest.raises(WrongState) as error:
        await agent.answer(turn(), "hello")
    assert error.value.reason == "MODEL_EMPTY"
