"""Settings of the pipeline. F65, F106."""

import pytest

from services.chassis.errors import SettingsError
from services.chassis.settings import load
from services.pipeline.budget import Price
from services.pipeline.settings import Settings

GOOD = {"VALOR_TOKEN": "t" * 16, "VALOR_SCOPE_KEY": "k" * 32}


@pytest.fixture(autouse=True)
def _good(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("groups", "listed"),
    [
        ("", set()),
        ("-1001", {-1001}),
        (" -1001 , -5,,7 ", {-1001, -5, 7}),
    ],
)
def test_groups_are_a_list_of_ids(monkeypatch: pytest.MonkeyPatch, groups: str, listed: set[int]) -> None:
    monkeypatch.setenv("VALOR_GROUPS", groups)
    assert load(Settings).listed() == listed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VALOR_GROUPS", "here"),
        ("VALOR_GROUPS", "--5"),
        ("VALOR_GROUPS", "1.5"),
        ("VALOR_GROUPS", "²"),
        ("VALOR_SCOPE_KEY", "short"),
        ("PIPELINE_RATE_PER_MINUTE", "0"),
        ("PIPELINE_RATE_PER_MINUTE", "-1"),
        ("PIPELINE_RATE_PER_MINUTE", "inf"),
        ("PIPELINE_RATE_PER_MINUTE", "nan"),
        ("VALOR_BUDGET_PERSON_DAY", "2"),
        ("VALOR_BUDGET_PERSON_MONTH", "a lot"),
        ("VALOR_BUDGET_CHAT_DAY", "-1 USD"),
        ("VALOR_BUDGET_CHAT_MONTH", "1.5 tokens"),
        ("VALOR_BUDGET_TOTAL_DAY", "2 EUR"),
        ("VALOR_BUDGET_TOTAL_MONTH", "nothing"),
        ("PIPELINE_WAITING_PERSON", "0"),
        ("PIPELINE_WAITING_TOTAL", "-1"),
        ("PIPELINE_CAPACITY", "0"),
        ("PIPELINE_CAPACITY", "many"),
        ("PIPELINE_TURN_SECONDS", "0"),
        ("PIPELINE_TURN_SECONDS", "inf"),
        ("AGENT_ADDRESS", "nowhere"),
        ("PEOPLE_ADDRESS", "127.0.0.1"),
    ],
)
def test_a_wrong_value_is_named_in_one_sentence(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        load(Settings)
    assert str(error.value).startswith(f"{name} is wrong: ")


DEAR, FREE = Price(3_000_000, 15_000_000, 4096), Price(0, 0, 4096)


@pytest.mark.parametrize(
    ("price", "set_to", "limits"),
    [
        (FREE, {}, []),
        (DEAR, {}, ["person day 2000000 USD", "total day 20000000 USD", "total month 200000000 USD"]),
        (DEAR, dict.fromkeys(("PERSON_DAY", "TOTAL_DAY", "TOTAL_MONTH"), "none"), []),
        (FREE, {"CHAT_MONTH": "500 tokens"}, ["chat month 500 tokens"]),
        (
            DEAR,
            {"PERSON_DAY": "100 tokens", "CHAT_DAY": "1 USD", "TOTAL_DAY": "none", "TOTAL_MONTH": "0 USD"},
            ["person day 100 tokens", "chat day 1000000 USD", "total month 0 USD"],
        ),
    ],
)
def test_what_costs_money_has_limits_unless_it_is_said_otherwise(
    monkeypatch: pytest.MonkeyPatch, price: Price, set_to: dict[str, str], limits: list[str]
) -> None:
    """F106. Every declared limit is set once, and holds."""
    for name, value in set_to.items():
        monkeypatch.setenv(f"VALOR_BUDGET_{name}", value)
    found = load(Settings).limits(price)
    assert [f"{limit.scope} {limit.window} {limit.value} {limit.unit}" for limit in found] == limits


def test_without_a_scope_key_there_is_no_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VALOR_SCOPE_KEY")
    with pytest.raises(SettingsError, match=r"^VALOR_SCOPE_KEY is not set\.$"):
        load(Settings)


def test_the_scope_key_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """F114."""
    assert "k" * 32 not in repr(load(Settings))
