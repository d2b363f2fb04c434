"""What the sandbox allows, and how it behaves where the real Telegram is limited or not fully known."""

import math
from collections import defaultdict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from services.testdc.model import RpcFail

Rate = tuple[int, float]
"""So many calls within so many seconds."""


@dataclass
class Limits:
    """Changed at any time, by attribute or through the control port; not kept on disk."""

    text: int = 4096
    """Longest text of a bot's message or draft, in UTF-16 units."""
    entities: int = 100
    """Entities beyond this number are dropped in silence, as Telegram does."""
    per_chat: Rate | None = None
    """Messages of a bot to one chat; more are FLOOD_WAIT_X. None: no limit. So for the next three."""
    overall: Rate | None = None
    """Messages of a bot to all chats together."""
    per_edit: Rate | None = None
    """Edits by a bot in one chat."""
    per_typing: Rate | None = None
    """Typing actions and drafts of a bot in one chat, together."""
    slowmode: float = 0
    """Seconds between two messages of a bot in a supergroup; earlier ones are SLOWMODE_WAIT_X."""
    random_ids: Literal["returns_first", "duplicate", "forgotten"] = "returns_first"
    """A repeated random_id returns the first message, is RANDOM_ID_DUPLICATE, or makes a second message."""
    reply_to_deleted: Literal["refused", "dropped"] = "refused"
    """A bot's reply to a message that is gone is MESSAGE_ID_INVALID, or is sent without the reply."""
    difference_slice: int = 100
    """Most events in one answer to getDifference or getChannelDifference."""
    difference_form: Literal["full", "count0", "zero"] = "full"
    """The other updates of a difference carry pts and qts; pts but pts_count 0; or zeros."""
    box_size: int = 5_000_000
    """A client whose account pts is further behind gets differenceTooLong."""
    channel_box_size: int = 100_000
    """A client whose supergroup pts is further behind gets channelDifferenceTooLong."""
    state_qts: int | None = None
    """The qts that getState tells instead of the true one."""
    invisible_edits: bool = False
    """A reaction also makes an edit update in which nothing visible changed."""
    min_users: bool = False
    """The users in updates of groups are `min`: without a usable access hash."""
    duplicate_key_grace: float = 1.0
    """Seconds that an old connection may go on after a newer one with its key began to speak."""

    def change(self, changes: dict[str, Any]) -> None:
        """Set limits by name, a rate as a list of two numbers; ValueError, and no change, when one does not fit."""
        hints = get_type_hints(Limits)
        for name, value in changes.items():
            if name not in hints:
                raise ValueError(f"there is no limit {name}")
            if not _fits(value, hints[name]):
                raise ValueError(f"{name} cannot be {value!r}")
        for name, value in changes.items():
            setattr(self, name, tuple(value) if isinstance(value, list) else value)


def _fits(value: Any, hint: Any) -> bool:
    if isinstance(hint, UnionType):
        return any(_fits(value, one) for one in get_args(hint))
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) is tuple:
        return isinstance(value, list) and len(value) == 2 and all(type(n) in (int, float) and n > 0 for n in value)
    return type(value) is hint or (hint is float and type(value) is int)


class Rates:
    """Sliding windows of calls; in memory only."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._windows: defaultdict[Hashable, deque[float]] = defaultdict(deque)

    def take(self, key: Hashable, rate: Rate | None, error: str = "FLOOD_WAIT") -> None:
        """Count a call; 420 `error`_X when it is one too many, X being the whole seconds to wait."""
        if rate is None:
            return
        most, seconds = rate
        now, window = self._clock(), self._windows[key]
        while window and window[0] <= now - seconds:
            window.popleft()
        if len(window) >= most:
            raise RpcFail(420, f"{error}_{math.ceil(window[0] + seconds - now)}")
        window.append(now)
