"""A house that is scaled by the real decisions, through whatever may come; `pytest -s` and `make simulate` show it."""

from itertools import pairwise

import pytest

from tests.support.simulation import SCENARIOS, Row, plot, simulate


def _run(name: str) -> list[Row]:
    rows = simulate(*SCENARIOS[name])
    print(f"\n{plot(name, rows)}")  # noqa: T201 (what a person who runs this wants to see)
    return rows


def _turns(rows: list[Row]) -> int:
    """How often the number of replicas went the other way."""
    steps = [after.replicas - before.replicas for before, after in pairwise(rows)]
    ways = [step > 0 for step in steps if step]
    return sum(way is not next_way for way, next_way in pairwise(ways))


def test_a_burst_of_ten_times_as_many_is_carried_within_a_minute_and_then_forgotten() -> None:
    rows = _run("burst")
    assert all(row.replicas == 1 for row in rows[:120])
    assert max(row.replicas for row in rows[120:181]) >= 8
    assert all(row.age < 5 for row in rows[120 + 90 :])
    assert all(row.replicas > 1 for row in rows[200:600])
    assert rows[-1].replicas == 1
    assert _turns(rows) == 1


def test_a_slow_model_makes_turns_long_and_replicas_few_more() -> None:
    rows = _run("slow model")
    assert max(row.age for row in rows) < 10
    assert 5 <= max(row.replicas for row in rows) <= 7
    assert _turns(rows) == 1
    assert rows[-1].replicas == 1


def test_while_nobody_can_tell_nothing_moves_and_afterwards_what_piled_up_is_carried() -> None:
    rows = _run("outage")
    away = rows[205:320]
    assert {(row.replicas, row.desired, row.held) for row in away} == {(1, 1, "queue_unknown")}
    assert all(row.age < 5 for row in rows[450:])
    assert _turns(rows) == 1
    assert rows[-1].replicas < 10


def test_against_a_model_that_takes_no_more_requests_nothing_is_scaled_out() -> None:
    rows = _run("rate-limited model")
    limited = rows[130:300]
    assert {row.replicas for row in limited} == {1}
    assert {row.held for row in limited} == {"model_limited"}
    assert max(row.waiting for row in limited) > 1_000
    assert all(row.age < 5 for row in rows[360:])
    assert _turns(rows) == 1
    assert rows[-1].replicas == 1


def test_one_chat_that_floods_does_not_scale_the_house() -> None:
    rows = _run("one flooding chat")
    assert {(row.replicas, row.desired) for row in rows} == {(1, 1)}
    assert max(row.waiting for row in rows) > 4_900
    assert max(row.age for row in rows) < 5


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_flaps_whatever_people_do(name: str, seed: int) -> None:
    scenario, seconds = SCENARIOS[name]
    assert _turns(simulate(scenario, seconds, seed)) <= 3
