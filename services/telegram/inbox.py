"""Hands messages to the pipeline: in order per chat, chats side by side, until each one is kept."""

import asyncio
import dataclasses
import itertools
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import NamedTuple

from services.chassis import context, logs, tracing
from services.chassis.backoff import pause
from services.chassis.errors import InvalidArgument, ValorError
from services.telegram.metrics import OLDEST_UNSUBMITTED, SUBMITTED, UNSUBMITTED
from services.telegram.model import Entity, Incoming, Poison, box_of
from services.telegram.ports import Pipeline, Store

log = logs.get()

PAUSES = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Seconds between attempts while the pipeline is away; the last one for ever. It may say itself when to come again."""

HANDS = 32
"""Calls at once. More would not be kept sooner, and where each waits for all others they all run out of time."""

Key = tuple[int, int]
Content = tuple[str, tuple[Entity, ...]]
Done = asyncio.Future[None]


class _Item(NamedTuple):
    message: Incoming
    version: int
    exact: bool
    done: Done
    since: float


class Inbox:
    """What was taken from Telegram and is on its way into the pipeline."""

    def __init__(self, pipeline: Pipeline, store: Store) -> None:
        self._pipeline, self._store = pipeline, store
        self._chats: dict[int, deque[_Item]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._hands = asyncio.Semaphore(HANDS)
        self._kept: dict[int, dict[Key, tuple[int, Content]]] = {}
        self._queued = 0
        self._failure: BaseException | None = None
        self._broken = asyncio.Event()
        UNSUBMITTED.set_function(lambda: self.waiting)
        OLDEST_UNSUBMITTED.set_function(self._oldest)

    @property
    def waiting(self) -> int:
        """How much is on its way."""
        return self._queued + len(self._tasks)

    def _oldest(self) -> float:
        """Age of the oldest message on its way; whoever asks is another thread, so each look is a copy."""
        heads = [item.since for waiting in list(self._chats.values()) for item in list(waiting)[:1]]
        return time.monotonic() - min(heads) if heads else 0.0

    def put(self, message: Incoming, version: int, *, exact: bool = True) -> Done:
        """Hand a message over; done when the pipeline keeps it, or refused it for good.

        Not exact: the wording may be newer than the version says, as in a piece of a difference that is not the last.
        """
        done: Done = asyncio.get_running_loop().create_future()
        item = _Item(message, version, exact, done, time.monotonic())
        if message.chat_id in self._chats:
            self._chats[message.chat_id].append(item)
        elif self._is_kept(message):
            done.set_result(None)
            return done
        else:
            self._chats[message.chat_id] = deque([item])
            self._begin(self._work(message.chat_id))
        self._queued += 1
        return done

    def delete(self, chat_id: int, message_ids: Sequence[int]) -> "asyncio.Task[None]":
        """Say that messages are gone, behind all that was put of them before; chat 0: they are the account's."""
        box, gone = box_of(chat_id), set(message_ids)
        waiting = [item for chat in self._chats.values() for item in chat if item.message.message_id in gone]
        before = [item.done for item in waiting if item.message.box == box]
        return self._begin(self._delete(before, chat_id, message_ids))

    def kept(self, box: int) -> int:
        """How many messages of a box were kept since it was last forgotten."""
        return len(self._kept.get(box, ()))

    def forget(self, box: int) -> None:
        """The cursor of the box has passed what was kept: it will not come again."""
        self._kept.pop(box, None)

    async def watch(self) -> None:
        """Wait until a chat cannot go on, and raise why: whoever comes next must not overtake what is stuck there."""
        await self._broken.wait()
        if self._failure is not None:
            raise self._failure

    async def close(self) -> None:
        """Stop handing over; what is not kept is read again at the next start."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._failure = task.exception()
            self._broken.set()

    async def _work(self, chat_id: int) -> None:
        waiting = self._chats[chat_id]
        try:
            while waiting:
                item = waiting[0]
                with context.about(chat_id=str(chat_id)), tracing.span("update", message_id=item.message.message_id):
                    await self._keep(item.message, item.version)
                self._remember(item)
                waiting.popleft()
                self._queued -= 1
                if not item.done.done():
                    item.done.set_result(None)
        finally:
            del self._chats[chat_id]
            self._queued -= len(waiting)
            for item in waiting:
                item.done.cancel()

    async def _keep(self, message: Incoming, version: int) -> None:
        try:
            await self._persist(lambda: self._pipeline.submit(message, version))
            SUBMITTED.inc()
        except InvalidArgument as error:
            log.error("message_refused", message_id=message.message_id, cause=error.message)
            await self._bury(message, error.message)
        except Exception as error:  # the worker loop: one odd message must not block the account
            log.exception("message_broke", message_id=message.message_id)
            await self._bury(message, repr(error))

    async def _bury(self, message: Incoming, reason: str) -> None:
        poison = Poison(json.dumps(dataclasses.asdict(message)), reason, message)
        await self._persist(lambda: self._store.bury(poison))

    def _is_kept(self, message: Incoming) -> bool:
        known = self._kept.get(message.box, {}).get((message.chat_id, message.message_id))
        return known is not None and known[1] == _content(message)

    def _remember(self, item: "_Item") -> None:
        """What the pipeline keeps now, as far as that is sure."""
        message = item.message
        kept, key = self._kept.setdefault(message.box, {}), (message.chat_id, message.message_id)
        if not item.exact or (message.edited and key not in kept):
            kept.pop(key, None)
        elif key not in kept or item.version > kept[key][0]:
            kept[key] = item.version, _content(message)

    async def _delete(self, before: Sequence[Done], chat_id: int, message_ids: Sequence[int]) -> None:
        if before:
            await asyncio.wait(before)
        try:
            await self._persist(lambda: self._pipeline.delete(chat_id, message_ids))
        except InvalidArgument as error:
            log.error("deletion_refused", chat_id=chat_id, cause=error.message)

    async def _persist(self, call: Callable[[], Awaitable[None]]) -> None:
        """Call until it succeeds; what is refused for good is raised. Who pauses holds up nobody."""
        for attempt in itertools.count():
            try:
                async with self._hands:
                    await call()
            except InvalidArgument:
                raise
            except ValorError as error:
                log.warning("pipeline_away", reason=error.reason, attempt=attempt)
                await asyncio.sleep(pause(PAUSES, attempt) if error.retry_after is None else error.retry_after)
            else:
                break


def _content(message: Incoming) -> Content:
    return message.text, message.entities
