"""One attempt at a turn: ask the model, have its step stored, run its tools, tell it the results, until it answers."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from services.agent import host_tools, metrics
from services.agent.limits import Budget
from services.agent.model import About, Answer, Call, Output, Result, Step, Turn, Usage
from services.agent.ports import Host, Model, Talk, Toolbox, Tools
from services.chassis import tracing
from services.chassis.errors import ValorError, WrongState


class RunTurn:
    """The use case: a turn in, an answer out, the host kept informed."""

    def __init__(self, model: Model, tools: Tools) -> None:
        self._model, self._tools = model, tools
        metrics.announce(self.about.name)

    @property
    def about(self) -> About:
        """The model that answers."""
        return self._model.about

    async def run(self, turn: Turn, host: Host) -> Output:
        """The answer. Cancelling ends the model call and the tools at once.

        Raises:
            WrongState: A limit is crossed (STEP_LIMIT, TOOL_LIMIT, TOOL_LOOP) or the model has nothing to say
                (MODEL_EMPTY).
            ValorError: The model failed; reasons begin with MODEL_.
        """
        with _measured():
            talk = self._model.talk(turn)
            toolbox = await self._tools.open(turn.scope)
            return await _Run(turn, host, talk, toolbox, self._tools, model=self.about.name).to_the_end()


class _Run:
    def __init__(self, turn: Turn, host: Host, talk: Talk, toolbox: Toolbox, tools: Tools, *, model: str) -> None:
        self._turn, self._host, self._talk, self._tools, self._model = turn, host, talk, tools, model
        self._offered = (*host_tools.TOOLS.values(), *toolbox.tools)
        self._names = {tool.name for tool in self._offered}
        metrics.offer(self._names)
        self._acting = {tool.name for tool in self._offered if tool.side_effects}
        self._steer_ids: tuple[str, ...] = ()
        if not toolbox.complete:  # what the model remembers of them may well exist
            self._names |= {call.name for answer in talk.answers for call in answer.calls}
        self._budget = Budget(turn.limits)
        self._reported = sum((answer.usage for answer in talk.answers), Usage())
        self._last = Usage()
        self._model_seconds = 0.0
        self._began: float | None = time.perf_counter()

    async def to_the_end(self) -> Output:
        for step, answer in enumerate(self._talk.answers, start=1):
            self._budget.admit(step, answer.calls, self._names)
        if self._talk.answers:
            await self._act(self._talk.answers[-1].calls)
        while (answer := await self._ask()).calls:
            self._host.restart()
            await self._host.store(self._step(answer))
            self._budget.admit(len(self._talk.answers), answer.calls, self._names)
            await self._act(answer.calls)
        usage = self._reported + self._last
        return Output(answer.text, usage, answer.model, self._last, self._steer_ids, self._model_seconds)

    def _step(self, answer: Answer) -> Step:
        usage, self._last = self._last, Usage()
        self._reported += usage
        steer_ids, self._steer_ids = self._steer_ids, ()
        acting = any(call.name in self._acting for call in answer.calls)
        return Step(len(self._talk.answers), self._talk.checkpoint(), usage, steer_ids, acting)

    async def _ask(self) -> Answer:
        """The next response, to all that was said until now; an empty one is asked for once more."""
        for _ in range(2):
            for steer in self._host.steers():
                self._talk.hear(steer)
                self._steer_ids += (steer.steer_id,)
            began = time.perf_counter()
            with tracing.span("model step", step=len(self._talk.answers) + 1), metrics.model_call(self._model):
                answer = await self._talk.ask(self._offered, self._say)
            self._model_seconds += time.perf_counter() - began
            self._last += answer.usage
            metrics.count(self._model, answer.usage)
            if not answer.empty:
                return answer
            self._host.restart()
        raise WrongState("The model gave an empty answer, twice.", reason="MODEL_EMPTY")

    def _say(self, text: str) -> None:
        if self._began is not None:
            metrics.FIRST_TEXT.observe(time.perf_counter() - self._began)
            self._began = None
        self._host.say(text)

    async def _act(self, calls: Sequence[Call]) -> None:
        """Run the calls of the last response side by side, and tell the model their results."""
        step = len(self._talk.answers)
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(self._call(step, call)) for call in calls]
        self._talk.tell([call.result() for call in running])

    async def _call(self, step: int, call: Call) -> Result:
        self._host.started(step, call)
        with tracing.span("tool", tool=call.name, step=step, index=call.index):
            result = await self._result(step, call)
        self._host.finished(step, call, result)
        name = call.name if call.name in self._names else "unknown"
        metrics.TOOL_CALLS.labels(name, "failed" if result.failed else "ok").inc()
        return result

    async def _result(self, step: int, call: Call) -> Result:
        if call.parsed() is None:
            return Result("The arguments are not a JSON object.", failed=True)
        if call.name not in self._names:
            return Result(f"There is no tool {call.name!r}. There are: {', '.join(sorted(self._names))}.", failed=True)
        if call.name not in host_tools.TOOLS:
            return await self._tools.call(step, call, self._turn.scope)
        if why := host_tools.refusal(call):
            return Result(why, failed=True)
        return host_tools.result(await self._host.ask(step, call))


@contextmanager
def _measured() -> Iterator[None]:
    """Count a turn and how it ends."""
    outcome = "internal"
    with metrics.LIVE.track_inprogress():
        try:
            yield
            outcome = "answered"
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        except ValorError as error:
            outcome = error.reason.lower()
            metrics.LIMIT.note(error)
            raise
        finally:
            metrics.TURNS.labels(outcome).inc()
