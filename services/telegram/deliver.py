"""Sends what the pipeline has to send: each part once, whatever breaks in between.

A part that may have been sent before is looked up first, in our own difference. A send whose outcome is unknown is
looked up as well, and repeated only then, with the same random id. What Telegram refuses for good is recorded as such;
tables of our own that are away are no verdict on a part.
"""

import asyncio
import itertools
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from services.chassis import context, logs, tracing
from services.chassis.backoff import pause
from services.chassis.errors import InvalidArgument, NotFound, Unavailable, ValorError
from services.telegram.fallback import GONE_REPLY, fallback
from services.telegram.metrics import DELIVERED, DROPPED, PENDING
from services.telegram.model import Away, Draft, FloodWait, LoggedOut, Part, PartKind, Refused, Typing
from services.telegram.pace import Pace, Rank
from services.telegram.ports import Pipeline, Sender, Store
from services.telegram.receive import Receiver
from services.telegram.stop import Stopper

log = logs.get()

PAUSES = (0.05, 0.2, 0.5, 1.0)
"""Seconds between attempts while somebody is away; the last one for ever."""

ENDED = 1_000
"""Turns whose frames are remembered to be late."""

Chat = tuple[int, int]


class Deliverer:
    """The way out."""

    def __init__(
        self, pipeline: Pipeline, sender: Sender, store: Store, pace: Pace, receiver: Receiver, *, stopper: Stopper
    ) -> None:
        self._stopper = stopper
        self._pipeline, self._sender, self._store = pipeline, sender, store
        self._pace, self._receiver = pace, receiver
        self._parts: dict[str, asyncio.Task[None]] = {}
        self._frames: dict[Chat, asyncio.Task[None]] = {}
        self._next: dict[Chat, Draft | Typing] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()

    async def run(self) -> None:
        """Follow the pipeline for ever. What it hands out first may have been sent before: read up to now first."""
        await self._receiver.reconciled()
        attempt = 0
        while True:
            try:
                async for event in self._pipeline.follow():
                    attempt = 0
                    self._begin(event)
            except ValorError as error:
                log.warning("follow_ended", reason=error.reason)
            await asyncio.sleep(pause(PAUSES, attempt))
            attempt += 1

    async def stop(self, grace: float) -> None:
        """Give what is being sent `grace` seconds."""
        self._next.clear()
        tasks = [*self._parts.values(), *self._frames.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=grace)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, event: Part | Draft | Typing) -> None:
        if not isinstance(event, Part):
            self._show(event)
        elif event.part_id not in self._parts:  # a stream that was opened again hands out what is still on its way
            task = asyncio.create_task(self._deliver(event), name=f"part-{event.part_id}")
            self._parts[event.part_id] = task
            PENDING.set(len(self._parts))
            task.add_done_callback(lambda _: self._forget(event.part_id))

    def _forget(self, part_id: str) -> None:
        del self._parts[part_id]
        PENDING.set(len(self._parts))

    async def _deliver(self, part: Part) -> None:
        ids = {"turn_id": part.turn_id, "chat_id": str(part.chat_id)}
        with context.about(**ids), tracing.span("deliver", part.trace, part_id=part.part_id):
            if part.kind is PartKind.TEXT:
                await self._end_frames(part)
            try:
                message_id, error = await self._send_patiently(part), ""
            except Refused as refusal:
                message_id, error = 0, refusal.reason
                log.error("part_refused", part_id=part.part_id, reason=refusal.reason)
            except Exception:  # the worker loop: a part that breaks us must not block its chat
                message_id, error = 0, "INTERNAL"
                log.exception("part_broke", part_id=part.part_id)
            await self._record(part, message_id, error)
        DELIVERED.labels(part.kind.value, "refused" if error else "received").inc()

    async def _record(self, part: Part, message_id: int, error: str) -> None:
        for attempt in itertools.count():
            try:
                await self._pipeline.record(part.part_id, message_id, error)
            except (InvalidArgument, NotFound) as refusal:
                log.error("receipt_refused", part_id=part.part_id, reason=refusal.reason)
                break
            except ValorError as refusal:
                log.warning("record_failed", reason=refusal.reason)
                await asyncio.sleep(pause(PAUSES, attempt))
            else:
                break

    async def _send_patiently(self, part: Part) -> int:
        """Send a part; whenever our own tables are away meanwhile, begin again with a look."""
        for attempt in itertools.count():
            try:
                return await self._send(part)
            except Unavailable as error:
                log.warning("tables_away", part_id=part.part_id, cause=error.message, attempt=attempt)
                await asyncio.sleep(pause(PAUSES, attempt))
                part = replace(part, possibly_sent=True)
        raise AssertionError("count() ends")

    async def _send(self, part: Part) -> int:
        if part.kind is PartKind.REACTION:
            return await self._insist("react", part, lambda: self._sender.react(part), Rank.SIGN)
        if part.target:
            try:
                return await self._insist("edit", part, lambda: self._sender.edit(part), Rank.FINAL)
            except Refused as refusal:
                if refusal.reason not in GONE_REPLY:
                    raise  # else somebody deleted the preview: the text becomes a message of its own
        return await self._send_message(part)

    async def _send_message(self, part: Part) -> int:
        if part.possibly_sent and (found := await self._find(part)):
            return found
        while True:
            try:
                return await self._insist("send", part, partial(self._sender.send, part), Rank.FINAL)
            except Refused as refusal:
                easier = fallback(part, refusal.reason)
                if easier is None:
                    raise
                part = easier

    async def _insist(self, method: str, part: Part, call: Callable[[], Awaitable[int]], rank: Rank) -> int:
        """Call until Telegram did it or refuses for good."""
        for attempt in itertools.count():
            try:
                async with self._pace.slot(rank, method, part.chat_id):
                    with tracing.span(method):
                        return await call()
            except FloodWait as wait:
                log.warning("flood_wait", method=method, seconds=wait.seconds)
                await self._pace.flood(method, part.chat_id, wait.seconds)
            except (Away, LoggedOut) as error:
                log.warning("send_unknown", method=method, cause=str(error), attempt=attempt)
                await asyncio.sleep(pause(PAUSES, attempt))
                if method == "send" and (found := await self._find(part)):
                    return found
        raise AssertionError("count() ends")

    async def _find(self, part: Part) -> int | None:
        """The message that the part's random id became, as far as our own difference tells."""
        await self._receiver.reconciled(part.chat_id)
        return await self._store.sent(part.random_id)

    def _show(self, event: Draft | Typing) -> None:
        chat = (event.chat_id, event.topic_id)
        if event.turn_id in self._ended:
            DROPPED.inc()
        elif chat in self._frames:
            DROPPED.inc(chat in self._next)
            self._next[chat] = event
        else:
            task = self._frames[chat] = asyncio.create_task(self._frame(event))
            task.add_done_callback(lambda _: self._show_next(chat))

    def _show_next(self, chat: Chat) -> None:
        del self._frames[chat]
        event = self._next.pop(chat, None)
        if event is not None:
            self._show(event)

    async def _frame(self, event: Draft | Typing) -> None:
        """One frame; what comes meanwhile waits, and only the newest of it."""
        method = "edit" if isinstance(event, Draft) and event.target else "show"
        if self._pace.flooded(method, event.chat_id):
            DROPPED.inc()
            return
        rank = Rank.PREVIEW if isinstance(event, Draft) else Rank.SIGN
        try:
            async with self._pace.slot(rank, method, event.chat_id):
                if event.turn_id not in self._ended:
                    self._stopper.note(event)
                    await self._sender.show(event)
        except FloodWait as wait:
            await self._pace.flood(method, event.chat_id, wait.seconds)
        except (Away, Refused, LoggedOut, Unavailable) as error:
            DROPPED.inc()
            log.info("frame_lost", cause=str(error))

    async def _end_frames(self, part: Part) -> None:
        """No frame follows the final text: late ones are dropped, the one in flight is awaited."""
        self._ended[part.turn_id] = None
        if len(self._ended) > ENDED:
            self._ended.popitem(last=False)
        frame = self._frames.get((part.chat_id, part.topic_id))
        if frame is not None:
            await asyncio.wait([frame])
