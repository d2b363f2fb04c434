"""The resource ladder: what a process ought to do about the memory that it uses. Pure functions.

    step      from                                           until it is below
    clean     the limit                                      90 % of the limit
    shed      half way from the limit to the emergency       90 % of that
    restart   the emergency, or a minute of shedding that    90 % of half way
              did not help

Steps are left lower than they are entered, so that memory that swings about a limit makes nobody swing.
"""

from dataclasses import dataclass
from enum import IntEnum

MB = 1 << 20

RELEASE = 0.9
"""A step is left below this part of what it is entered at."""

PATIENCE = 60.0
"""Seconds of shedding in which memory has to fall."""


class Step(IntEnum):
    """What is to be done; each includes those before."""

    FINE = 0
    CLEAN = 1
    """Collect garbage, and give free memory back."""
    SHED = 2
    """Take no new work."""
    RESTART = 3
    """Finish the work under way and end; whoever runs the process starts it again."""


@dataclass(frozen=True)
class Limits:
    """Bytes of one process."""

    memory: int = 500 * MB
    emergency: int = 800 * MB

    def of(self, step: Step) -> float:
        """From where on a step is taken."""
        return {
            Step.FINE: 0.0,
            Step.CLEAN: self.memory,
            Step.SHED: (self.memory + self.emergency) / 2,
            Step.RESTART: self.emergency,
        }[step]


@dataclass(frozen=True)
class Rung:
    """The step that a process is on, and since when (seconds, by any clock)."""

    step: Step = Step.FINE
    since: float = 0.0


def climb(rung: Rung, memory: float, limits: Limits, now: float) -> Rung:
    """Where a process is that was on `rung` and uses so much memory now."""
    step = max(step for step in Step if memory >= limits.of(step) * (RELEASE if step <= rung.step else 1.0))
    if step is Step.SHED and (rung.step is Step.RESTART or _too_long(rung, now)):
        step = Step.RESTART
    return rung if step is rung.step else Rung(step, now)


def _too_long(rung: Rung, now: float) -> bool:
    return rung.step is Step.SHED and now - rung.since >= PATIENCE
