"""Who is typing and which drafts are being streamed: shown for seconds, kept only in memory."""

from collections.abc import Callable
from dataclasses import dataclass

TYPING_SECONDS = 6
DRAFT_SECONDS = 30


@dataclass(frozen=True)
class _Sign:
    draft: str | None
    until: float


class Presence:
    """At most one sign per chat and account: typing, or a draft."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._signs: dict[tuple[str, int], _Sign] = {}

    def typing(self, dialog: str, account: int) -> None:
        """The account types for the next six seconds; a draft that it streams stays."""
        if account not in self.drafts(dialog):
            self._show(dialog, account, _Sign(None, self._clock() + TYPING_SECONDS))

    def draft(self, dialog: str, account: int, text: str) -> None:
        """The account streams this text; it is shown for 30 seconds unless it is renewed."""
        self._show(dialog, account, _Sign(text, self._clock() + DRAFT_SECONDS))

    def _show(self, dialog: str, account: int, sign: _Sign) -> None:
        now = self._clock()
        self._signs = {key: old for key, old in self._signs.items() if old.until > now}
        self._signs[dialog, account] = sign

    def clear(self, dialog: str, account: int) -> None:
        """A message of the account ends what it showed."""
        self._signs.pop((dialog, account), None)

    def typists(self, dialog: str) -> list[int]:
        """Accounts that type in this chat."""
        return [account for account, sign in self._shown(dialog) if sign.draft is None]

    def drafts(self, dialog: str) -> dict[int, str]:
        """Streamed texts in this chat by account."""
        return {account: sign.draft for account, sign in self._shown(dialog) if sign.draft is not None}

    def _shown(self, dialog: str) -> list[tuple[int, _Sign]]:
        now = self._clock()
        return [(who, sign) for (where, who), sign in self._signs.items() if where == dialog and sign.until > now]
