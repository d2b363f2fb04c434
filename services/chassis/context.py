"""What travels with a call: the time that is left, and the ids that logs and traces show."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

import structlog

IDS = ("turn_id", "chat_id", "person_id")
HEADER = {name: f"x-valor-{name.replace('_', '-')}" for name in IDS}

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def remaining() -> float | None:
    """Seconds until the caller of the present call gives up; None where nobody waits."""
    deadline = _deadline.get()
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def budget(limit: float, margin: float = 0.05) -> float:
    """The time limit for an onward call: the own limit, or what the caller left us, whichever is less."""
    left = remaining()
    return limit if left is None else max(0.001, min(limit, left - margin))


@contextmanager
def call(time_left: float | None, headers: Mapping[str, str]) -> Iterator[None]:
    """The context of one incoming call."""
    token = _deadline.set(None if time_left is None else time.monotonic() + time_left)
    ids = {name: headers[HEADER[name]] for name in IDS if HEADER[name] in headers}
    try:
        with structlog.contextvars.bound_contextvars(**ids):
            yield
    finally:
        _deadline.reset(token)


@contextmanager
def about(**ids: str) -> Iterator[None]:
    """Name what the work inside is about: its logs, and the calls it makes, carry these ids."""
    token = _deadline.set(None)
    try:
        with structlog.contextvars.bound_contextvars(**ids):
            yield
    finally:
        _deadline.reset(token)


def headers() -> list[tuple[str, str]]:
    """The ids of the present context as call metadata."""
    bound = structlog.contextvars.get_contextvars()
    return [(HEADER[name], str(bound[name])) for name in IDS if name in bound]
