"""Looks at every measurement for what people have to be told of."""

from collections.abc import Sequence

from services.monitor import metrics, rules
from services.monitor.episodes import Episode, Episodes, advance
from services.monitor.history import History
from services.monitor.model import Health, Seen
from services.monitor.outbox import Sender


class Alarm:
    """The alerts of one monitor. `instance` is which one it is, among its replicas."""

    def __init__(self, history: History, senders: Sequence[Sender], instance: str) -> None:
        self._history, self._instance = history, instance
        self._episodes = Episodes()
        self.senders = senders

    @property
    def firing(self) -> Sequence[Episode]:
        """What fires, the oldest first."""
        return self._episodes.firing

    def look(self, seen: Seen, health: Health) -> None:
        """Look at a measurement that the history has; what there is to tell is on its way then."""
        found = rules.troubles(seen, health, self._history.points)
        self._episodes, notices = advance(self._episodes, found, rules.unknown(seen), health.measure_time)
        firing = [episode.notice for episode in self.firing]
        for sender in self.senders:
            sender.add(notices, firing, speaks=speaks(seen, self._instance))
        pending = {sender.name: sender.pending for sender in self.senders}
        metrics.show_alerts((notice.trouble for notice in firing), pending)


def speaks(seen: Seen, instance: str) -> bool:
    """Of several monitors the first one tells people; one that does not find itself among them does as well."""
    monitors = [process.figures.monitor for process in seen.processes if process.figures.monitor]
    return instance not in monitors or monitors[0] == instance
