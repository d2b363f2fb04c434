"""What was measured in the last 24 hours: in memory, a point a minute, always the same size."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from services.monitor.model import Health, Seen, greatest

MINUTES = 24 * 60


@dataclass(frozen=True)
class Point:
    """The worst of one minute, so that no trouble is too short to be seen; None where nobody knew."""

    time: float
    """Epoch seconds of its beginning."""
    score: int
    parts: Mapping[str, int]
    oldest_waiting: float | None = None
    memory: int | None = None
    """Bytes of all processes together."""
    dead: int | None = None

    def worst(self, other: "Point") -> "Point":
        """Of two points of the same minute."""
        parts = {
            name: min(self.parts.get(name, 100), other.parts.get(name, 100)) for name in {**self.parts, **other.parts}
        }
        return Point(
            self.time,
            min(self.score, other.score),
            parts,
            greatest([self.oldest_waiting, other.oldest_waiting]),
            greatest([self.memory, other.memory]),
            greatest([self.dead, other.dead]),
        )


class History:
    """The points of a day, oldest first."""

    def __init__(self, minutes: int = MINUTES) -> None:
        self._points: deque[Point] = deque(maxlen=minutes)

    @property
    def points(self) -> tuple[Point, ...]:
        """All of them."""
        return tuple(self._points)

    def add(self, seen: Seen, health: Health) -> None:
        """Keep a measurement."""
        point = _point(seen, health)
        if self._points and self._points[-1].time == point.time:
            point = self._points.pop().worst(point)
        self._points.append(point)


def _point(seen: Seen, health: Health) -> Point:
    known = [process.figures.resident for process in seen.processes if process.figures.resident is not None]
    return Point(
        health.measure_time // 60 * 60,
        health.score,
        {check.name: check.score for check in health.checks},
        seen.queue.oldest_waiting if seen.queue else None,
        sum(known) if known else None,
        seen.queue.dead if seen.queue else None,
    )
