"""Merges the pieces of an answer's text, so that a stream carries a few events a second and not hundreds."""

from collections.abc import Callable
from typing import Protocol

from services.agent.model import Delta

WINDOW = 0.05
"""Seconds between two deltas at least; people see a text grow no faster."""


class Timer(Protocol):
    """A call that is due later."""

    def cancel(self) -> None:
        """Forget it."""


class Clock(Protocol):
    """The part of an event loop that is needed here."""

    def time(self) -> float:
        """Seconds."""

    def call_at(self, when: float, callback: Callable[[], None], /) -> Timer:
        """Call back then."""


class Deltas:
    """The first piece goes out at once; later ones together, every `WINDOW` seconds."""

    def __init__(self, emit: Callable[[Delta], None], clock: Clock) -> None:
        self._emit, self._clock = emit, clock
        self._held = ""
        self._restart = self._begun = False
        self._timer: Timer | None = None
        self._sent = float("-inf")

    def add(self, text: str) -> None:
        """Take more text."""
        self._held += text
        if self._timer is not None:
            return
        due = self._sent + WINDOW
        if self._clock.time() >= due:
            self.flush()
        else:
            self._timer = self._clock.call_at(due, self.flush)

    def flush(self) -> None:
        """Send what is held now: another event follows, or its time has come."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._held:
            self._emit(Delta(self._held, self._restart))
            self._held, self._restart, self._begun = "", False, True
            self._sent = self._clock.time()

    def restart(self) -> None:
        """The next text begins anew, if any was sent."""
        self.flush()
        self._restart, self._begun = self._restart or self._begun, False
