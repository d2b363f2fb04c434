"""Takes in everything that people write, once and in order.

Pushes are the fast path; they never move the cursor. The cursor moves only by differences that we ask for, and only
over what the pipeline keeps (`progress.py`). Pushes that leave a gap are held until the difference has closed it, so
that no message is handed over before one that was written earlier. Reading waits a moment for what it brought to be
kept, and then goes on: one person's messages that the pipeline has no room for hold up nobody else's.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence

from services.chassis import logs
from services.chassis.errors import ValorError
from services.telegram.inbox import Inbox
from services.telegram.metrics import GAPS, TOO_LONG, VERIFIED
from services.telegram.model import (
    ACCOUNT_BOX,
    Away,
    Box,
    Change,
    Cursor,
    FloodWait,
    Push,
    Refused,
    Slice,
    box_of,
    channel_chat_id,
)
from services.telegram.ports import Store, Updates
from services.telegram.progress import Done, Progress

log = logs.get()

VERIFY = 45.0
"""Seconds between two readings of the difference when all is quiet: a push that was silently lost is found then."""

AGAIN = 0.5
"""Seconds before a difference that failed is asked for again."""

GAP = 0.5
"""Seconds that a missing push may be late, as Telegram's documentation has it."""

SICK = 5.0
"""Seconds before a supergroup is asked for again that alone gets no answer."""

UNPROVEN = 600.0
"""Seconds after which a quiet supergroup is read, whatever Telegram says of it."""

UNREAD = 1000
"""Pushes after which the difference is read, so that the cursor never lags far behind."""

BACKLOG = 5000
"""Messages on their way into the pipeline from which on pushes are let go: the difference brings them, at our pace."""

STALLED = 1.0
"""Seconds that the pipeline gets to keep a piece of a difference; then the next is read, for the other chats' sake."""

START = 1
"""The number from which a supergroup is read that Telegram names before it pushed anything of it."""


