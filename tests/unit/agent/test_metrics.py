"""For how long the model's provider takes no more requests."""

import pytest

from services.agent.metrics import PAUSE, Limit
from services.chassis.errors import Exhausted, TimedOut, Unavailable, ValorError
from services.pipeline.failures import LONGEST_WAIT


@pytest.mark.parametrize(
    ("error", "left"),
    [
        (Exhausted("Later.", reason="MODEL_RATE_LIMITED", retry_after=40.0), 40.0),
        (Exhausted("Later.", reason="MODEL_RATE_LIMITED"), PAUSE),
        (Unavailable("Later.", reason="MODEL_OVERLOADED", retry_after=7.0), 7.0),
        (TimedOut("Too slow.", reason="MODEL_TIMEOUT", retry_after=7.0), 0.0),
        (Exhausted("No budget.", reason="BUDGET_SPENT", retry_after=7.0), 0.0),
    ],
)
def test_only_what_says_later_is_a_limit(error: ValorError, left: float) -> None:
    limit = Limit(clock=lambda: 100.0)
    limit.note(error)
    assert limit.left() == left


def test_it_ends_by_itself_and_a_shorter_one_does_not_shorten_it() -> None:
    now = 100.0
    limit = Limit(clock=lambda: now)
    for seconds in (40.0, 5.0):
        limit.note(Exhausted("Later.", reason="MODEL_RATE_LIMITED", retry_after=seconds))
    now = 130.0
    assert limit.left() == 10.0
    now = 150.0
    assert limit.left() == 0.0


def test_an_hours_pause_that_nobody_hears_of_again_is_over_soon() -> None:
    now = 100.0
    limit = Limit(clock=lambda: now)
    limit.note(Exhausted("Later.", reason="MODEL_RATE_LIMITED", retry_after=3_600.0))
    now += LONGEST_WAIT
    assert limit.left() > 0.0
    now += LONGEST_WAIT
    assert limit.left() == 0.0
