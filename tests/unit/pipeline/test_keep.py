"""What becomes of a promise, and what is said of it."""

from dataclasses import replace

import pytest

from services.pipeline import failures, promises
from services.pipeline.keep import outcome
from services.pipeline.model import Ended, State
from services.pipeline.promises import Kind, Promise, PromiseState
from tests.unit.pipeline.messages import turn


def promise(*, cron: str = "", broken: int = 0, waits_for: tuple[int, ...] = (), text: str = "x") -> Promise:
    fields = (1, 3, "telegram:42:8:0", "", text, 1000.0, cron, Kind.TASK, 5, 10, PromiseState.RUNNING, 0.0, "UTC")
    return Promise(*fields, waits_for, broken)


@pytest.mark.parametrize(
    ("cron", "broken", "state", "reason", "expected"),
    [
        ("", 0, State.DONE, "", PromiseState.KEPT),
        ("", 0, State.FAILED, "STEP_LIMIT", PromiseState.FAILED),
        ("", 0, State.CANCELLED, "", PromiseState.CANCELLED),
        ("0 9 * * *", 0, State.DONE, "", PromiseState.WAITING),
        ("0 9 * * *", 0, State.FAILED, "STEP_LIMIT", PromiseState.WAITING),
        ("0 9 * * *", 0, State.CANCELLED, "", PromiseState.WAITING),
        ("0 9 * * *", 0, State.FAILED, failures.NOT_ALLOWED, PromiseState.FAILED),
        ("0 9 * * *", 7, State.DONE, "", PromiseState.FAILED),
        ("", 7, State.DONE, "", PromiseState.FAILED),
    ],
)
def test_the_end_of_its_turn_decides(cron: str, broken: int, state: State, reason: str, expected: PromiseState) -> None:
    """F92: kept is what was received, and nothing else."""
    assert outcome(Ended(promise(cron=cron, broken=broken), state, reason)) is expected


@pytest.mark.parametrize(
    ("cron", "count", "expected"),
    [
        ("", 1, PromiseState.FAILED),
        ("0 9 * * *", promises.FAILURES - 1, PromiseState.WAITING),
        ("0 9 * * *", promises.FAILURES, PromiseState.FAILED),
    ],
)
def test_what_recurs_may_fail_so_often_in_a_row(cron: str, count: int, expected: PromiseState) -> None:
    assert outcome(Ended(promise(cron=cron), State.FAILED, "STEP_LIMIT", count)) is expected


@pytest.mark.parametrize(
    ("begin", "waits_for", "late"), [(1000, (), False), (1060, (), False), (1061, (), True), (9999, (1,), False)]
)
def test_being_late_is_said(begin: float, waits_for: tuple[int, ...], late: bool) -> None:
    one = promise(waits_for=waits_for, text="call")
    assert ("Thu 01 Jan 1970, 00:16 (UTC)" in promises.introduction(one, begin)) is late
    assert promises.reminder(one, begin).endswith(": call")
    assert ("late" in promises.reminder(one, begin)) is late


def test_what_is_said_of_a_long_text_is_short() -> None:
    words = promises.failed(promise(text="a\nb " + "x" * 999), "No.")
    assert words.startswith("I could not keep promise 3 (“a b xxx")
    assert len(words) < 120


def test_a_turn_takes_as_long_as_turns_do_or_as_its_promise_says() -> None:
    assert turn().seconds(5.0) == 5.0
    assert replace(turn(), promise=promise()).seconds(5.0) == 600.0
