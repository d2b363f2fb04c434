"""Settings of toolrunner."""

from pathlib import Path

import pytest

from services.chassis import settings
from services.chassis.errors import SettingsError
from services.toolrunner.settings import Settings

GOOD = {"VALOR_TOKEN": "t" * 16, "VALOR_SCOPE_KEY": "k" * 32}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)


def test_documents_lie_in_the_data_folder_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VALOR_DATA", "/somewhere")
    assert settings.load(Settings).documents() == Path("/somewhere/knowledge")
    monkeypatch.setenv("TOOLRUNNER_KNOWLEDGE", str(tmp_path))
    assert settings.load(Settings).documents() == tmp_path


@pytest.mark.parametrize(("name", "field"), [("TOOLRUNNER_CALLS", "calls"), ("TOOLRUNNER_WORKERS", "workers")])
def test_limits_can_be_set(name: str, field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "7")
    assert getattr(settings.load(Settings), field) == 7


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("VALOR_SCOPE_KEY", "", "VALOR_SCOPE_KEY is not set."),
        ("VALOR_SCOPE_KEY", "too short", "VALOR_SCOPE_KEY is wrong: it needs at least 32 characters"),
        ("TOOLRUNNER_CALLS", "0", "TOOLRUNNER_CALLS is wrong"),
        ("TOOLRUNNER_WORKERS", "many", "TOOLRUNNER_WORKERS is wrong"),
    ],
)
def test_a_wrong_setting_is_one_sentence(name: str, value: str, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        settings.load(Settings)
    assert str(error.value).startswith(sentence)
    assert "\n" not in str(error.value)
