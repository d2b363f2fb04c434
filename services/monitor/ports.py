"""What the monitor needs from outside. None of these raises, or waits, because something it looks at is broken."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from services.monitor.model import Addresses, Figures, Memory, Part, Queue, Target


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
