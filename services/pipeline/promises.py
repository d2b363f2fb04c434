"""Promises: what they are, which states they may take, what is said of them. No I/O."""

from dataclasses import dataclass
from enum import StrEnum

from services.pipeline import schedule

MOST = 100
"""Open promises of one person."""

LONGEST = 1000
"""Characters of what is promised."""

LATE = 60.0
"""Seconds after which a word is said about being late."""

FAILURES = 5
"""Runs in a row that may fail before what recurs is given up."""

PRIORITY, PRIORITIES = 5, range(1, 11)
MINUTES, MINUTES_ALLOWED = 10, range(1, 121)
"""How long one run may take."""


class Kind(StrEnum):
    """What is done when a promise is due."""

    # Its text is posted as it is.
    REMINDER = "reminder"
    # The agent does it and posts the result.
    TASK = "task"


class PromiseState(StrEnum):
    """Where a promise stands. What recurs waits again after each run."""

    WAITING = "waiting"
    RUNNING = "running"
    KEPT = "kept"
    FAILED = "failed"
    CANCELLED = "cancelled"


LEGAL: dict[PromiseState, frozenset[PromiseState]] = {
    PromiseState.WAITING: frozenset({PromiseState.RUNNING}),
    PromiseState.RUNNING: frozenset({PromiseState.WAITING}),
    PromiseState.KEPT: frozenset({PromiseState.RUNNING}),
    PromiseState.FAILED: frozenset({PromiseState.RUNNING}),
    PromiseState.CANCELLED: frozenset({PromiseState.WAITING, PromiseState.RUNNING}),
}
"""From which states a state may be entered; kept, failed and cancelled are the end."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to be promised."""

    text: str
    due_time: float
    cron: str = ""
    """Empty: once."""
    kind: Kind = Kind.TASK
    priority: int = PRIORITY
    """Of what is due in a chat, the highest goes first."""
    minutes: int = MINUTES
    waits_for: tuple[int, ...] = ()
    """Numbers of promises of the same person that have to be kept first."""


@dataclass(frozen=True, slots=True)
class Promise:
    """A promise as it is kept in the books."""

    promise_id: int
    number: int
    """What its person calls it."""
    lane: str
    place: str
    """The title of its chat; empty in private."""
    text: str
    due_time: float
    cron: str
    kind: Kind
    priority: int
    minutes: int
    state: PromiseState
    create_time: float
    zone: str
    """The person's time zone."""
    waits_for: tuple[int, ...] = ()
    broken: int = 0
    """The number of a promise that it waited for and that was not kept; 0: none."""

    @property
    def shown_due(self) -> str:
        """When it is due, as its person reads it."""
        return f"{schedule.show(self.due_time, self.zone)} ({self.zone})"


def reminder(promise: Promise, begin: float) -> str:
    """What is posted for a reminder that began at a time."""
    return f"Reminder{_lateness(promise, begin)}: {promise.text}"


def introduction(promise: Promise, begin: float) -> str:
    """What stands before the result of a task, in Markdown; mostly nothing."""
    return f"(I kept this promise late: it was due on {promise.shown_due}.)\n\n" if is_late(promise, begin) else ""


def not_kept(promise: Promise) -> str:
    """What is said where a promise could not begin."""
    return failed(promise, f"It waited for promise {promise.broken}, which was not kept.")


def failed(promise: Promise, why: str) -> str:
    """What is said where a promise was not kept; `why` is a sentence."""
    return f"I could not keep promise {promise.number} (“{shortened(promise.text)}”). {why}"


def given_up(promise: Promise) -> str:
    """What is said where a promise that recurs failed too often."""
    return (
        f"Promise {promise.number} (“{shortened(promise.text)}”) failed {FAILURES} times in a row, so I gave it up."
        " Ask me for it again when it can work."
    )


def is_late(promise: Promise, begin: float) -> bool:
    """It began so late that this has to be said. What waits for another promise has no time of its own."""
    return not promise.waits_for and begin - promise.due_time > LATE


def _lateness(promise: Promise, begin: float) -> str:
    return f" (late, it was due on {promise.shown_due})" if is_late(promise, begin) else ""


def shortened(text: str) -> str:
    """One line that stands for a text."""
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:59]}…"
