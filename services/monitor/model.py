"""What the monitor sees, in plain words. What nobody could measure is None, never a number."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from services.chassis.ladder import Step

N = TypeVar("N", bound=float)

CHANNELS = {"telegram"}
"""Services that serve no calls: their health has their plain name, one replica is at work, the others stand by."""

PROCESS = ""
"""What a whole process is called on its health port."""

Addresses = tuple[str, ...]
"""Of one host; a name may have many."""


@dataclass(frozen=True)
class Target:
    """A service, and where its replicas are: one host name may have many addresses."""

    name: str
    host: str
    health: int
    metrics: int | None = None
    """The port of the metrics page; None: there is none to look at."""

    @property
    def health_names(self) -> tuple[str, ...]:
        """What is asked for on a health port: the service, and for a channel whether the process lives."""
        if self.name in CHANNELS:
            return self.name, PROCESS
        return (f"valor.{self.name}.v1.{self.name.capitalize()}Service",)

    def health_at(self, address: str) -> str:
        """The health port of a replica."""
        return _at(address, self.health)

    def metrics_at(self, address: str) -> str:
        """The metrics page of a replica; empty: none to look at."""
        return _at(address, self.metrics) if self.metrics else ""


def _at(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


@dataclass(frozen=True)
class Probe:
    """One replica of a service as its health port showed it; `trouble` is empty where it is well, else says why not."""

    address: str
    trouble: str = ""
    standby: bool = False
    """It lives, and would take over. Well only as long as another replica is at work."""

    metrics: str = ""
    """The address of its metrics page; empty: none to look at."""


@dataclass(frozen=True)
class Part:
    """A service with its replicas."""

    name: str
    replicas: tuple[Probe, ...] = ()

    @property
    def served(self) -> bool:
        """At least one replica is at work."""
        return any(not replica.trouble and not replica.standby for replica in self.replicas)

    @property
    def well(self) -> tuple[Probe, ...]:
        """The replicas that are well."""
        return tuple(
            replica for replica in self.replicas if not replica.trouble and (self.served or not replica.standby)
        )

    @property
    def wellness(self) -> float:
        """The share of replicas that are well; 0 where there are none."""
        return len(self.well) / len(self.replicas) if self.replicas else 0.0


@dataclass(frozen=True)
class Figures:
    """What a process says on its metrics page."""

    resident: int | None = None
    """Bytes."""
    cpu_seconds: float | None = None
    """Seconds of CPU since it began."""
    live: Mapping[str, int] = field(default_factory=dict)
    """Turns or calls under way, by service."""
    texts: int | None = None
    """Turns that got a first word of the model."""
    text_seconds: float = 0.0
    """How long these waited for it, all together."""
    model_limited: float | None = None
    """Seconds for which the model's provider takes no more requests; 0: it does."""
    flood_wait: float | None = None
    """Seconds of the longest flood wait of Telegram that is not over."""
    monitor: str = ""
    """Which monitor it is."""


@dataclass(frozen=True)
class Process:
    """A process, and what it uses."""

    address: str
    """Of its metrics page."""
    names: tuple[str, ...]
    """The services in it."""
    figures: Figures = Figures()
    trouble: str = ""
    """Why nothing is known of it."""
    cpu: float | None = None
    """Cores that it used since the measurement before."""
    texts: int = 0
    """Turns that got a first word within the last minute."""
    text_seconds: float = 0.0
    step: Step | None = None
    """What it ought to do about its memory."""

    @property
    def sessions(self) -> int | None:
        """Turns or calls under way."""
        return max(self.figures.live.values(), default=None)


@dataclass(frozen=True)
class Queue:
    """What waits in the pipeline, and how long (seconds)."""

    waiting: int = 0
    running: int = 0
    undelivered: int = 0
    oldest_waiting: float = 0.0
    dead: int = 0
    claimable: int = 0
    """Turns that could begin now, one a lane at most."""
    oldest_undelivered: float = 0.0


@dataclass(frozen=True)
class Memory:
    """Bytes, of this machine or container."""

    available: int
    total: int


@dataclass(frozen=True)
class Seen:
    """One measurement. `queue` is None where the pipeline was asked and gave no answer; `asked` says that it was."""

    parts: tuple[Part, ...]
    memory: Memory
    queue: Queue | None = None
    asked: bool = False
    processes: tuple[Process, ...] = ()

    @property
    def model_limited(self) -> float | None:
        """Seconds for which the model's provider takes no more requests, as the agents heard."""
        return greatest(process.figures.model_limited for process in self.processes)

    @property
    def flood_wait(self) -> float | None:
        """Seconds of the longest flood wait of Telegram that is not over."""
        return greatest(process.figures.flood_wait for process in self.processes)


def greatest(values: Iterable[N | None]) -> N | None:
    """The greatest that is known."""
    return max((value for value in values if value is not None), default=None)


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


class Severity(StrEnum):
    """How soon somebody has to look."""

    WARNING = "warning"
    CRITICAL = "critical"


Key = tuple[str, str]
"""What makes an alert the same one: its name, and what it is about."""


@dataclass(frozen=True)
class Trouble:
    """Something that is wrong now, and whether for long is not looked at yet."""

    alert: str
    text: str
    severity: Severity
    subject: str
    """The part or process that it is about; empty: the house."""
    lasts: float
    """Seconds that it has to last before anybody is told."""

    @property
    def key(self) -> Key:
        """Which alert it is."""
        return self.alert, self.subject


@dataclass(frozen=True)
class Notice:
    """What people are told: an alert fires, or is over."""

    trouble: Trouble
    start_time: float
    """Epoch seconds."""
    end_time: float | None = None
    """None: it fires."""
