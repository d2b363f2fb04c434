"""What is wrong with the settings is one sentence that names it."""

import pytest

from services.agent.settings import Settings
from services.chassis.errors import SettingsError
from services.chassis.settings import load

NEEDED = {"VALOR_TOKEN": "token-of-this-test-run", "TOOLRUNNER_ADDRESS": "127.0.0.1:1"}


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"TOOLRUNNER_ADDRESS": ""}, "TOOLRUNNER_ADDRESS is not set."),
        ({"VALOR_MODEL": "gpt"}, "VALOR_MODEL is wrong: 'gpt' is neither offline nor provider:model."),
        (
            {"VALOR_MODEL": "anthropic:claude-haiku-5-5"},
            "ANTHROPIC_API_KEY is not set, and VALOR_MODEL is anthropic:claude-haiku-5-5.",
        ),
        ({"VALOR_MODEL": "openai-chat:x"}, "OPENAI_API_KEY is not set, and VALOR_MODEL is openai-chat:x."),
        (
            {"VALOR_MODEL_PRICE": "3 USD"},
            (
                "VALOR_MODEL_PRICE is wrong: '3 USD' is no price such as 3/15, US dollars for a million tokens read and"
                " written."
            ),
        ),
        (
            {"VALOR_MODEL_URL": "127.0.0.1:1"},
            "VALOR_MODEL_URL is wrong: it does not begin with http:// or https:// and a host.",
        ),
        (
            {"VALOR_MODEL_URL": "http://127.0.0.1:1"},
            "VALOR_MODEL_URL needs a VALOR_MODEL that begins with one of: anthropic, openai, openai-chat.",
        ),
    ],
)
def test_a_sentence_for_each(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], sentence: str) -> None:
    for name, value in {**NEEDED, "ANTHROPIC_API_KEY": "", "OPENAI_API_KEY": "", **environment}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        load(Settings)
    assert str(error.value) == sentence


def test_an_own_server_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    chosen = {"VALOR_MODEL": "anthropic:x", "VALOR_MODEL_URL": "http://127.0.0.1:1"}
    for name, value in {**NEEDED, **chosen}.items():
        monkeypatch.setenv(name, value)
    assert load(Settings).key is None
