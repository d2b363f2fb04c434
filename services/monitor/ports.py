"""What the monitor needs from outside. None of these raises because something it looks at is broken."""

from collections.abc import Sequence
from typing import Protocol

from services.monitor.model import Memory, Probe, Queue, Target


class Prober(Protocol):
    """Health ports."""

    async def probe(self, targets: Sequence[Target]) -> tuple[Probe, ...]:
        """Ask all of them at once, within a time limit."""


class QueueReader(Protocol):
    """The pipeline's queue."""

    async def read(self) -> Queue | None:
        """How much waits; None where the pipeline gave no answer."""


class Machine(Protocol):
    """The machine this runs on."""

    async def memory(self, targets: Sequence[Target]) -> Memory:
        """Its memory, and that of the targets whose process can be looked at."""
