"""Runs a claimed turn to its end: decides what it asks for, gets the answer, writes it; no way ends in silence."""

import asyncio
import time
from dataclasses import replace

from services.chassis import logs
from services.chassis.errors import Denied, LostOwnership, TimedOut, Unavailable, ValorError
from services.pipeline import failures, gate, promises, router
from services.pipeline.budget_words import spent_words
from services.pipeline.commands import PAIRING, Commands
from services.pipeline.gate import Verdict
from services.pipeline.metrics import ANSWER_SECONDS, ENDED, FAILED
from services.pipeline.model import Draft, Role, Turn, Usage
from services.pipeline.orchestrate import Orchestrator
from services.pipeline.plan import Planner
from services.pipeline.ports import Output, People, Renderer, Store
from services.pipeline.promises import Kind, Promise
from services.pipeline.spending import Spending, Spent
from services.pipeline.split import split
from services.pipeline.stage import Stage

log = logs.get()

Answer = Output | list[Draft]
"""In Markdown, or what is to be sent as it is: words of people that nobody must read as Markdown."""

AGAIN = 0.2
"""Seconds between two questions to people while it is away."""

CLAIMS = 20
"""Claims without an end before a question, as it is worded, is given up: what kills its runner must not go on so."""


class Responder:
    """One turn's way from claim to written answer."""

    def __init__(
        self,
        *,
        store: Store,
        people: People,
        orchestrator: Orchestrator,
        spending: Spending,
        stage: Stage,
        renderer: Renderer,
        groups: frozenset[int],
    ) -> None:
        self._store, self._people, self._orchestrator = store, people, orchestrator
        self._stage, self._renderer, self._groups = stage, renderer, groups
        self._commands, self._planner = Commands(store, spending.limits), Planner(store)

    async def run(self, turn: Turn) -> None:
        """Bring the turn to its end.

        Raises:
            LostOwnership: Somebody else has the turn now, or it was cancelled.
        """
        try:
            await self._run(turn)
        except (LostOwnership, Unavailable):
            raise
        except Exception as error:  # the worker loop: a bug must end in a word and a dead letter, not in silence
            log.exception("turn_broke")
            await self._give_up(turn, "INTERNAL", repr(error))
        finally:
            self._stage.close(turn)

    async def _run(self, turn: Turn) -> None:
        if turn.fence > CLAIMS * (1 + turn.edition):
            await self._give_up(turn, "CRASH_LOOP", f"claimed {turn.fence} times without an end")
            return
        try:
            if turn.message.promise_id:
                turn = await self._store.promised(turn)
            turn, answer = await self._reply(turn)
        except LostOwnership:
            raise
        except ValorError as error:
            if isinstance(error, Unavailable) and not failures.is_of_the_model(error):
                raise  # the store is away: whoever takes the turn over goes on from its checkpoints
            await self._give_up(turn, error.reason, str(error))
            return
        except Spent as spent:
            log.info("budget_spent", cause=str(spent))
            words = spent_words(spent.standing, time.time())
            answer = Output(words, await self._used(turn), model_seconds=None)
        if answer is not None:
            await self._finish(turn, answer)

    async def _used(self, turn: Turn) -> Usage:
        return sum((checkpoint.usage for checkpoint in await self._store.checkpoints(turn)), Usage())

    async def _reply(self, turn: Turn) -> tuple[Turn, Answer | None]:
        """The answer, and the turn as it is known by then: who pays for the last call may be known only now."""
        if turn.role is not Role.UNKNOWN:
            return turn, await self._answer(turn)
        return await self._admit(turn)

    async def _admit(self, turn: Turn) -> tuple[Turn, Answer | None]:
        """Who wrote this was not known when it came: wait until it is, and decide then. None: it was not for us."""
        while (person := await self._people.resolve(turn.message)).role is Role.UNKNOWN:
            await asyncio.sleep(AGAIN)
        listed = turn.message.address.chat_id in self._groups
        verdict = gate.decide(turn.message.chat_type, person.role, listed=listed, addressed=True)
        if verdict is Verdict.ANSWER:
            await self._store.identify(turn, person)
            known = replace(turn, person_id=person.person_id, role=person.role)
            return known, await self._answer(known)
        if turn.promise is not None:
            raise Denied("The person may not ask any more.", reason=failures.NOT_ALLOWED)
        code = await self._pairing_code(turn) if verdict is Verdict.PAIR else ""
        if not code:
            await self._store.forget(turn)
            ENDED.labels("denied").inc()
            return turn, None
        await self._store.drop_text(turn)
        return turn, Output(PAIRING.format(code=code), Usage())

    async def _pairing_code(self, turn: Turn) -> str:
        while True:
            try:
                return await self._people.pairing_code(turn.message)
            except (Unavailable, TimedOut):
                await asyncio.sleep(AGAIN)

    async def _finish(self, turn: Turn, answer: Answer) -> None:
        output = answer if isinstance(answer, Output) else Output("", Usage())
        drafts = self._renderer.render(answer.text) if isinstance(answer, Output) else answer
        self._stage.close(turn)
        kept = await self._store.finish(
            turn,
            drafts,
            output.usage,
            last=output.last,
            steer_ids=output.steer_ids,
            overhead=_overhead(turn, output, time.time()),
        )
        if not kept:
            ENDED.labels("reworded").inc()
            return
        ENDED.labels("answered").inc()
        ANSWER_SECONDS.observe(max(0.0, time.time() - turn.accept_time))
        log.info("turn_answered", parts=len(drafts))

    async def _answer(self, turn: Turn) -> Answer:
        self._stage.open(turn)
        if turn.promise is not None:
            return await self._keep(turn, turn.promise)
        match router.route(turn.message):
            case router.Command(name) if self._planner.knows(name):
                return split(await self._planner.answer(name, turn), ())
            case router.Command(name):
                return Output(await self._commands.answer(name, turn.message, turn.role), Usage())
            case router.Plain(text):
                return Output(text, Usage())
            case router.Ask(text):
                return await self._orchestrator.answer(turn, text)

    async def _keep(self, turn: Turn, promise: Promise) -> Answer:
        if promise.broken:
            return [Draft(promises.not_kept(promise))]
        if promise.kind is Kind.REMINDER:
            return [Draft(promises.reminder(promise, turn.accept_time))]
        output = await self._orchestrator.answer(turn, promise.text)
        return replace(output, text=promises.introduction(promise, turn.accept_time) + output.text)

    async def _give_up(self, turn: Turn, reason: str, cause: str) -> None:
        self._stage.close(turn)
        words = failures.words(reason)
        draft = Draft(promises.failed(turn.promise, words)) if turn.promise else self._renderer.render(words)[0]
        await self._store.fail(turn, draft, reason, cause)
        ENDED.labels("failed").inc()
        FAILED.labels(reason).inc()
        log.error("turn_failed", reason=reason, cause=cause)


def _overhead(turn: Turn, output: Output, now: float) -> float | None:
    """Seconds until the answer that were not the model's."""
    if output.model_seconds is None:
        return None
    return max(0.0, now - turn.ready_time - output.model_seconds)
