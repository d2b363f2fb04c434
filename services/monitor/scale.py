"""How many replicas a service ought to have: a pure function of what it has to carry, and of the minutes before.

    need       what runs or could begin, over what one replica is good for; at least 1
    pressure   pipeline: twice those at work, where the oldest turn that could begin waits 5 s (from 2 s on, less)
               agent: half as many more, where first words take 3 s and its replicas use 0.8 cores each
    out        the greater of both, at once; in one step to twice the present number and 2 more at most
    in         down to the greatest number that was wanted within the last 5 minutes
    held       no step out where more replicas would not help: a callee is away, or the model takes no more requests.
               No step at all where nobody can tell what is needed: the pipeline does not say what waits

What could begin is one turn of a chat and topic at most, and nothing of one that works: a chat that floods counts once.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from services.monitor.model import Part, Seen
from services.monitor.processes import first_text

WINDOW = 300.0
"""Seconds that something was wanted for, after it was wanted last."""

PATIENCE, LIMIT = 2.0, 5.0
"""Seconds that the oldest turn waits, from which on there is pressure, and from which on all of it."""

SLOW, BUSY = 3.0, 0.8
"""Seconds until a first word, and cores of a replica, from which on agents are what is slow."""

CALLS = 16
"""Tool calls at once that one toolrunner is good for: half of what it lets run."""

AWAY = {"pipeline": ("people", "agent"), "agent": ("people", "toolrunner")}
"""Without whom a service only waits."""

SERVICES = ("pipeline", "agent", "toolrunner")
"""What can be scaled."""

Past = tuple[tuple[float, int], ...]
"""What was wanted when."""


@dataclass(frozen=True)
class Load:
    """What one service has to carry."""

    replicas: int
    """Those that are there now."""
    well: int
    """Those of them that are at work."""
    capacity: int
    """Turns or calls at once that one replica is good for."""
    running: int = 0
    claimable: int = 0
    oldest: float = 0.0
    """Seconds that the oldest turn that could begin waits."""
    first_text: float | None = None
    """Seconds until the first word of the model."""
    cpu: float | None = None
    """Cores that a replica uses."""
    blocked: str = ""
    """Why more replicas would not help."""
    blind: str = ""
    """Why nobody can tell what is needed."""


@dataclass(frozen=True)
class Decision:
    """How many replicas a service ought to have; None: nobody knows."""

    desired: int | None
    reason: str
    held: str = ""
    """What keeps it from being another number; empty: nothing."""


def decide(load: Load, past: Past, now: float) -> tuple[Decision, Past]:
    """What a service ought to have now, and what to remember of it."""
    recent = tuple((time, number) for time, number in past if now - time < WINDOW)
    if not recent and load.replicas:
        recent = ((now, load.replicas),)
    before = max((number for _, number in recent), default=None)
    if load.blind:
        kept = recent if before is None else (*recent, (now, before))
        return Decision(before, f"Held: {WORDS[load.blind]}", load.blind), kept
    wanted, reason = _wanted(load)
    held = load.blocked if wanted > load.replicas else ""
    step = max(1, load.replicas) if held else min(wanted, 2 * load.replicas + 2)
    desired = max(step, before or 0)
    if held:
        reason = f"Held: {WORDS[held]} Else {wanted}: {reason}"
    elif desired > step:
        reason = f"{step} would do; {desired} were wanted within the last {WINDOW / 60:g} minutes."
    elif step < wanted:
        reason = f"On the way to {wanted}: {reason}"
    return Decision(desired, reason, held), (*recent, (now, step))


def _wanted(load: Load) -> tuple[int, str]:
    need = max(1, math.ceil((load.running + load.claimable) / load.capacity))
    pressed, why = _pressure(load)
    if pressed > need:
        return pressed, why
    words = f"{load.running} run and {load.claimable} could begin; one replica is good for {load.capacity}."
    return need, words


def _pressure(load: Load) -> tuple[int, str]:
    if load.oldest > PATIENCE:
        share = min(1.0, (load.oldest - PATIENCE) / (LIMIT - PATIENCE))
        words = f"the oldest turn that could begin waits {load.oldest:.1f} s."
        return load.well + math.ceil(load.well * share), words
    if (load.first_text or 0.0) >= SLOW and (load.cpu or 0.0) >= BUSY:
        words = f"first words take {load.first_text:.1f} s, and a replica uses {load.cpu:.1f} cores."
        return load.well + math.ceil(load.well / 2), words
    return 0, ""


WORDS = {
    "queue_unknown": "the pipeline does not say what waits.",
    "load_unknown": "no replica says what it does.",
    "people_away": "people is away, and turns wait for it.",
    "agent_away": "agent is away, and turns wait for it.",
    "toolrunner_away": "toolrunner is away, and turns wait for it.",
    "model_limited": "the model's provider takes no more requests for now.",
}
"""What may hold a service."""


def loads(seen: Seen, sessions: int) -> Mapping[str, Load]:
    """What each service that is watched has to carry; `sessions` that one replica is good for."""
    makers = {"pipeline": _pipeline, "agent": _agent, "toolrunner": _toolrunner}
    return {part.name: makers[part.name](seen, part, sessions) for part in seen.parts if part.name in makers}


def _pipeline(seen: Seen, part: Part, sessions: int) -> Load:
    load = Load(len(part.replicas), len(part.well), sessions)
    if seen.queue is None:
        return replace(load, blind="queue_unknown")
    queue, blocked = seen.queue, _blocked(seen, "pipeline")
    return replace(load, running=queue.running, claimable=queue.claimable, oldest=queue.oldest_waiting, blocked=blocked)


def _agent(seen: Seen, part: Part, sessions: int) -> Load:
    """Every turn that runs wants an agent, whether it has one or not."""
    load = Load(len(part.replicas), len(part.well), sessions)
    if seen.queue is None:
        return replace(load, blind="queue_unknown")
    used = [process.cpu for process in seen.processes if "agent" in process.names and process.cpu is not None]
    cpu = sum(used) / len(used) if used else None
    blocked = _blocked(seen, "agent")
    return replace(load, running=seen.queue.running, first_text=first_text(seen.processes), cpu=cpu, blocked=blocked)


def _toolrunner(seen: Seen, part: Part, _sessions: int) -> Load:
    load = Load(len(part.replicas), len(part.well), CALLS)
    calls = [live["toolrunner"] for process in seen.processes if "toolrunner" in (live := process.figures.live)]
    if not calls:
        return replace(load, blind="load_unknown")
    return replace(load, running=sum(calls), blocked="queue_unknown" if seen.queue is None else "")


def _blocked(seen: Seen, service: str) -> str:
    away = {part.name for part in seen.parts if not part.served}
    for callee in AWAY[service]:
        if callee in away:
            return f"{callee}_away"
    return "model_limited" if seen.model_limited else ""
