"""The resource ladder, case by case: limit 500, shed from 650, emergency 800; left at 450, 585."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.ladder import MB, PATIENCE, Limits, Rung, Step, climb

LIMITS = Limits()
FINE, CLEAN, SHED, RESTART = Step


@pytest.mark.parametrize(
    ("before", "memory", "after"),
    [
        pytest.param(FINE, 0, FINE, id="nothing"),
        pytest.param(FINE, 499, FINE, id="below the limit"),
        pytest.param(FINE, 500, CLEAN, id="at the limit"),
        pytest.param(FINE, 649, CLEAN, id="below half way"),
        pytest.param(FINE, 650, SHED, id="half way"),
        pytest.param(FINE, 799, SHED, id="below the emergency"),
        pytest.param(FINE, 800, RESTART, id="at the emergency"),
        pytest.param(FINE, 10_000, RESTART, id="far above it"),
        pytest.param(CLEAN, 499, CLEAN, id="it swings about the limit"),
        pytest.param(CLEAN, 450, CLEAN, id="not far enough below the limit"),
        pytest.param(CLEAN, 449, FINE, id="far enough below the limit"),
        pytest.param(CLEAN, 649, CLEAN, id="cleaning does not hurry to shed"),
        pytest.param(SHED, 649, SHED, id="it swings about half way"),
        pytest.param(SHED, 585, SHED, id="not far enough below half way"),
        pytest.param(SHED, 584, CLEAN, id="it takes work again, and is to clean"),
        pytest.param(SHED, 449, FINE, id="it takes work again"),
        pytest.param(SHED, 800, RESTART, id="shedding did not help in time"),
        pytest.param(RESTART, 799, RESTART, id="it swings about the emergency"),
        pytest.param(RESTART, 650, RESTART, id="it is still above half way"),
        pytest.param(RESTART, 584, CLEAN, id="the restart is not needed any more"),
        pytest.param(RESTART, 100, FINE, id="it was restarted"),
    ],
)
def test_step(before: Step, memory: int, after: Step) -> None:
    assert climb(Rung(before, 100.0), memory * MB, LIMITS, now=101.0).step is after


@pytest.mark.parametrize(
    ("shed_for", "memory", "after"),
    [(PATIENCE - 1, 700, SHED), (PATIENCE, 700, RESTART), (PATIENCE, 590, RESTART), (PATIENCE, 500, CLEAN)],
)
def test_shedding_that_does_not_help_ends_in_a_restart(shed_for: float, memory: int, after: Step) -> None:
    assert climb(Rung(SHED, 100.0), memory * MB, LIMITS, now=100.0 + shed_for).step is after


def test_a_step_is_counted_from_when_it_was_taken() -> None:
    shed = climb(Rung(), 700 * MB, LIMITS, now=10.0)
    assert shed == Rung(SHED, 10.0)
    assert climb(shed, 690 * MB, LIMITS, now=20.0) == shed


rungs = st.builds(Rung, st.sampled_from(Step), st.floats(0, 100))
memory = st.floats(0, 1e10)


@given(rungs, memory, memory)
def test_more_memory_is_never_a_lower_step(rung: Rung, less: float, more: float) -> None:
    less, more = sorted((less, more))
    assert climb(rung, less, LIMITS, 120.0).step <= climb(rung, more, LIMITS, 120.0).step


@given(rungs, st.floats(0.95, 1.0), st.sampled_from([CLEAN, SHED, RESTART]))
def test_what_swings_about_a_limit_makes_nobody_swing(rung: Rung, low: float, step: Step) -> None:
    """F67. However often memory crosses a limit and comes back, the step changes once at most."""
    steps = []
    for swing in range(20):
        rung = climb(rung, LIMITS.of(step) * (1.0, low)[swing % 2], LIMITS, 120.0)
        steps.append(rung.step)
    assert len(set(steps[1:])) == 1
