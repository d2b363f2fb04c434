"""The outside of telegram's use cases, in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from services.telegram.model import (
    Change,
    ChatType,
    Cursor,
    Draft,
    Incoming,
    Part,
    Poison,
    Slice,
    Typing,
    channel_chat_id,
)

Key = tuple[int, int]


def nobody(_: Incoming) -> None:
    """Nothing is refused."""


@dataclass
class StubPipeline:
    """Keeps messages by the rules of the real one, one call at a time while `go` is clear."""

    kept: dict[Key, tuple[int, Incoming]] = field(default_factory=dict)
    submitted: list[tuple[Incoming, int]] = field(default_factory=list)
    deleted: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)
    told: list[object] = field(default_factory=list)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    refuse: Callable[[Incoming], None] = nobody
    refuse_delete: Exception | None = None
    reports: list[Poison] = field(default_factory=list)
    away: list[Exception] = field(default_factory=list)
    """What the next reports raise."""
    calls: int = 0
    """Submissions under way."""
    most: int = 0
    """How many there were at once."""

    def __post_init__(self) -> None:
        self.go.set()

    async def submit(self, message: Incoming, version: int) -> None:
        self.calls += 1
        self.most = max(self.most, self.calls)
        try:
            await self._submit(message, version)
        finally:
            self.calls -= 1

    async def _submit(self, message: Incoming, version: int) -> None:
        await self.go.wait()
        await asyncio.sleep(0)
        self.refuse(message)
        self.submitted.append((message, version))
        self.told.append(message.text)
        key = message.chat_id, message.message_id
        known = self.kept.get(key)
        if known is None and message.edited:
            return
        if known is None or version > known[0]:
            self.kept[key] = version, message

    async def delete(self, chat_id: int, message_ids: Sequence[int]) -> None:
        await self.go.wait()
        if self.refuse_delete is not None:
            raise self.refuse_delete
        self.deleted.append((chat_id, tuple(message_ids)))
        self.told.append(tuple(message_ids))

    async def stop(self, chat_id: int, topic_id: int, turn_id: str) -> None:
        self.told.append((chat_id, topic_id, turn_id))

    async def report(self, poison: Poison) -> None:
        if self.away:
            raise self.away.pop(0)
        self.reports.append(poison)

    async def follow(self) -> AsyncIterator[Part | Draft | Typing]:
        await asyncio.Event().wait()
        yield Typing("", 0, 0)

    async def record(self, part_id: str, message_id: int, error: str = "") -> None:
        self.told.append((part_id, message_id or error))


@dataclass
class StubStore:
    """The tables."""

    read: Cursor | None = None
    boxes: dict[int, int] = field(default_factory=dict)
    random_ids: dict[int, int] = field(default_factory=dict)
    letters: list[Poison] = field(default_factory=list)
    floods: dict[tuple[str, int], float] = field(default_factory=dict)
    fail: list[Exception] = field(default_factory=list)
    """What the next calls raise."""
    told: set[int] = field(default_factory=set)

    async def cursor(self) -> Cursor | None:
        return self.read

    async def channels(self) -> dict[int, int]:
        await asyncio.sleep(0)
        return dict(self.boxes)

    async def advance(self, box: int, cursor: Cursor) -> None:
        await asyncio.sleep(0)
        if self.fail:
            raise self.fail.pop(0)
        if box:
            self.boxes[box] = cursor.pts
        else:
            self.read = cursor

    async def note_sent(self, sent: Sequence[tuple[int, int]]) -> None:
        self.random_ids.update(sent)

    async def sent(self, random_id: int) -> int | None:
        return self.random_ids.get(random_id)

    async def bury(self, poison: Poison) -> None:
        if self.fail:
            raise self.fail.pop(0)
        self.letters.append(poison)

    async def unreported(self) -> list[tuple[int, Poison]]:
        return [(number, letter) for number, letter in enumerate(self.letters) if number not in self.told]

    async def reported(self, number: int) -> None:
        self.told.add(number)

    async def waits(self) -> dict[tuple[str, int], float]:
        return dict(self.floods)

    async def wait(self, method: str, chat_id: int, until: float) -> None:
        self.floods[method, chat_id] = until


@dataclass
class StubTelegram:
    """Telegram's boxes: 0 is the account's; every supergroup is read by its own number."""

    boxes: dict[int, list[Incoming]] = field(default_factory=dict)
    """What was written in a box; its number is 1 + the messages in it."""
    piece: int = 2
    clock: int = 0
    changed: dict[int, int] = field(default_factory=dict)
    names: bool = True
    """A difference names the supergroups in which something happened since."""
    asked: list[tuple[int, int]] = field(default_factory=list)
    """(box, number) of each reading."""
    fail: dict[int, list[Exception]] = field(default_factory=dict)
    """What the next readings of a box raise."""
    hold: dict[int, asyncio.Event] = field(default_factory=dict)
    """The answers of a box wait for this; they tell what was so when they were asked for."""

    def write(self, text: str, box: int = 0, chat: int = 8) -> Change:
        """Somebody writes; the push of it."""
        self.clock += 1
        self.changed[box] = self.clock
        written = self.boxes.setdefault(box, [])
        chat = channel_chat_id(box) if box else chat
        kind = ChatType.SUPERGROUP if box else ChatType.PRIVATE
        written.append(Incoming(chat, kind, len(written) + 1, 8, text))
        return Change(box, 1 + len(written), 1, message=written[-1])

    async def state(self) -> Cursor:
        return Cursor(1 + len(self.boxes.get(0, [])), 0, self.clock)

    async def difference(self, cursor: Cursor) -> Slice:
        messages, pts, final = self._read(0, cursor.pts)
        late = [box for box, at in self.changed.items() if box and at >= cursor.date] if self.names and final else []
        found = Slice(
            pts, final, messages, channels=tuple(late), cursor=Cursor(pts, 0, self.clock if final else cursor.date)
        )
        await self._answer(0)
        return found

    async def channel_difference(self, channel_id: int, pts: int) -> Slice | None:
        messages, reached, final = self._read(channel_id, pts)
        await self._answer(channel_id)
        return Slice(reached, final, messages)

    def _read(self, box: int, pts: int) -> tuple[tuple[Incoming, ...], int, bool]:
        self.asked.append((box, pts))
        written = self.boxes.get(box, [])
        found = written[pts - 1 : pts - 1 + self.piece]
        return tuple(found), pts + len(found), pts - 1 + len(found) >= len(written)

    async def _answer(self, box: int) -> None:
        await asyncio.sleep(0)
        if box in self.hold:
            await self.hold[box].wait()
        if self.fail.get(box):
            raise self.fail[box].pop(0)
