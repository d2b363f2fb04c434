"""What monitor shows."""

import math
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import astuple
from itertools import repeat

from prometheus_client import Counter, Gauge, Info

from services.monitor.model import Health, Process, Seen, Trouble
from services.monitor.processes import first_text
from services.monitor.scale import Decision

INSTANCE = secrets.token_hex(8)
"""Which monitor this is, so that it finds itself among its replicas."""
Info("monitor_instance", "Which monitor this is.").info({"id": INSTANCE})

SCORE = Gauge("monitor_health_score", "How the house is: 0 to 100, by services/monitor/score.py.")
CHECK = Gauge("monitor_check_score", "The same for each part.", ["check"])
UP = Gauge("monitor_target_up", "Whether a service takes calls: at least one of its replicas.", ["target"])
REPLICAS = Gauge("monitor_replicas", "Replicas that were found.", ["service"])
WELL = Gauge("monitor_well_replicas", "Replicas that are well.", ["service"])
QUEUE = (
    Gauge("monitor_waiting_turns", "Turns that wait."),
    Gauge("monitor_running_turns", "Turns that run."),
    Gauge("monitor_undelivered_parts", "Parts without a receipt."),
    Gauge("monitor_oldest_waiting_seconds", "How long the oldest claimable turn waits."),
    Gauge("monitor_dead_letters", "Turns that failed for good."),
    Gauge("monitor_claimable_turns", "Turns that could begin now, one a lane at most."),
    Gauge("monitor_oldest_undelivered_seconds", "How long the oldest part without a receipt waits for one."),
)
"""The fields of `model.Queue`, in their order."""
AVAILABLE = Gauge("monitor_memory_available_bytes", "Memory that is left on this machine or in this container.")
PROCESS = ["process", "address"]
"""The services in it, and where its metrics are."""
RESIDENT = Gauge("monitor_process_resident_bytes", "Memory of a process.", PROCESS)
CPU = Gauge("monitor_process_cpu_cores", "Cores that a process uses.", PROCESS)
STEP = Gauge(
    "monitor_process_step",
    "What a process ought to do about its memory: 0 nothing, 1 clean, 2 shed, 3 restart.",
    PROCESS,
)
SESSIONS = Gauge("monitor_process_sessions", "Turns or calls that a process has under way.", PROCESS)
FIRST_TEXT = Gauge(
    "monitor_first_text_seconds", "How long people waited for the first word of the model, over the last minute."
)
MODEL_LIMITED = Gauge(
    "monitor_model_limited_seconds", "How long the model's provider still takes no more requests; 0: it does."
)
FLOOD_WAIT = Gauge("monitor_flood_wait_seconds", "The longest flood wait of Telegram that is not over.")
FIRING = Gauge("monitor_firing_alerts", "Alerts that fire.", ["alert", "severity"])
MESSAGES = Counter(
    "monitor_alert_messages",
    "What became of attempts to tell people of alerts: sent, failed, dropped.",
    ["channel", "outcome"],
)
CHANNEL_UP = Gauge("monitor_alert_channel_up", "Whether the last attempt to tell over a channel worked.", ["channel"])
DESIRED = Gauge("monitor_desired_replicas", "Replicas that a service ought to have.", ["service"])
HELD = Gauge("monitor_scale_held", "1 while something keeps a service from being scaled.", ["service", "reason"])
PENDING = Gauge("monitor_pending_alert_messages", "What a channel has not taken yet.", ["channel"])


def show(seen: Seen, health: Health) -> None:
    """Show one measurement; what it did not see is NaN or gone, never the last value."""
    SCORE.set(health.score)
    for check in health.checks:
        CHECK.labels(check.name).set(check.score)
    for part in seen.parts:
        UP.labels(part.name).set(part.served)
        REPLICAS.labels(part.name).set(len(part.replicas))
        WELL.labels(part.name).set(len(part.well))
    numbers = astuple(seen.queue) if seen.queue else repeat(math.nan)
    for gauge, number in zip(QUEUE, numbers, strict=False):
        gauge.set(number)
    AVAILABLE.set(seen.memory.available)
    FIRST_TEXT.set(_or_nan(first_text(seen.processes)))
    MODEL_LIMITED.set(_or_nan(seen.model_limited))
    FLOOD_WAIT.set(_or_nan(seen.flood_wait))
    for gauge in (RESIDENT, CPU, SESSIONS, STEP):
        gauge.clear()
    for process in seen.processes:
        _show(process)


def _show(process: Process) -> None:
    labels = ", ".join(process.names), process.address
    shown = (
        (RESIDENT, process.figures.resident),
        (CPU, process.cpu),
        (SESSIONS, process.sessions),
        (STEP, process.step),
    )
    for gauge, value in shown:
        if value is not None:
            gauge.labels(*labels).set(value)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def show_alerts(firing: Iterable[Trouble], pending: Mapping[str, int]) -> None:
    """Show what fires, and what waits for each channel."""
    FIRING.clear()
    for trouble in firing:
        FIRING.labels(trouble.alert, trouble.severity).inc()
    for channel, number in pending.items():
        PENDING.labels(channel).set(number)


def show_decisions(decisions: Mapping[str, Decision]) -> None:
    """Show how many replicas each service ought to have, and what holds it."""
    HELD.clear()
    for service, decision in decisions.items():
        DESIRED.labels(service).set(_or_nan(decision.desired))
        if decision.held:
            HELD.labels(service, decision.held).set(1)
