"""Which RPCs clients made."""

from collections import Counter, deque
from typing import NamedTuple

MOST_RECENT = 10_000
MOST_UNKNOWN = 100


class RpcCall(NamedTuple):
    """One call: seconds since 1970, Telegram's name of the method, account or 0."""

    at: float
    name: str
    account: int


class Calls:
    """Counts of all calls, the last 10,000 themselves, and the first 100 the sandbox could not answer."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.recent: deque[RpcCall] = deque(maxlen=MOST_RECENT)
        self.unknown: list[str] = []

    def add(self, call: RpcCall) -> None:
        """Note a call."""
        self.counts[call.name] += 1
        self.recent.append(call)

    def add_unknown(self, what: str) -> None:
        """Note a call that has no answer here."""
        if len(self.unknown) < MOST_UNKNOWN:
            self.unknown.append(what)
