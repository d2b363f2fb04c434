"""What monitor shows."""

from dataclasses import astuple
from itertools import repeat

from prometheus_client import Gauge

from services.monitor.model import Health, Seen

SCORE = Gauge("monitor_health_score", "How the house is: 0 to 100, by services/monitor/score.py.")
CHECK = Gauge("monitor_check_score", "The same for each part.", ["check"])
UP = Gauge("monitor_target_up", "Whether a service takes calls.", ["target"])
QUEUE = (
    Gauge("monitor_waiting_turns", "Turns that wait."),
    Gauge("monitor_running_turns", "Turns that run."),
    Gauge("monitor_undelivered_parts", "Parts without a receipt."),
    Gauge("monitor_oldest_waiting_seconds", "How long the oldest claimable turn waits."),
    Gauge("monitor_dead_letters", "Turns that failed for good."),
)
"""The fields of `model.Queue`, in their order."""
AVAILABLE = Gauge("monitor_memory_available_bytes", "Memory that is left on this machine or in this container.")
RESIDENT = Gauge("monitor_process_resident_bytes", "Memory of a process, by the services in it.", ["process"])


def show(seen: Seen, health: Health) -> None:
    """Show one measurement; what it did not see is NaN or gone, never the last value."""
    SCORE.set(health.score)
    for check in health.checks:
        CHECK.labels(check.name).set(check.score)
    for probe in seen.probes:
        UP.labels(probe.name).set(not probe.trouble)
    numbers = astuple(seen.queue) if seen.queue else repeat(float("nan"))
    for gauge, number in zip(QUEUE, numbers, strict=False):
        gauge.set(number)
    AVAILABLE.set(seen.memory.available)
    RESIDENT.clear()
    for process, size in seen.memory.resident.items():
        RESIDENT.labels(process).set(size)
