"""A setting that is misspelt, missing or wrong is told in one sentence before anything starts."""

from pathlib import Path

import pytest

from services.chassis.errors import SettingsError
from services.cli import plan as plans
from services.cli.check import check

REAL = {"TELEGRAM_API_ID": "1", "TELEGRAM_API_HASH": "0" * 32, "TELEGRAM_BOT_TOKEN": "123:abc"}
ELSEWHERE = {**REAL, "TELEGRAM_SERVER": "127.0.0.1:1"}


def checked(monkeypatch: pytest.MonkeyPatch, data: Path, settings: dict[str, str]) -> None:
    """What `valor up` does before it starts anything."""
    given = {"ANTHROPIC_API_KEY": "", "OPENAI_API_KEY": "", "VALOR_DATA": str(data), **settings}
    plan = plans.make(given, processes=False, first=27_200)
    for name, value in {**given, **plan.environment}.items():
        monkeypatch.setenv(name, value)
    check(given)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"VALOR_OWNRE": "1"}, "VALOR_OWNRE is no setting of Valor: did you mean VALOR_OWNER?"),
        ({"VALOR_ALOW": "1"}, "VALOR_ALOW is no setting of Valor: did you mean VALOR_ALLOW?"),
        ({"VALOR_GROUP": "1"}, "VALOR_GROUP is no setting of Valor: did you mean VALOR_GROUPS?"),
        ({"VALOR_MODELURL": "1"}, "VALOR_MODELURL is no setting of Valor: did you mean VALOR_MODEL_URL?"),
        ({"VALOR_SMELL": "1"}, "VALOR_SMELL is no setting of Valor: "),
        ({"VALOR_XYZZY": "1"}, "VALOR_XYZZY is no setting of Valor: README.md lists them."),
        ({"TELEGRAM_API_HSAH": "1"}, "TELEGRAM_API_HSAH is no setting of Valor: did you mean TELEGRAM_API_HASH?"),
        ({"TELEGRAM_TOKEN": "1"}, "TELEGRAM_TOKEN is no setting of Valor: did you mean TELEGRAM_BOT_TOKEN?"),
        ({"TELEGRAM_SERVERKEY": "1"}, "TELEGRAM_SERVERKEY is no setting of Valor: did you mean TELEGRAM_SERVER_KEY?"),
        (
            {"TOOLRUNNER_KNOWLEGE": "1"},
            "TOOLRUNNER_KNOWLEGE is no setting of Valor: did you mean TOOLRUNNER_KNOWLEDGE?",
        ),
        ({"PIPELINE_RATE_MINUTE": "1"}, "PIPELINE_RATE_MINUTE is no setting of Valor: did you mean "),
        ({"VALOR_OWNER": "the boss"}, "VALOR_OWNER is wrong: 'the boss' is neither"),
        ({"VALOR_ALLOW": "@ann, bob"}, "VALOR_ALLOW is wrong: 'bob' is neither"),
        ({"VALOR_GROUPS": "team"}, "VALOR_GROUPS is wrong: 'team' is no group id"),
        ({"VALOR_LOG_LEVEL": "loud"}, "VALOR_LOG_LEVEL is wrong: "),
        ({"VALOR_MODEL": "gpt"}, "VALOR_MODEL is wrong: 'gpt' is neither offline nor provider:model."),
        ({"VALOR_MODEL": "anthropic:claude-haiku-4-5"}, "ANTHROPIC_API_KEY is not set, and VALOR_MODEL is"),
        ({"VALOR_MODEL": "openai:gpt-5"}, "OPENAI_API_KEY is not set, and VALOR_MODEL is openai:gpt-5."),
        ({"VALOR_MODEL_URL": "http://"}, "VALOR_MODEL_URL is wrong: it does not begin with"),
        ({"VALOR_MODEL_PRICE": "dear"}, "VALOR_MODEL_PRICE is wrong: 'dear' is no price such as 3/15"),
        ({"VALOR_BUDGET_PERSON_DAY": "2 EUR"}, "VALOR_BUDGET_PERSON_DAY is wrong: '2 EUR' is no amount such as"),
        ({"VALOR_BUDGET": "2 USD"}, "VALOR_BUDGET is no setting of Valor: "),
        ({"TELEGRAM_API_ID": "1"}, "TELEGRAM_API_HASH is not set."),
        ({"TELEGRAM_BOT_TOKEN": "123:abc"}, "TELEGRAM_API_ID is not set."),
        ({**REAL, "TELEGRAM_API_ID": "one"}, "TELEGRAM_API_ID is wrong: "),
        ({"TELEGRAM_SERVER": "127.0.0.1:1"}, "TELEGRAM_API_ID is not set."),
        ({"TELEGRAM_SERVER_KEY": "key.pem"}, "TELEGRAM_API_ID is not set."),
        (ELSEWHERE, "TELEGRAM_SERVER_KEY has to name the PEM file"),
        ({**ELSEWHERE, "TELEGRAM_SERVER": "127.0.0.1:99999"}, "TELEGRAM_SERVER is wrong: "),
        ({"TOOLRUNNER_KNOWLEDGE": "/nowhere"}, "TOOLRUNNER_KNOWLEDGE is wrong: /nowhere is no folder."),
        ({"PIPELINE_RATE_PER_MINUTE": "fast"}, "PIPELINE_RATE_PER_MINUTE is wrong: "),
    ],
)
def test_one_sentence_names_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: dict[str, str], sentence: str
) -> None:
    """F65, F70."""
    with pytest.raises(SettingsError) as error:
        checked(monkeypatch, tmp_path, settings)
    assert str(error.value).startswith(sentence)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        REAL,
        dict.fromkeys((*REAL, "TELEGRAM_SERVER", "VALOR_OWNER", "VALOR_MODEL", "VALOR_LOG_LEVEL"), ""),
        {"TELEGRAM_CHAT_ID": "1", "AGENT_NAME": "ci", "PIPELINE_ID": "7", "PEOPLE": "many", "MONITOR_DPI": "96"},
        {"TOOLRUNNER_KNOWLEDGE": "/tmp", "PIPELINE_RATE_PER_MINUTE": "2.5", "VALOR_ALLOW": "@ann, 17"},  # noqa: S108
    ],
)
def test_what_is_right_empty_or_somebody_else_s_is_let_pass(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: dict[str, str]
) -> None:
    checked(monkeypatch, tmp_path, settings)