class Receiver:
    """The account's boxes."""

    def __init__(self, updates: Updates, store: Store, inbox: Inbox) -> None:
        self._updates, self._store, self._inbox = updates, store, inbox
        self._progress = Progress(store)
        self._cursor: Cursor | None = None
        """How far the account's box was read by this process."""
        self._boxes: dict[int, Box] = defaultdict(Box)
        self._channels: dict[int, int] = {}
        self._read_at: dict[int, float] = {}
        self._stale: set[int] = set()
        self._flooded: dict[int, float] = {}
        self._sick: dict[int, float] = {}
        self._wake = asyncio.Event()
        self._next: asyncio.Future[None] | None = None
        self.begun = asyncio.Event()
        """Set once there is a cursor: nothing that is written from then on is missed. Earlier messages may be."""

    async def load(self) -> None:
        """Know the supergroups of an earlier life; before the first push."""
        self._channels = await self._store.channels()

    def lose(self) -> None:
        """The connection was lost: hold pushes until the difference was read."""
        for box in self._boxes.values():
            box.lose()
        self._sick.clear()  # what got no answer may get one from the next connection
        self._stale |= set(self._channels)
        self._wake.set()

    async def reconciled(self, chat_id: int = 0) -> None:
        """Wait for a difference that is asked for from now on, in the box of this chat as well."""
        self._stale |= {box_of(chat_id)} & self._channels.keys()
        while True:
            if self._next is None:
                self._next = asyncio.get_running_loop().create_future()
            self._wake.set()
            await asyncio.shield(self._next)
            if box_of(chat_id) not in self._stale:
                break
            await asyncio.sleep(max(AGAIN, self._rest(box_of(chat_id))))

    async def push(self, push: Push) -> None:
        """Take what Telegram pushed."""
        for poison in push.poison:
            await self._store.bury(poison)
        if self._inbox.waiting >= BACKLOG:
            self.lose()
            return
        for change in push.changes:
            self._take(self._boxes[change.box].offer(change))
            if self._boxes[ACCOUNT_BOX].pts is not None:  # else the difference may know more of a new supergroup
                await self._meet(change.box)
        self._stale |= set(push.stale_channels)
        if push.stale or push.stale_channels or self._inbox.kept(ACCOUNT_BOX) >= UNREAD:
            self._wake.set()
        elif any(self._boxes[change.box].gap for change in push.changes):
            asyncio.get_running_loop().call_later(GAP, self._find_gaps)

    async def run(self) -> None:
        """Read the difference when something asks for it, and every now and then; for ever.

        Raises:
            LoggedOut: The account's authorisation is gone.
        """
        self.lose()
        while True:
            await self._woken()
            asked, self._next = self._next, None
            await self._until_read()
            if asked is not None:
                asked.set_result(None)

    async def _woken(self) -> None:
        try:
            async with asyncio.timeout(VERIFY):
                await self._wake.wait()
        except TimeoutError:
            long_ago = time.monotonic() - UNPROVEN
            self._stale |= {number for number in self._channels if self._read_at.get(number, 0.0) < long_ago}
        self._wake.clear()
        self._stale |= {number for number in self._channels if self._inbox.kept(number)}

    async def _until_read(self) -> None:
        while True:
            try:
                return await self._reconcile()
            except (Away, Refused, ValorError) as error:
                log.warning("difference_failed", cause=str(error))
                await asyncio.sleep(AGAIN)
            except FloodWait as error:
                log.warning("difference_flooded", seconds=error.seconds)
                await asyncio.sleep(error.seconds)

    async def _reconcile(self) -> None:
        cursor = self._cursor or await self._store.cursor() or await self._first_cursor()
        self.begun.set()
        final = False
        while not final:
            piece = await self._updates.difference(cursor)
            contents = await self._absorb(ACCOUNT_BOX, 0, piece)
            await self._reconcile_channels(piece.channels)
            self._cursor = cursor = piece.cursor or cursor
            await self._progress.note(ACCOUNT_BOX, cursor, contents)
            final = piece.final
        for number in list(self._boxes):
            await self._meet(number)
        self._inbox.forget(ACCOUNT_BOX)
        self._take(self._boxes[ACCOUNT_BOX].synchronise(cursor.pts))
        VERIFIED.set(time.time())

    async def _first_cursor(self) -> Cursor:
        cursor = await self._updates.state()
        await self._store.advance(ACCOUNT_BOX, cursor)
        return cursor

    async def _reconcile_channels(self, named: Sequence[int]) -> None:
        """Read all supergroups of which something may be missing; one that cannot be read holds up no other chat."""
        self._stale |= set(named)
        for channel_id in sorted(self._stale):
            if self._rest(channel_id):
                continue
            self._stale.discard(channel_id)  # whoever names it from now on means a later difference
            try:
                await self._reconcile_channel(channel_id)
            except FloodWait as wait:
                log.warning("supergroup_flooded", channel_id=channel_id, seconds=wait.seconds)
                self._put_off(channel_id, self._flooded, wait.seconds)
            except Away as error:
                log.warning("supergroup_silent", channel_id=channel_id, cause=str(error))
                self._put_off(channel_id, self._sick, SICK)
            except BaseException:
                self._stale.add(channel_id)
                raise

    def _put_off(self, channel_id: int, why: dict[int, float], seconds: float) -> None:
        self._stale.add(channel_id)
        why[channel_id] = time.monotonic() + seconds
        asyncio.get_running_loop().call_later(seconds + 0.1, self._wake.set)

    def _rest(self, channel_id: int) -> float:
        """Seconds until a supergroup may be read."""
        until = max(self._flooded.get(channel_id, 0.0), self._sick.get(channel_id, 0.0))
        return max(0.0, until - time.monotonic())

    async def _reconcile_channel(self, channel_id: int) -> None:
        if channel_id not in self._channels:
            self._channels[channel_id] = START  # from now on its pushes are held
            await self._progress.note(channel_id, Cursor(START), ())
        pts, final = self._channels[channel_id], False
        while not final:
            piece = await self._updates.channel_difference(channel_id, pts)
            if piece is None:
                break
            contents = await self._absorb(channel_id, channel_chat_id(channel_id), piece)
            self._channels[channel_id] = pts = piece.pts
            await self._progress.note(channel_id, Cursor(pts), contents)
            final = piece.final
        self._read_at[channel_id] = time.monotonic()
        self._inbox.forget(channel_id)
        self._take(self._boxes[channel_id].synchronise(pts))

    async def _absorb(self, box: int, chat_id: int, piece: Slice) -> list[Done]:
        """Hand a piece over; what is done when the pipeline keeps it, which it mostly does before this returns."""
        if piece.too_long:
            TOO_LONG.inc()
            log.error("difference_too_long", box=box)
        for poison in piece.poison:
            await self._store.bury(poison)
        if piece.sent:
            await self._store.note_sent(piece.sent)
        contents = [self._inbox.put(message, piece.pts, exact=piece.final) for message in piece.messages]
        if piece.deleted:
            contents.append(self._inbox.delete(chat_id, piece.deleted))
        await self._settle(contents)
        return contents

    async def _settle(self, contents: Sequence[Done]) -> None:
        """Give the pipeline its time, and wait while more is on its way than may be."""
        if contents:
            await asyncio.wait(contents, timeout=STALLED)
        while self._inbox.waiting >= BACKLOG:
            await asyncio.sleep(AGAIN)

    async def _meet(self, number: int) -> None:
        """A supergroup that is new, and of which something was pushed, is read from just before that on."""
        box = self._boxes[number]
        if number == ACCOUNT_BOX or number in self._channels or not box.held:
            return
        start = box.held[0].pts - box.held[0].count
        self._channels[number] = start
        await self._store.advance(number, Cursor(start))
        self._take(box.synchronise(start))

    def _take(self, ready: Sequence[Change]) -> None:
        for change in ready:
            if change.message is not None:
                self._inbox.put(change.message, change.pts)
            elif change.deleted:
                chat_id = 0 if change.box == ACCOUNT_BOX else channel_chat_id(change.box)
                self._inbox.delete(chat_id, change.deleted)

    def _find_gaps(self) -> None:
        gaps = {number for number, box in self._boxes.items() if box.gap}
        if gaps:
            GAPS.inc()
            self._stale |= gaps & self._channels.keys()
            self._wake.set()
