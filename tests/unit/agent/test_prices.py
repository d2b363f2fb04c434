"""What model calls cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_ai.usage import RequestUsage
from structlog.testing import capture_logs

from services.agent.adapters.prices import ASSUMED, price_list
from services.agent.model import Price
from services.agent.settings import Settings
from tests.support.process import TOKEN


def settings(model: str, price: str = "") -> Settings:
    return Settings(token=TOKEN, toolrunner="x:1", model=model, model_url="http://x", model_price=price)


def test_what_is_known_costs_what_the_list_says_cached_tokens_less() -> None:
    prices = price_list(settings("anthropic:claude-sonnet-4-5"))
    assert prices.price == Price(3_000_000, 15_000_000)
    assert prices.cost(RequestUsage(input_tokens=1000, output_tokens=1000)) == 3_000 + 15_000
    cached = RequestUsage(input_tokens=1000, cache_read_tokens=1000)
    assert 0 < prices.cost(cached) < prices.cost(RequestUsage(input_tokens=1000))
    assert prices.cost(RequestUsage(input_tokens=1)) == 3


def test_figures_that_contradict_each_other_are_not_free() -> None:
    odd = RequestUsage(input_tokens=1000, cache_read_tokens=2000)
    assert price_list(settings("anthropic:claude-sonnet-4-5")).cost(odd) == 3_000


def test_what_nobody_knows_is_said_and_never_free() -> None:
    with capture_logs() as logs:
        prices = price_list(settings("openai:my-own"))
    assert [(entry["event"], entry["model"], entry["setting"]) for entry in logs] == [
        ("price_assumed", "openai:my-own", "VALOR_MODEL_PRICE")
    ]
    assert prices.price == ASSUMED
    assert prices.cost(RequestUsage(input_tokens=1000, output_tokens=1000)) == 15_000 + 75_000


@pytest.mark.parametrize("model", ["openai:my-own", "anthropic:claude-sonnet-4-5"])
def test_a_price_that_is_set_is_the_price(model: str) -> None:
    with capture_logs() as logs:
        prices = price_list(settings(model, "0.25/1"))
    assert (prices.price, logs) == (Price(250_000, 1_000_000), [])
    assert prices.cost(RequestUsage(input_tokens=10, output_tokens=1)) == 4
    assert price_list(settings(model, "0/0")).cost(RequestUsage(input_tokens=10**9)) == 0


def test_the_offline_model_costs_nothing() -> None:
    assert price_list(Settings(token=TOKEN, toolrunner="x:1")).price == Price()


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_a_cost_is_rounded_up(read: int, written: int) -> None:
    price = Price(3_000_000, 15_000_000)
    assert price.of(read, written) == 3 * read + 15 * written
    assert Price(1, 0).of(read, 0) * 1_000_000 >= read
