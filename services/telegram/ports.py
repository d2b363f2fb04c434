"""What receiving and delivering need from the outside: Telegram, the tables, the pipeline."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from services.telegram.model import Cursor, Draft, Incoming, Part, Poison, Slice, Typing


class Updates(Protocol):
    """Reading what happened. Raises Away, FloodWait, LoggedOut."""

    async def state(self) -> Cursor:
        """Where the account's box stands now."""

    async def difference(self, cursor: Cursor) -> Slice:
        """What happened since the cursor, or the first piece of it."""

    async def channel_difference(self, channel_id: int, pts: int) -> Slice | None:
        """What happened in a supergroup since; None where the account is no longer in it."""


class Sender(Protocol):
    """Doing things in chats. Raises Away, FloodWait, Refused, LoggedOut."""

    async def send(self, part: Part) -> int:
        """Send a message; the id it has in its chat. The part's random id makes a repeat harmless."""

    async def edit(self, part: Part) -> int:
        """Turn the part's target into it; the target's id."""

    async def react(self, part: Part) -> int:
        """Show the part's reaction on its target; the target's id."""

    async def show(self, event: Draft | Typing) -> None:
        """Show something fleeting."""


class Lease(Protocol):
    """Who speaks for the account. Raises Unavailable."""

    async def take(self, seconds: float) -> bool:
        """Become the owner for so long, where nobody else is."""

    async def renew(self, seconds: float) -> bool:
        """Stay the owner for so long from now on; False where somebody else is."""

    async def give_up(self) -> None:
        """Let the next one in at once, where we are the owner or may have become it."""


class Store(Protocol):
    """The account's tables."""

    async def cursor(self) -> Cursor | None:
        """How far the account's box was read; None before the first start."""

    async def channels(self) -> dict[int, int]:
        """How far each supergroup was read."""

    async def advance(self, box: int, cursor: Cursor) -> None:
        """Move the cursor of a box."""

    async def note_sent(self, sent: Sequence[tuple[int, int]]) -> None:
        """Keep which messages random ids became; a repeat is the same."""

    async def sent(self, random_id: int) -> int | None:
        """The message that a random id became."""

    async def bury(self, poison: Poison) -> None:
        """Keep a message that can never be handed over."""

    async def unreported(self) -> list[tuple[int, Poison]]:
        """What was buried and the pipeline has not heard of, by number; the oldest first."""

    async def reported(self, number: int) -> None:
        """The pipeline has heard of it."""

    async def waits(self) -> dict[tuple[str, int], float]:
        """Flood waits that are not over: (method, chat) → epoch seconds."""

    async def wait(self, method: str, chat_id: int, until: float) -> None:
        """Keep a flood wait."""


class Pipeline(Protocol):
    """Who takes messages and has parts. Raises ValorError."""

    async def submit(self, message: Incoming, version: int) -> None:
        """Hand a message over; it is kept when this returns. InvalidArgument: it never will be."""

    async def delete(self, chat_id: int, message_ids: Sequence[int]) -> None:
        """Messages are gone; chat 0: their ids are numbered by the account."""

    async def stop(self, chat_id: int, topic_id: int, turn_id: str) -> None:
        """A person stopped an answer that was being streamed."""

    async def report(self, poison: Poison) -> None:
        """Tell of something that can never be handed over; a repeat is the same."""

    def follow(self) -> AsyncIterator[Part | Draft | Typing]:
        """What is to be sent."""

    async def record(self, part_id: str, message_id: int, error: str = "") -> None:
        """The outcome of a part."""
