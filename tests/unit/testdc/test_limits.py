from typing import Any

import pytest

from services.testdc.limits import Limits, Rates
from services.testdc.model import RpcFail


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_calls_beyond_the_rate_have_to_wait_for_the_oldest_to_pass() -> None:
    clock = Clock()
    rates = Rates(clock)
    rates.take("chat", (2, 10))
    clock.now += 4
    rates.take("chat", (2, 10))
    with pytest.raises(RpcFail, match="FLOOD_WAIT_6") as refused:
        rates.take("chat", (2, 10))
    assert refused.value.code == 420
    clock.now += 6
    rates.take("chat", (2, 10))


def test_rates_do_not_mix_and_none_is_no_limit() -> None:
    rates = Rates(Clock())
    rates.take("a", (1, 10))
    rates.take("b", (1, 10))
    for _ in range(100):
        rates.take("c", None)


def test_a_wait_is_told_in_whole_seconds_rounded_up() -> None:
    clock = Clock()
    rates = Rates(clock)
    rates.take("a", (1, 0.5))
    with pytest.raises(RpcFail, match=r"SLOWMODE_WAIT_1$"):
        rates.take("a", (1, 0.5), "SLOWMODE_WAIT")
    rates.take("b", (1, 10))
    clock.now += 0.5
    with pytest.raises(RpcFail, match=r"FLOOD_WAIT_10$"):
        rates.take("b", (1, 10))


@pytest.mark.parametrize(
    ("name", "value"),
    [("per_chat", [1, 0.5]), ("per_chat", None), ("slowmode", 3), ("random_ids", "forgotten"), ("state_qts", 4)],
)
def test_limits_are_changed_by_name(name: str, value: Any) -> None:
    limits = Limits()
    limits.change({name: value})
    assert getattr(limits, name) == (tuple(value) if isinstance(value, list) else value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("per_chat", [1]),
        ("per_chat", [0, 1]),
        ("per_chat", 5),
        ("text", "long"),
        ("text", True),
        ("random_ids", "sometimes"),
        ("min_users", 1),
        ("nothing", 1),
        ("change", 1),
    ],
)
def test_a_value_that_does_not_fit_changes_nothing(name: str, value: Any) -> None:
    limits = Limits()
    with pytest.raises(ValueError, match=name):
        limits.change({"slowmode": 9, name: value})
    assert limits == Limits()
