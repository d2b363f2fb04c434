"""Sums as people write them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.agent.sums import LONGEST, expression, number

NUMBERS = st.integers(0, 999).map(str) | st.decimals(0, 99, places=2).map(lambda value: f"{float(value)}")
SUMS = st.recursive(
    NUMBERS,
    lambda inner: (
        st.builds("{} {} {}".format, inner, st.sampled_from("+-*/"), inner)
        | inner.map("({})".format)
        | inner.map("-({})".format)
    ),
    max_leaves=8,
)


def value(python: str) -> float | None:
    try:
        return float(eval(python))  # noqa: S307 (a sum that was just made)
    except ZeroDivisionError:
        return None


@given(SUMS, SUMS)
def test_a_sum_means_what_python_means(left: str, right: str) -> None:
    text = f"{left} + {right}"
    found = expression(text)
    if len(text) <= LONGEST:
        assert found is not None
        expected, got = value(text), value(found)
        assert (expected is None) == (got is None)
        assert expected is None or got is None or math.isclose(expected, got)


@given(st.text(alphabet="0123456789+-*/().,% xeabcsqrt^√=", max_size=20))
def test_whatever_is_read_as_a_sum_is_a_sum(text: str) -> None:
    found = expression(text)
    assert found is None or set(found) <= set("0123456789+-*/(). %")


@pytest.mark.parametrize(
    ("given_", "shown"), [("391", "391"), ("0.30000000000000004", "0.3"), ("2.0", "2"), ("1e+30", "1e+30"), ("x", "x")]
)
def test_numbers_are_shown_without_noise(given_: str, shown: str) -> None:
    assert number(given_) == shown
