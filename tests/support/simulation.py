"""A house under load on a clock of its own, scaled by the real decisions: `python -m tests.support.simulation`.

What is simulated is what a cluster does: turns arrive, wait, run; HPA asks every 15 s and moves only by more than a
tenth; a replica is found at once and works after a while. The decisions are `services/monitor/scale.py`'s.
"""

import random
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

from services.monitor.scale import Decision, Load, Past, decide

MEASURE, ASK = 5, 15
"""Seconds between two measurements, and between two looks of the HPA."""
TOLERANCE = 0.1
START = 10
"""Seconds until a new replica works."""
SESSIONS = 100
ROOM = 120
"""Turns that a replica can run; a little more than it is good for."""
MOST = 40


@dataclass(frozen=True)
class Weather:
    """What a scenario does at a moment: turns that arrive in a second, seconds of a turn, what is broken."""

    arrivals: float = 8.0
    seconds: float = 8.0
    blind: str = ""
    blocked: str = ""
    works: bool = True
    """Turns end. Else they only run, as against a model that takes no requests."""
    flood: int = 0
    """Messages that one chat sends now."""


T = TypeVar("T")

Scenario = Callable[[int], Weather]


@dataclass
class Row:
    """One second."""

    second: int
    replicas: int
    desired: int | None
    age: float
    running: int
    waiting: int
    held: str
    reason: str


@dataclass
class House:
    """The pipeline, its replicas and its queue."""

    dice: random.Random
    started: list[int] = field(default_factory=lambda: [-START])
    """When each replica began to start."""
    waiting: deque[int] = field(default_factory=deque)
    """When the turns of chats that wait were accepted."""
    running: list[int] = field(default_factory=list)
    """When each turn that runs ends."""
    flooding: int = 0
    """Messages of the one chat that floods; one of them runs at once."""
    flood_ends: int = -1
    past: Past = ()
    decision: Decision = field(default_factory=lambda: Decision(1, ""))

    def live(self, second: int, weather: Weather) -> Row:
        """Let a second pass."""
        if not weather.works:
            self.running = [end + 1 for end in self.running]
        self.running = [end for end in self.running if end > second]
        self.waiting.extend([second] * self._arrivals(weather.arrivals))
        self._flood(second, weather)
        room = sum(second - born >= START for born in self.started) * ROOM - len(self.running)
        while self.waiting and room > 0 and not weather.blind:
            self.waiting.popleft()
            self.running.append(second + max(1, round(self.dice.expovariate(1 / weather.seconds))))
            room -= 1
        if second % MEASURE == 0:
            self._decide(second, weather)
        if second % ASK == 0:
            self._scale(second)
        age = second - self.waiting[0] if self.waiting else 0
        said = self.decision
        busy, waits = len(self.running), len(self.waiting) + self.flooding
        return Row(second, len(self.started), said.desired, age, busy, waits, said.held, said.reason)

    def _arrivals(self, rate: float) -> int:
        """A number about `rate`, as people write."""
        return max(0, round(self.dice.gauss(rate, rate**0.5)))

    def _flood(self, second: int, weather: Weather) -> None:
        self.flooding += weather.flood
        if self.flooding and self.flood_ends <= second:
            self.flooding -= 1
            self.flood_ends = second + round(weather.seconds)
            self.running.append(self.flood_ends)

    def _decide(self, second: int, weather: Weather) -> None:
        load = Load(
            replicas=len(self.started),
            well=sum(second - born >= START for born in self.started),
            capacity=SESSIONS,
            running=len(self.running),
            claimable=len(self.waiting),
            oldest=float(second - self.waiting[0]) if self.waiting else 0.0,
            blocked=weather.blocked,
            blind=weather.blind,
        )
        self.decision, self.past = decide(load, self.past, float(second))

    def _scale(self, second: int) -> None:
        wanted = min(MOST, self.decision.desired or len(self.started))
        if abs(wanted / len(self.started) - 1) <= TOLERANCE:
            return
        self.started = self.started[:wanted] + [second] * (wanted - len(self.started))


def simulate(scenario: Scenario, seconds: int, seed: int = 7) -> list[Row]:
    """Every second of a scenario."""
    house = House(random.Random(seed))
    return [house.live(second, scenario(second)) for second in range(seconds)]


def burst(second: int) -> Weather:
    """Ten times as many people write, for five minutes."""
    return Weather(arrivals=80.0 if 120 <= second < 420 else 8.0)


def slow_model(second: int) -> Weather:
    """A turn takes eight times as long, for ten minutes."""
    return Weather(seconds=64.0 if 120 <= second < 720 else 8.0)


def outage(second: int) -> Weather:
    """The database is away for two minutes while ten times as many people write."""
    return Weather(arrivals=80.0 if second >= 200 else 8.0, blind="queue_unknown" if 200 <= second < 320 else "")


def rate_limited(second: int) -> Weather:
    """The model takes no requests for three minutes, so that turns pile up."""
    limited = 120 <= second < 300
    return Weather(blocked="model_limited" if limited else "", works=not limited)


def flood(second: int) -> Weather:
    """One chat sends 5,000 messages at once."""
    return Weather(flood=5_000 if second == 120 else 0)


SCENARIOS: dict[str, tuple[Scenario, int]] = {
    "burst": (burst, 1_080),
    "slow model": (slow_model, 1_320),
    "outage": (outage, 900),
    "rate-limited model": (rate_limited, 900),
    "one flooding chat": (flood, 600),
}

BARS = " ▁▂▃▄▅▆▇█"
WIDTH = 100


def plot(name: str, rows: list[Row]) -> str:
    """A scenario in lines: each column is the greatest value of its seconds."""
    lines = [f"{name}: {rows[-1].second + 1} s, a column is {len(rows) / WIDTH:.1f} s"]
    series = {
        "replicas": [float(row.replicas) for row in rows],
        "desired": [float(row.desired or 0) for row in rows],
        "oldest waits": [row.age for row in rows],
        "running": [float(row.running) for row in rows],
        "waiting": [float(row.waiting) for row in rows],
    }
    lines += [f"{title:>13} {_bars(values)} {max(values):g}" for title, values in series.items()]
    held = "".join("x" if any(row.held for row in column) else " " for column in _columns(rows))
    return "\n".join([*lines, f"{'held':>13} {held}"])


def _columns(values: list[T]) -> list[list[T]]:
    return [values[number * len(values) // WIDTH : (number + 1) * len(values) // WIDTH] for number in range(WIDTH)]


def _bars(values: list[float]) -> str:
    most = max(values) or 1.0
    return "".join(BARS[round(max(column) / most * (len(BARS) - 1))] for column in _columns(values))


def main() -> None:
    """Show all scenarios, and every decision that changed something."""
    for name, (scenario, seconds) in SCENARIOS.items():
        rows = simulate(scenario, seconds)
        sys.stdout.write(f"{plot(name, rows)}\n")
        for before, row in pairwise(rows):
            if (before.desired, before.held) != (row.desired, row.held):
                sys.stdout.write(f"  {row.second:>5} s  {row.desired or '?':>3}  {row.reason}\n")
        sys.stdout.write("\n")


if __name__ == "__main__":
    main()
