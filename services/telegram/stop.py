"""Passes the stop button of a draft on to the pipeline. As fleeting as its draft: no difference repeats a stop."""

import asyncio
from collections import OrderedDict

from services.chassis import logs
from services.chassis.errors import ValorError
from services.telegram.model import Draft, Stop, Typing
from services.telegram.ports import Pipeline

log = logs.get()

PAUSES = (0.05, 0.2, 0.5)
"""Seconds between attempts while the pipeline is away; then the person has to press again."""

DRAFTS = 1_000
"""Drafts whose turns are known: those that were shown last."""


class Stopper:
    """Knows which turn a draft belongs to."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._turns: OrderedDict[int, str] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    def note(self, event: Draft | Typing) -> None:
        """This is about to be shown."""
        if isinstance(event, Draft) and not event.target:
            self._turns[event.draft_id] = event.turn_id
            self._turns.move_to_end(event.draft_id)
            if len(self._turns) > DRAFTS:
                self._turns.popitem(last=False)

    def take(self, stop: Stop) -> None:
        """A button was pressed; what we never showed is passed over."""
        turn_id = self._turns.get(stop.draft_id)
        if turn_id is not None:
            task = asyncio.create_task(self._pass_on(stop, turn_id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give up what is on its way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _pass_on(self, stop: Stop, turn_id: str) -> None:
        for pause in (*PAUSES, None):
            try:
                return await self._pipeline.stop(stop.chat_id, stop.topic_id, turn_id)
            except ValorError as error:
                log.warning("stop_failed", turn_id=turn_id, reason=error.reason)
                if pause is not None:
                    await asyncio.sleep(pause)
        return None
