"""All that monitor knows at one moment."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.monitor.alarm import Alarm
from services.monitor.episodes import Episode
from services.monitor.history import History, Point
from services.monitor.model import Health, Seen
from services.monitor.scaling import Change, Scaling
from services.monitor.watch import Watch


@dataclass(frozen=True)
class Teller:
    """A channel that tells people of alerts."""

    name: str
    pending: int
    trouble: str
    """Why the last attempt failed; empty: it did not."""
    sent_time: float | None
    """When something was last sent, epoch seconds."""


@dataclass(frozen=True)
class Status:
    """What is shown."""

    seen: Seen
    health: Health
    firing: Sequence[Episode]
    tellers: Sequence[Teller]
    scales: Sequence[Change]
    """The last decision about each service, and since when it is so."""
    changes: Sequence[Change]
    """The last decisions that differed from those before, the newest first."""
    history: Sequence[Point]
    page: str
    """The address of the status page."""


class Reporter:
    """Puts together what the parts of monitor know."""

    def __init__(self, watch: Watch, history: History, alarm: Alarm, scaling: Scaling) -> None:
        self._watch, self._history, self._alarm, self._scaling = watch, history, alarm, scaling
        self.page = ""
        """The address of the status page, once it is served."""

    async def health(self) -> Health:
        """The last measurement's score."""
        return (await self._watch.measured()).health

    async def status(self) -> Status:
        """All of it, as of the last measurement."""
        measured = await self._watch.measured()
        tellers = [Teller(each.name, each.pending, each.trouble, each.sent_time) for each in self._alarm.senders]
        return Status(
            measured.seen,
            measured.health,
            self._alarm.firing,
            tellers,
            self._scaling.current,
            self._scaling.changes,
            self._history.points,
            self.page,
        )
