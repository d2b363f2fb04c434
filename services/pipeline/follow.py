"""Hands a channel what it has to send: what is due by state, and fleeting events in between."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass

from services.chassis.errors import LostOwnership, Unavailable, ValorError
from services.pipeline.metrics import FOLLOWERS
from services.pipeline.model import Account, Part, Preview, Typing
from services.pipeline.ports import Parts

POLL = 5.0
"""Seconds. Wake-ups are hints: a part that missed its own is handed out within one poll."""


@dataclass(frozen=True, slots=True)
class Due:
    """A part that is due; `possibly_sent`: an earlier stream may have handed it out."""

    part: Part
    possibly_sent: bool


Event = Due | Preview | Typing


class Followers:
    """Who follows which account; at most one stream each."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.elsewhere: Callable[[Preview | Typing], None] = lambda _: None
        """Shows something fleeting where another replica is followed."""
        self._followers: dict[str, _Follower] = {}
        self._closed = False

    async def follow(self, account: Account) -> AsyncIterator[Event]:
        """Everything the account has to send, for ever.

        Raises:
            LostOwnership: A newer stream follows the account.
            Unavailable: The pipeline stops.
        """
        if self._closed:
            raise _stopping()
        name, follower = _name(account), _Follower(self._parts, account)
        older = self._followers.get(name)
        if older is not None:
            older.end(LostOwnership("A newer stream follows this account.", reason="FOLLOWED_ELSEWHERE"))
        self._followers[name] = follower
        FOLLOWERS.set(len(self._followers))
        try:
            async for event in follower.events():
                yield event
        finally:
            if self._followers.get(name) is follower:
                del self._followers[name]
                FOLLOWERS.set(len(self._followers))

    def close(self) -> None:
        """End all streams, and begin none."""
        self._closed = True
        for follower in self._followers.values():
            follower.end(_stopping())

    def look_at(self, lane: str) -> None:
        """Something is due in a lane."""
        follower = self._followers.get(":".join(lane.split(":")[:2]))
        if follower is not None:
            follower.look_at(lane)

    def look_at_all(self) -> None:
        """Something may be due anywhere."""
        for follower in self._followers.values():
            follower.look_at_all()

    def show(self, event: Preview | Typing) -> None:
        """Show something fleeting; dropped where nobody follows."""
        if not self.show_here(event):
            self.elsewhere(event)

    def show_here(self, event: Preview | Typing) -> bool:
        """Show something fleeting that this replica or another one has; False where nobody follows."""
        follower = self._followers.get(_name(event.account))
        if follower is not None:
            follower.show(event)
        return follower is not None


class _Follower:
    """One stream."""

    def __init__(self, parts: Parts, account: Account) -> None:
        self._parts, self._account = parts, account
        self._handed: set[int] = set()
        self._lanes: dict[str, None] = {}
        self._fleeting: dict[tuple[int, type], Preview | Typing] = {}
        self._wake = asyncio.Event()
        self._end: ValorError | None = None
        self._look_again = 0.0

    def end(self, reason: ValorError) -> None:
        self._end = reason
        self._wake.set()

    def look_at(self, lane: str) -> None:
        self._lanes[lane] = None
        self._wake.set()

    def look_at_all(self) -> None:
        self._look_again = 0.0
        self._wake.set()

    def show(self, event: Preview | Typing) -> None:
        self._fleeting[event.turn_id, type(event)] = event
        self._wake.set()

    async def events(self) -> AsyncIterator[Event]:
        for part in await self._all():
            yield Due(part, possibly_sent=True)
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._look_again):
                    await self._wake.wait()
            self._wake.clear()
            if self._end is not None:
                raise self._end
            parts = await (self._all() if _now() >= self._look_again else self._named())
            # What a turn showed while it ran goes before its end: nothing was shown after the answer was written.
            fleeting, self._fleeting = self._fleeting, {}
            for event in fleeting.values():
                yield event
            for part in parts:
                yield Due(part, possibly_sent=False)

    async def _all(self) -> list[Part]:
        self._look_again = _now() + POLL
        due = await self._parts.due(self._account, None)
        self._handed &= {part.part_id for part in due}
        return self._new(due)

    async def _named(self) -> list[Part]:
        lanes, self._lanes = self._lanes, {}
        return self._new(await self._parts.due(self._account, lanes)) if lanes else []

    def _new(self, due: list[Part]) -> list[Part]:
        new = [part for part in due if part.part_id not in self._handed]
        self._handed.update(part.part_id for part in new)
        return new


def _stopping() -> Unavailable:
    return Unavailable("The pipeline stops.", reason="STOPPING")


def _now() -> float:
    return asyncio.get_running_loop().time()


def _name(account: Account) -> str:
    return f"{account.channel}:{account.account_id}"
