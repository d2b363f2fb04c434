"""Who is typing and which drafts are being streamed: shown for seconds, kept only in memory.

A place is a chat and a topic in it, see `posts.place`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from services.testdc.model import Draft

TYPING_SECONDS = 6
DRAFT_SECONDS = 30


@dataclass(frozen=True)
class _Sign:
    draft: Draft | None
    until: float


class Presence:
    """At most one sign per place and account: typing, or a draft."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._signs: dict[tuple[str, int], _Sign] = {}

    def typing(self, place: str, account: int) -> None:
        """The account types for the next six seconds; a draft that it streams stays."""
        if account not in self.drafts(place):
            self._show(place, account, _Sign(None, self._clock() + TYPING_SECONDS))

    def draft(self, place: str, account: int, draft: Draft) -> None:
        """The account streams this text; it is shown for 30 seconds unless it is renewed."""
        self._show(place, account, _Sign(draft, self._clock() + DRAFT_SECONDS))

    def _show(self, place: str, account: int, sign: _Sign) -> None:
        now = self._clock()
        self._signs = {key: old for key, old in self._signs.items() if old.until > now}
        self._signs[place, account] = sign

    def clear(self, place: str, account: int) -> None:
        """A message of the account ends what it showed."""
        self._signs.pop((place, account), None)

    def typists(self, place: str) -> list[int]:
        """Accounts that type in this place."""
        return [account for account, sign in self._shown(place) if sign.draft is None]

    def drafts(self, place: str) -> dict[int, Draft]:
        """Drafts in this place by account."""
        return {account: sign.draft for account, sign in self._shown(place) if sign.draft is not None}

    def _shown(self, place: str) -> list[tuple[int, _Sign]]:
        now = self._clock()
        return [(who, sign) for (where, who), sign in self._signs.items() if where == place and sign.until > now]
