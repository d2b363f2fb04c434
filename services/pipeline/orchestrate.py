"""Runs one turn at the agent: attempts, checkpoints, host calls, limits; its answer, or the error that ends it."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from services.chassis import logs
from services.chassis.errors import TimedOut, Unavailable, ValorError, WrongState
from services.pipeline import context, failures
from services.pipeline.absence import Absence
from services.pipeline.metrics import FAILED_ATTEMPTS
from services.pipeline.model import Draft, Limits, Question, Role, Said, Turn
from services.pipeline.plan import Planner
from services.pipeline.ports import Agent, HostCall, Output, Run, Step, Store, Text
from services.pipeline.spending import Purse, Spending
from services.pipeline.stage import Stage
from services.pipeline.steer import Feed, Steering

log = logs.get()

RIGHTS = {Role.OWNER: ("tools",), Role.MEMBER: ("tools",), Role.GUEST: ("tools",)}
"""What a person's turn may use; who is not named here may use nothing."""

FOUND = 8
"""Messages that a search of the chat returns at most."""

REACTIONS = frozenset(
    "👍👎❤🔥🥰👏😁🤔🤯😱🤬😢🎉🤩🤮💩🙏👌🕊🤡🥱🥴😍🐳🌚🌭💯🤣⚡🍌🏆💔🤨😐🍓🍾💋🖕😈😴😭🤓👻👀🎃🙈😇😨🤝✍🤗🫡🎅🎄☃💅🤪🗿🆒💘🙉🦄😘💊🙊😎👾🤷😡"
) | {"❤\u200d🔥", "👨\u200d💻", "🤷\u200d♂", "🤷\u200d♀"}
"""What a bot may react with (https://core.telegram.org/bots/api#reactiontypeemoji)."""


