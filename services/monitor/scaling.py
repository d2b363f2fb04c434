"""Decides after every measurement how many replicas each service ought to have, and remembers why."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
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


class Scaling:
    """The decisions of one monitor; `sessions` that one replica is good for."""

    def __init__(self, sessions: int) -> None:
        self._sessions = sessions
        self._past: dict[str, Past] = {}
        self._changes: deque[Change] = deque(maxlen=REMEMBERED)
        self._looked = asyncio.Event()
        self.decisions: Mapping[str, Decision] = {}
        """The last of each service."""

    @property
    def changes(self) -> Sequence[Change]:
        """The last changes, the newest first."""
        return tuple(reversed(self._changes))

    def look(self, seen: Seen, health: Health) -> None:
        """Decide anew, for every service that is watched."""
        decisions = {}
        for service, load in loads(seen, self._sessions).items():
            decision, self._past[service] = decide(load, self._past.get(service, ()), health.measure_time)
            before = self.decisions.get(service)
            if before is None or (before.desired, before.held) != (decision.desired, decision.held):
                self._changes.append(Change(health.measure_time, service, decision))
            decisions[service] = decision
        self.decisions = decisions
        metrics.show_decisions(decisions)
        self._looked.set()
        self._looked = asyncio.Event()

    async def looked(self) -> None:
        """Return after the next decisions."""
        await self._looked.wait()
