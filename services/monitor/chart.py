"""A day as lines, in SVG that stands inside a page."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.chassis.ladder import MB
from services.monitor.history import MINUTES, Point


@dataclass(frozen=True)
class Figure:
    """What is drawn of each minute."""

    name: str
    value: Callable[[Point], float | None]
    unit: str = ""
    top: float | None = None
    """What the height stands for; None: the greatest value."""


FIGURES = (
    Figure("score", lambda point: point.score, top=100.0),
    Figure("the oldest waits", lambda point: point.oldest_waiting, " s"),
    Figure("memory", lambda point: None if point.memory is None else point.memory / MB, " MB"),
)


def chart(figure: Figure, points: Sequence[Point], now: float) -> str:
    """The line of one figure up to now; where nobody knew, or nobody measured, it has a gap."""
    known = [(point.time, value) for point in points if (value := figure.value(point)) is not None]
    values = [value for _, value in known]
    words = (
        f"{figure.name}: {min(values):.0f} to {max(values):.0f}{figure.unit}" if known else f"{figure.name}: unknown"
    )
    top = figure.top or max([1.0, *values])
    return (
        f'<p class="soft">{words}</p><svg class="chart" viewBox="0 -2 {MINUTES} 104" preserveAspectRatio="none"'
        f' role="img" aria-label="{words}"><line x1="0" x2="{MINUTES}" y1="100" y2="100"/>'
        f'<line x1="0" x2="{MINUTES}" y1="0" y2="0"/><path d="{_path(known, top, now)}"/></svg>'
    )


def _path(known: Sequence[tuple[float, float]], top: float, now: float) -> str:
    steps, before = [], -math.inf
    for moment, value in known:
        x, y = MINUTES + (moment - now) / 60, 100 - 100 * value / top
        steps.append(f"{'L' if moment - before <= 90 else 'M'}{x:.0f} {y:.1f}h1")
        before = moment
    return "".join(steps)
