"""What alerts are about: pure rules over one measurement and the minutes before it.

    score_low           the score is below 85
    part_down           no replica of a service is at work
    no_owner            telegram lives, and nobody owns the account
    waiting_long        the oldest turn that could begin waits 30 s or more
    parts_stuck         the oldest part without a receipt waits 5 minutes or more
    dead_letters_grew   there are more dead letters than at some time in the last 15 minutes
    memory_shed         a process is to take no new work
    memory_restart      a process is to be restarted
    flood_wait_long     Telegram wants a pause of 60 s or more
    model_limited       the model's provider takes no more requests

How bad each is, and how long it has to last before anybody is told, stands in `ALERTS`.
"""

from collections.abc import Iterator, Sequence

from services.chassis.ladder import MB, Step
from services.monitor.history import Point
from services.monitor.model import CHANNELS, Health, Key, Process, Queue, Seen, Severity, Trouble
from services.monitor.score import MINIMUM

WAITING_LONG, STUCK, FLOOD = 30.0, 300.0, 60.0
"""Seconds."""

MINUTES = 15
"""How far dead letters are looked back at."""

ALERTS = {
    "score_low": (Severity.WARNING, 120.0),
    "part_down": (Severity.CRITICAL, 60.0),
    "no_owner": (Severity.CRITICAL, 60.0),
    "waiting_long": (Severity.CRITICAL, 60.0),
    "parts_stuck": (Severity.WARNING, 60.0),
    "dead_letters_grew": (Severity.WARNING, 0.0),
    "memory_shed": (Severity.WARNING, 60.0),
    "memory_restart": (Severity.CRITICAL, 0.0),
    "flood_wait_long": (Severity.WARNING, 0.0),
    "model_limited": (Severity.WARNING, 120.0),
}
"""How bad it is, and the seconds that it has to last."""

QUEUE = ("waiting_long", "parts_stuck", "dead_letters_grew")
"""What only the pipeline can tell."""


def troubles(seen: Seen, health: Health, history: Sequence[Point]) -> list[Trouble]:
    """What is wrong. `history` ends with the minute of this measurement."""
    found = [*_score(health), *_parts(seen), *_limits(seen)]
    if seen.queue is not None:
        found += _queue(seen.queue, history)
    for process in seen.processes:
        found += _memory(process)
    return found


def unknown(seen: Seen) -> set[Key]:
    """What this measurement says nothing about: no reason to think that it is over."""
    keys = {(alert, "") for alert in QUEUE} if seen.asked and seen.queue is None else set()
    if silent := [process for process in seen.processes if process.trouble]:
        keys |= {("flood_wait_long", ""), ("model_limited", "")}
        keys |= {(alert, process.address) for alert in ("memory_shed", "memory_restart") for process in silent}
    return keys


def _score(health: Health) -> Iterator[Trouble]:
    if health.score < MINIMUM:
        worst = min(health.checks, key=lambda check: check.score)
        yield _trouble("score_low", f"Health is {health.score} of 100. {worst.detail}")


def _parts(seen: Seen) -> Iterator[Trouble]:
    for part in seen.parts:
        if part.served:
            continue
        if part.name in CHANNELS and any(replica.standby for replica in part.replicas):
            yield _trouble("no_owner", f"{part.name} lives, and nobody owns the account.", subject=part.name)
        else:
            reason = part.replicas[0].trouble if part.replicas else f"{part.name} has no address."
            yield _trouble("part_down", f"{part.name} is down. {reason}", subject=part.name)


def _queue(queue: Queue, history: Sequence[Point]) -> Iterator[Trouble]:
    if queue.oldest_waiting >= WAITING_LONG:
        words = f"{queue.claimable} turns could begin, the oldest for {queue.oldest_waiting:.0f} s."
        yield _trouble("waiting_long", words)
    if queue.oldest_undelivered >= STUCK:
        words = f"{queue.undelivered} parts have no receipt, the oldest for {queue.oldest_undelivered:.0f} s."
        yield _trouble("parts_stuck", words)
    before = min((point.dead for point in history[-MINUTES:] if point.dead is not None), default=queue.dead)
    if queue.dead > before:
        words = f"{queue.dead - before} new dead letters; {queue.dead} in all. `valor dead list` shows them."
        yield _trouble("dead_letters_grew", words)


def _limits(seen: Seen) -> Iterator[Trouble]:
    if seen.flood_wait is not None and seen.flood_wait >= FLOOD:
        yield _trouble("flood_wait_long", f"Telegram wants a pause of {seen.flood_wait:.0f} s.")
    if seen.model_limited:
        words = f"The model's provider takes no more requests for {seen.model_limited:.0f} s."
        yield _trouble("model_limited", words)


def _memory(process: Process) -> Iterator[Trouble]:
    words = f"{', '.join(process.names)} at {process.address} holds {(process.figures.resident or 0) // MB} MB"
    if process.step is Step.SHED:
        yield _trouble("memory_shed", f"{words}: it ought to take no new work.", subject=process.address)
    if process.step is Step.RESTART:
        yield _trouble("memory_restart", f"{words}: it ought to be restarted.", subject=process.address)


def _trouble(alert: str, text: str, *, subject: str = "") -> Trouble:
    severity, lasts = ALERTS[alert]
    return Trouble(alert, text, severity, subject, lasts)
