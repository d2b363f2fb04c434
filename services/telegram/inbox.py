"""Hands messages to the pipeline: in order per chat, chats side by side, until each one is kept."""

import asyncio
import dataclasses
import itertools
import json
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence

from services.chassis import logs
from services.chassis.errors import InvalidArgument, ValorError
from services.telegram.metrics import BURIED, SUBMITTED
from services.telegram.model import Incoming, Poison
from services.telegram.ports import Pipeline, Store

log = logs.get()

PAUSES = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Seconds between attempts while the pipeline is away; the last one for ever."""

Key = tuple[int, int]
Done = asyncio.Future[None]


class Inbox:
    """What was taken from Telegram and is on its way into the pipeline."""

    def __init__(self, pipeline: Pipeline, store: Store) -> None:
        self._pipeline, self._store = pipeline, store
        self._chats: dict[int, deque[tuple[Incoming, int, Done]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._kept: dict[int, dict[Key, str]] = defaultdict(dict)

    def put(self, message: Incoming, version: int) -> Done:
        """Hand a message over; done when the pipeline keeps it, or refused it for good."""
        done: Done = asyncio.get_running_loop().create_future()
        if self._kept[message.box].get((message.chat_id, message.message_id)) == message.text:
            done.set_result(None)
        elif message.chat_id in self._chats:
            self._chats[message.chat_id].append((message, version, done))
        else:
            self._chats[message.chat_id] = deque([(message, version, done)])
            self._begin(self._work(message.chat_id))
        return done

    def delete(self, chat_id: int, message_ids: Sequence[int]) -> "asyncio.Task[None]":
        """Say that messages are gone, behind all that was put before."""
        before = [done for waiting in self._chats.values() for _, _, done in waiting]
        return self._begin(self._delete(before, chat_id, message_ids))

    def kept(self, box: int) -> int:
        """How many messages of a box were kept since it was last forgotten."""
        return len(self._kept[box])

    def forget(self, box: int) -> None:
        """The cursor of the box has passed what was kept: it will not come again."""
        self._kept.pop(box, None)

    async def close(self) -> None:
        """Stop handing over; what is not kept is read again at the next start."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _work(self, chat_id: int) -> None:
        waiting = self._chats[chat_id]
        try:
            while waiting:
                message, version, done = waiting[0]
                await self._keep(message, version)
                self._kept[message.box][chat_id, message.message_id] = message.text
                waiting.popleft()
                done.set_result(None)
        finally:
            del self._chats[chat_id]
            for _, _, done in waiting:
                done.cancel()

    async def _keep(self, message: Incoming, version: int) -> None:
        try:
            await _persist(lambda: self._pipeline.submit(message, version))
            SUBMITTED.inc()
        except InvalidArgument as error:
            log.error("message_refused", chat_id=message.chat_id, message_id=message.message_id, cause=error.message)
            BURIED.inc()
            await self._store.bury(Poison(json.dumps(dataclasses.asdict(message)), error.message))

    async def _delete(self, before: Sequence[Done], chat_id: int, message_ids: Sequence[int]) -> None:
        await asyncio.gather(*before)
        await _persist(lambda: self._pipeline.delete(chat_id, message_ids))


async def _persist(call: Callable[[], Awaitable[None]]) -> None:
    """Call until it succeeds; what is refused for good is raised."""
    for attempt in itertools.count():
        try:
            await call()
        except InvalidArgument:
            raise
        except ValorError as error:
            log.warning("pipeline_away", reason=error.reason, attempt=attempt)
            await asyncio.sleep(PAUSES[min(attempt, len(PAUSES) - 1)])
        else:
            break
