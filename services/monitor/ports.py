"""What the monitor needs from outside. None of these raises, or waits, because something it looks at is broken."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from services.monitor.model import Addresses, Figures, Memory, Notice, Part, Queue, Target


class Names(Protocol):
    """Host names."""

    async def look_up(self, hosts: Collection[str]) -> Mapping[str, Addresses]:
        """The addresses that each host has now; none where nobody says so within a time limit."""


class Prober(Protocol):
    """Health ports."""

    async def probe(self, targets: Sequence[Target], addresses: Mapping[str, Addresses]) -> tuple[Part, ...]:
        """Ask all replicas of all targets at once, within a time limit."""


class PageReader(Protocol):
    """Metrics pages."""

    async def read(self, addresses: Collection[str]) -> Mapping[str, Figures | str]:
        """What each page says, or why it says nothing; all at once, within a time limit."""


class QueueReader(Protocol):
    """The pipeline's queue."""

    async def read(self) -> Queue | None:
        """How much waits; None where the pipeline gave no answer."""


class Machine(Protocol):
    """The machine this runs on."""

    async def memory(self) -> Memory:
        """Its memory."""


class SendFailed(Exception):
    """A channel could not tell; `retry_after` in seconds, where it said when to come back. The text has no secret."""

    def __init__(self, text: str, retry_after: float = 0.0) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Channel(Protocol):
    """A way to tell people."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def repeat(self) -> float | None:
        """Seconds after which it wants to hear again of what still fires; None: it is told once."""

    async def send(self, notices: Sequence[Notice]) -> None:
        """Tell all of it, within a time limit. Raises SendFailed."""
