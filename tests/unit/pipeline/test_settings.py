"""Settings of the pipeline. F65, F106."""

import pytest

from services.chassis.errors import SettingsError
from services.chassis.settings import load
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


def test_without_a_scope_key_there_is_no_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VALOR_SCOPE_KEY")
    with pytest.raises(SettingsError, match=r"^VALOR_SCOPE_KEY is not set\.$"):
        load(Settings)


def test_the_scope_key_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """F114."""
    assert "k" * 32 not in repr(load(Settings))
