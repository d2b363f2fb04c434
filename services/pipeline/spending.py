"""Spends a turn's budget: reserved before each model call, and who has nothing left is told so."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

from services.chassis import logs
from services.chassis.errors import Unavailable, ValorError
from services.pipeline import failures
from services.pipeline.budget import Amount, Limit, Need, Price, Refusal, Scope, Standing, Window, likely_cost
from services.pipeline.metrics import BUDGET_REFUSED, BUDGET_USED
from services.pipeline.model import Checkpoint, Question, Turn
from services.pipeline.ports import Agent, Run, Store

log = logs.get()

AGAIN = 0.25
"""Seconds until the next look at a budget that is full of calls under way."""

LOOK = 5.0
"""Seconds between two looks at how much is used."""


class Spent(Exception):
    """No model call may begin any more in this window."""

    def __init__(self, standing: Standing) -> None:
        super().__init__(f"The {standing.limit.window} budget of the {standing.limit.scope} is spent.")
        self.standing = standing


class Spending:
    """What may be spent. `limits`: those that hold for a model of a price."""

    def __init__(self, store: Store, agent: Agent, limits: Callable[[Price], tuple[Limit, ...]]) -> None:
        self._store, self._agent, self._limits = store, agent, limits

    async def limits(self) -> tuple[Limit, ...]:
        """The limits that hold; while the agent is away, those that do not depend on its model."""
        try:
            return self._limits(await self._agent.price())
        except ValorError:
            return self._limits(Price())

    async def measure(self) -> None:
        """Show how much of the whole house's budget is used, again and again, until cancelled."""
        while True:
            try:
                used = {window: amount for _, window, amount in await self._store.used_by_all()}
                limits = await self.limits()
            except Unavailable as error:
                log.error("measure_failed", cause=error.message)
            else:
                _show([limit for limit in limits if limit.scope is Scope.TOTAL], used)
            await asyncio.sleep(LOOK)

    async def open(self, turn: Turn, question: Question) -> "Purse":
        """Reserve for the first call of an attempt.

        Raises:
            Spent: It may not begin.
            ValorError: The agent does not say what its model costs; passing.
        """
        price = await self._agent.price()
        purse = Purse(self._store, turn, price, self._limits(price), _size(question))
        await purse.begin()
        return purse


class Purse:
    """The budget of one attempt; `size`: bytes that the model is told so far."""

    def __init__(self, store: Store, turn: Turn, price: Price, limits: tuple[Limit, ...], size: int) -> None:
        self._store, self._turn, self._price, self._limits, self._size = store, turn, price, limits, size
        self._pause: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def begin(self) -> None:
        """Reserve for the first call."""
        need = self._need()
        if need is not None:
            await self._granted(await self._store.reserve(self._turn, need), need)

    async def keep(self, checkpoint: Checkpoint) -> None:
        """Keep a step, settle its cost, and reserve for the next call."""
        self._size += len(checkpoint.data)
        need = self._need()
        refusal = await self._store.add_checkpoint(self._turn, checkpoint, need)
        if need is not None:
            await self._granted(refusal, need)

    async def fail(self, error: ValorError, run: Run) -> None:
        """The attempt has failed: what was reserved is free again where the model did nothing for it."""
        if self._limits and (failures.is_unpaid(error) or not await run.accepted()):
            await self._store.give_back(self._turn)

    def _need(self) -> Need | None:
        return Need(likely_cost(self._size, self._price), self._limits) if self._limits else None

    async def _granted(self, refusal: Refusal | None, need: Need) -> None:
        while refusal is not None:
            limit = refusal.standing.limit
            if not refusal.passing:
                BUDGET_REFUSED.labels(limit.scope, limit.window).inc()
                raise Spent(refusal.standing)
            log.info("budget_full", scope=limit.scope, window=limit.window)
            await self._pause(AGAIN)
            refusal = await self._store.reserve(self._turn, need)


def _show(limits: Iterable[Limit], used: Mapping[Window, Amount]) -> None:
    for limit in limits:
        BUDGET_USED.labels(limit.window).set(used[limit.window].of(limit.unit) / limit.value if limit.value else 1.0)


def _size(question: Question) -> int:
    texts = [question.text, *(said.text for said in question.history)]
    if question.reply_to is not None:
        texts.append(question.reply_to.text)
    return sum(len(text.encode("utf-8", "replace")) for text in texts) + sum(
        len(checkpoint.data) for checkpoint in question.checkpoints
    )