class Orchestrator:
    """Takes a turn to its answer, however often the agent has to be asked."""

    def __init__(
        self, store: Store, agent: Agent, stage: Stage, spending: Spending, *, limits: Limits, seconds: float
    ) -> None:
        self._store, self._agent, self._stage, self._spending = store, agent, stage, spending
        self._steering, self._limits, self._seconds = Steering(store), limits, seconds
        self._planner = Planner(store)
        self._pause: Callable[[float], Awaitable[None]] = asyncio.sleep
        self._clock: Callable[[], float] = time.monotonic

    def look_at(self, lane: str) -> None:
        """Something happened in a lane: it may join the turn that runs there."""
        self._steering.look_at(lane)

    async def answer(self, turn: Turn, text: str) -> Output:
        """The agent's answer.

        Raises:
            ValorError: The turn cannot be answered; the reason says why.
            Spent: There is no budget left for it.
            LostOwnership: The turn is not ours any more.
        """
        absence = Absence(self._clock)
        try:
            async with asyncio.timeout(turn.seconds(self._seconds)):
                return await self._persist(turn, text, absence)
        except TimeoutError:
            raise TimedOut("The turn took too long.", reason=_timeout(turn, absence)) from None

    async def _persist(self, turn: Turn, text: str, absence: Absence) -> Output:
        resumed, of_the_model = turn.fence > 1, 0.0
        while True:
            began = self._clock()
            try:
                output = await self._attempt(turn, text, absence, resumed=resumed)
            except ValorError as error:
                FAILED_ATTEMPTS.labels(error.reason).inc()
                if not failures.is_passing(error):
                    raise
                await self._wait(turn, error, absence)
                of_the_model += self._clock() - began if failures.is_of_the_model(error) else 0.0
                resumed = True
            else:
                return _later(output, of_the_model)

    async def _wait(self, turn: Turn, error: ValorError, absence: Absence) -> None:
        """Wait before the next attempt; only failures of the model use attempts up."""
        if not failures.is_of_the_model(error):
            log.info("agent_away", reason=error.reason)
            if absence.note():
                await self._store.tell(turn, Draft(failures.NOBODY))
            await self._pause(absence.pause())
            return
        absence.end()
        attempts = await self._store.note_failure(turn)
        if attempts >= failures.attempts(error):
            raise error
        if failures.is_worth_telling(error, attempts):
            await self._store.tell(turn, Draft(failures.WAITING))
        log.warning("model_failed", reason=error.reason, attempts=attempts)
        await self._pause(failures.wait(error, attempts))

    async def _attempt(self, turn: Turn, text: str, absence: Absence, *, resumed: bool) -> Output:
        question = await self._question(turn, text, resumed=resumed)
        purse = await self._spending.open(turn, question)
        async with self._agent.run(question) as run, self._steering.feed(turn, run) as feed:
            try:
                if resumed:
                    await feed.catch_up(question.checkpoints)
                return await self._follow(turn, run, purse, feed, absence)
            except ValorError as error:
                await purse.fail(error, run)
                raise

    async def _follow(self, turn: Turn, run: Run, purse: Purse, feed: Feed, absence: Absence) -> Output:
        said, steer_ids = "", feed.told
        async for event in run:
            absence.end()
            match event:
                case Text():
                    said = event.text if event.restart else said + event.text
                    self._stage.say(turn, said)
                case Step():
                    await purse.keep(event.checkpoint)
                    steer_ids += event.checkpoint.steer_ids
                    if event.checkpoint.step >= self._limits.steps // 2:
                        feed.enough()
                    await feed.send()
                    await run.acknowledge(event.checkpoint.step)
                case HostCall():
                    await self._serve(turn, run, feed, event)
                case Output() if event.text.strip():
                    return replace(event, steer_ids=steer_ids + event.steer_ids)
                case Output():
                    raise WrongState("The answer is empty.", reason="MODEL_EMPTY")
        raise Unavailable("The agent ended without an answer.", reason="AGENT_ENDED")

    async def _question(self, turn: Turn, text: str, *, resumed: bool) -> Question:
        message = turn.message
        history = await self._store.before(message, context.MESSAGES)
        reply_to = None
        if message.reply_to:
            reply_to = await self._store.said(message.account, message.address.chat_id, message.reply_to)
        return Question(
            turn=turn,
            text=text,
            reply_to=None if reply_to is None else context.shorten(reply_to),
            history=context.fit(history),
            checkpoints=await self._store.checkpoints(turn) if resumed else (),
            rights=RIGHTS.get(turn.role, ()),
            limits=self._limits,
        )

    async def _serve(self, turn: Turn, run: Run, feed: Feed, call: HostCall) -> None:
        arguments = _object(call.arguments)
        if arguments is None:
            content: object = {"error": "the arguments are no JSON object"}
        elif call.name == "search_history":
            content = await self._search(turn, str(arguments.get("query", "")))
        elif call.name == "react":
            content = await self._react(turn, str(arguments.get("emoji", "")))
        elif call.name == "make_promise":
            asked = turn.promise is None or feed.has_joined
            content = await self._planner.serve(turn, call, arguments, asked=asked)
        else:
            content = {"error": f"there is no {call.name}"}
        await run.answer(call, json.dumps(content, ensure_ascii=False))

    async def _search(self, turn: Turn, query: str) -> list[dict[str, object]]:
        message = turn.message
        found = await self._store.search(message.account, message.address, query, FOUND + 1)
        others = [said for said in found if (said.text, said.send_time) != (message.text, message.send_time)]
        return [_shown(said) for said in others[:FOUND]]

    async def _react(self, turn: Turn, emoji: str) -> dict[str, str]:
        if emoji.removesuffix("\ufe0f") not in REACTIONS:
            return {"error": f"{emoji!r} is no reaction that Telegram knows"}
        await self._store.react(turn, emoji.removesuffix("\ufe0f"), by_agent=True)
        return {"result": "done"}


def _timeout(turn: Turn, absence: Absence) -> str:
    if absence.lasts:
        return failures.NO_AGENT
    return "TURN_TIMEOUT" if turn.promise is None else "PROMISE_TIMEOUT"


def _later(output: Output, seconds: float) -> Output:
    """The same, where earlier attempts waited for the model as well."""
    known = output.model_seconds
    return output if known is None else replace(output, model_seconds=known + seconds)


def _object(text: str) -> dict[str, object] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _shown(said: Said) -> dict[str, object]:
    short = context.shorten(said)
    return {"speaker": short.speaker or "Valor", "text": short.text, "time": short.send_time}
