"""Decides after every measurement how many replicas each service ought to have, and remembers why."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from services.monitor import metrics
from services.monitor.model import Health, Seen
from services.monitor.scale import Decision, Past, decide, loads

REMEMBERED = 50
"""Decisions that are shown."""


@dataclass(frozen=True)
class Change:
    """A decision that differs from the one before it."""

    time: float
    service: str
    decision: Decision

    @property
    def means(self) -> tuple[int | None, str]:
        """What makes it another decision; its reason has figures that change all the time."""
        return self.decision.desired, self.decision.held


class Scaling:
    """The decisions of one monitor; `sessions` that one replica is good for."""

    def __init__(self, sessions: int) -> None:
        self._sessions = sessions
        self._past: dict[str, Past] = {}
        self._changes: deque[Change] = deque(maxlen=REMEMBERED)
        self.looked = asyncio.Event()
        """Is set at the next decisions, and another one takes its place then."""
        self._current: dict[str, Change] = {}

    @property
    def current(self) -> Sequence[Change]:
        """The last decision about each service, and since when it is so."""
        return tuple(self._current.values())

    def decision(self, service: str) -> Decision | None:
        """The last decision about a service; None where it is not watched, or was not looked at yet."""
        change = self._current.get(service)
        return None if change is None else change.decision

    @property
    def changes(self) -> Sequence[Change]:
        """The last changes, the newest first."""
        return tuple(reversed(self._changes))

    def look(self, seen: Seen, health: Health) -> None:
        """Decide anew, for every service that is watched."""
        for service, load in loads(seen, self._sessions).items():
            decision, self._past[service] = decide(load, self._past.get(service, ()), health.measure_time)
            self._remember(Change(health.measure_time, service, decision))
        metrics.show_decisions({change.service: change.decision for change in self.current})
        self.looked.set()
        self.looked = asyncio.Event()

    def _remember(self, change: Change) -> None:
        before = self._current.get(change.service)
        if before is not None and before.means == change.means:
            change = Change(before.time, change.service, change.decision)
        else:
            self._changes.append(change)
        self._current[change.service] = change
