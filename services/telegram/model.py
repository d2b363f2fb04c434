"""Telegram in our words: what comes in by which box, what goes out. No I/O, no Telethon."""

import bisect
import zlib
from dataclasses import dataclass, field
from enum import StrEnum

ACCOUNT_BOX = 0
"""The update box of private chats and basic groups. Every supergroup has one of its own, named by its channel id."""


@dataclass(frozen=True, slots=True)
class Entity:
    """A span of a text; offset and length in UTF-16 code units, as Telegram counts."""

    type: str
    offset: int
    length: int
    value: str = ""


class ChatType(StrEnum):
    """Where a message was written."""

    PRIVATE = "private"
    GROUP = "group"
    SUPERGROUP = "supergroup"


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message that somebody else wrote, in its present wording."""

    chat_id: int
    chat_type: ChatType
    message_id: int
    user_id: int
    text: str
    chat_title: str = ""
    name: str = ""
    username: str = ""
    bot: bool = False
    kind: str = "text"
    entities: tuple[Entity, ...] = ()
    reply_to: int = 0
    send_time: float = 0.0
    edited: bool = False
    topic_id: int = 0

    @property
    def box(self) -> int:
        """The box that the message is numbered in."""
        return box_of(self.chat_id)


GENERAL = 1
"""The topic of what is said outside of topics in a forum. Telegram knows it by no name: it is never sent."""


def topic_to_name(chat_id: int, topic_id: int) -> int | None:
    """The topic as a request names it; none outside of topics and in General, which only groups have."""
    return topic_id if topic_id and (chat_id > 0 or topic_id != GENERAL) else None


CHANNEL_BASE = 1_000_000_000_000
"""A supergroup's marked id is -(base + channel id), as the Bot API writes it."""


def channel_chat_id(channel_id: int) -> int:
    """The marked id of a supergroup."""
    return -(CHANNEL_BASE + channel_id)


def box_of(chat_id: int) -> int:
    """The box in which the messages of a chat are numbered."""
    return -(chat_id + CHANNEL_BASE) if chat_id < -CHANNEL_BASE else ACCOUNT_BOX


@dataclass(frozen=True, slots=True)
class Poison:
    """A message that cannot be put into our words; kept whole, so that nothing is lost and nothing is blocked."""

    raw: str
    reason: str
    message: Incoming | None = None
    """What it says, where it could be read."""


@dataclass(frozen=True, slots=True)
class Change:
    """One numbered update of a box: a message, deletions, or something that only moves the number."""

    box: int
    pts: int
    count: int
    message: Incoming | None = None
    deleted: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Stop:
    """A person pressed the stop button of a draft of ours."""

    chat_id: int
    topic_id: int
    draft_id: int


@dataclass(frozen=True, slots=True)
class Push:
    """What Telegram pushed at once."""

    changes: tuple[Change, ...] = ()
    stops: tuple[Stop, ...] = ()
    stale: bool = False
    """Telegram says: ask for the difference, there is more than I push."""
    stale_channels: tuple[int, ...] = ()
    poison: tuple[Poison, ...] = ()


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a box was read; `date` in epoch seconds. That of a supergroup has nothing but `pts`."""

    pts: int
    qts: int = 0
    date: int = 0


@dataclass(frozen=True, slots=True)
class Slice:
    """A piece of a difference. Messages carry their last wording in it; `sent` maps random ids to message ids."""

    pts: int
    final: bool
    messages: tuple[Incoming, ...] = ()
    deleted: tuple[int, ...] = ()
    sent: tuple[tuple[int, int], ...] = ()
    channels: tuple[int, ...] = ()
    cursor: Cursor | None = None
    too_long: bool = False
    poison: tuple[Poison, ...] = ()


HELD = 1000
"""Pushes that a box holds back at most; what overflows comes with the difference."""


@dataclass
class Box:
    """Puts the pushes of one box into order: what comes early is held until the gap before it is closed.

    `pts` is the number of the last update that was taken; None until the box was first read.
    """

    pts: int | None = None
    held: list[Change] = field(default_factory=list)
    overflow: int = 0
    """The highest number that there was no room for."""

    def offer(self, change: Change) -> list[Change]:
        """The updates that may be taken now, in order: none, this one, or this one and some that were held."""
        if self.pts is not None and change.pts <= self.pts and change.count:
            return []
        bisect.insort(self.held, change, key=lambda held: (held.pts, not held.count))
        if len(self.held) > HELD:
            self.overflow = max(self.overflow, self.held.pop().pts)
        return self._ready()

    def synchronise(self, pts: int) -> list[Change]:
        """The difference was read up to `pts`; the held updates that may be taken now."""
        self.pts = pts if self.pts is None else max(self.pts, pts)
        return self._ready()

    def lose(self) -> None:
        """The connection was lost: nobody knows what was missed."""
        self.pts = None

    @property
    def gap(self) -> bool:
        """Something is missing."""
        return bool(self.held) or self.overflow > (self.pts or 0)

    def _ready(self) -> list[Change]:
        if self.pts is None:
            return []
        ready: list[Change] = []
        waiting: list[Change] = []
        for change in self.held:
            if change.pts - change.count == self.pts:
                ready.append(change)
                self.pts = change.pts
            elif change.pts > self.pts:
                waiting.append(change)
        self.held = waiting
        return ready


class PartKind(StrEnum):
    """What a part is."""

    TEXT = "text"
    PREVIEW = "preview"
    REACTION = "reaction"


@dataclass(frozen=True, slots=True)
class Part:
    """One thing to send."""

    part_id: str
    turn_id: str
    chat_id: int
    topic_id: int
    kind: PartKind
    text: str
    entities: tuple[Entity, ...]
    random_id: int
    reply_to: int
    target: int
    possibly_sent: bool
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """The text of an answer so far; `target` is the preview message that shows it, 0 for a native draft."""

    turn_id: str
    chat_id: int
    topic_id: int
    text: str
    target: int

    @property
    def draft_id(self) -> int:
        """The name that Telegram knows the draft by: of one turn always the same, and never 0."""
        return 1 + zlib.crc32(self.turn_id.encode())


@dataclass(frozen=True, slots=True)
class Typing:
    """Somebody is being answered."""

    turn_id: str
    chat_id: int
    topic_id: int


class Refused(Exception):
    """Telegram will never do this; `reason` is its own word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class FloodWait(Exception):
    """Telegram does this again in `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"{seconds:.0f} s")
        self.seconds = seconds


class Away(Exception):
    """Telegram did not answer; whether it did what was asked is unknown."""


class Unreadable(Away):
    """Telegram answered with something that nobody here can read."""


class LoggedOut(Exception):
    """The account's authorisation is gone."""
