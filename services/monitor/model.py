"""What the monitor sees, in plain words."""

from dataclasses import dataclass, field

CHANNELS = {"telegram"}
"""Services that serve no calls: their health has their plain name."""


@dataclass(frozen=True)
class Target:
    """A service and the health port of its process."""

    name: str
    address: str

    @property
    def health_name(self) -> str:
        """What the service is called on its health port."""
        return self.name if self.name in CHANNELS else f"valor.{self.name}.v1.{self.name.capitalize()}Service"


@dataclass(frozen=True)
class Probe:
    """What a health port answered; `trouble` is empty where the service takes calls, else says in words what is."""

    name: str
    trouble: str = ""


@dataclass(frozen=True)
class Queue:
    """What waits in the pipeline, and how long (seconds)."""

    waiting: int = 0
    running: int = 0
    undelivered: int = 0
    oldest_waiting: float = 0.0
    dead: int = 0


@dataclass(frozen=True)
class Memory:
    """Bytes: of this machine or container, and of the processes that can be seen from here, by the services in them."""

    available: int
    total: int
    resident: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """One measurement. `queue` is None where the pipeline was asked and gave no answer; `asked` says that it was."""

    probes: tuple[Probe, ...]
    memory: Memory
    queue: Queue | None = None
    asked: bool = False


@dataclass(frozen=True)
class Check:
    """One thing that was measured: 0 (broken) to 100 (well)."""

    name: str
    score: int
    detail: str


@dataclass(frozen=True)
class Health:
    """The score of the whole, its parts, and when it was measured (epoch seconds)."""

    score: int
    checks: tuple[Check, ...]
    measure_time: float
