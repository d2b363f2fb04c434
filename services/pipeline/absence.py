"""How long no agent can be reached, as one turn sees it. No I/O."""

import time
from collections.abc import Callable

from services.chassis.backoff import pause

PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.0)
"""Seconds between attempts to reach one; the last one for ever."""

LONG = 120.0
"""Seconds after which the person is told."""


class Absence:
    """From the first attempt that reached nobody until one did."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._attempts, self._since = 0, 0.0

    @property
    def lasts(self) -> bool:
        """Nobody could be reached, the last time."""
        return self._attempts > 0

    def note(self) -> bool:
        """Another attempt reached nobody. Is it time to tell the person (again, where that did not work)?"""
        now = self._clock()
        if not self.lasts:
            self._since = now
        self._attempts += 1
        if now - self._since < LONG:
            return False
        self._since = now
        return True

    def pause(self) -> float:
        """Seconds until the next attempt."""
        return pause(PAUSES, self._attempts - 1)

    def end(self) -> None:
        """Somebody was reached."""
        self._attempts = 0
