"""What is wrong with a setting is said in one sentence that names it."""

from pathlib import Path
from typing import Any

import pytest

from services.chassis.errors import SettingsError
from services.chassis.settings import load
from services.telegram.settings import Settings

GOOD = {
    "VALOR_TOKEN": "token-of-this-test-run",
    "TELEGRAM_API_ID": "1",
    "TELEGRAM_API_HASH": "0" * 32,
    "TELEGRAM_BOT_TOKEN": "123456:ABC",
}


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("TELEGRAM_API_ID", None, "TELEGRAM_API_ID is not set."),
        ("TELEGRAM_API_ID", "0", "TELEGRAM_API_ID is wrong: input should be greater than 0."),
        ("TELEGRAM_API_ID", "one", "TELEGRAM_API_ID is wrong: input should be a valid integer"),
        ("TELEGRAM_API_HASH", None, "TELEGRAM_API_HASH is not set."),
        ("TELEGRAM_API_HASH", "short", "TELEGRAM_API_HASH is wrong: it needs at least 32 characters."),
        ("TELEGRAM_API_HASH", "0" * 33, "TELEGRAM_API_HASH is wrong: "),
        ("TELEGRAM_BOT_TOKEN", None, "TELEGRAM_BOT_TOKEN is not set."),
        ("TELEGRAM_BOT_TOKEN", "secret", "TELEGRAM_BOT_TOKEN is wrong: a bot token looks like 123456:ABC…."),
        ("TELEGRAM_BOT_TOKEN", "123456:", "TELEGRAM_BOT_TOKEN is wrong: a bot token looks like 123456:ABC…."),
        ("TELEGRAM_BOT_TOKEN", "../../x:ABC", "TELEGRAM_BOT_TOKEN is wrong: "),
        ("TELEGRAM_SERVER", "nowhere", "TELEGRAM_SERVER is wrong: a server is written host:port."),
        ("TELEGRAM_SERVER", ":443", "TELEGRAM_SERVER is wrong: a server is written host:port."),
        ("TELEGRAM_SERVER", "host:1", "TELEGRAM_SERVER_KEY has to name the PEM file"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str | None, sentence: str) -> None:
    """Covers F65."""
    for key, good in {**GOOD, name: value}.items():
        if good is not None:
            monkeypatch.setenv(key, good)
    with pytest.raises(SettingsError) as error:
        load(Settings)
    assert str(error.value).startswith(sentence)
    assert "\n" not in str(error.value)
    assert "Traceback" not in str(error.value)


def test_a_server_of_ones_own_needs_its_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("a key")
    own = {"TELEGRAM_SERVER": "127.0.0.1:443", "TELEGRAM_SERVER_KEY": str(key), "PIPELINE_ADDRESS": "pipeline:7204"}
    for name, value in {**GOOD, **own}.items():
        monkeypatch.setenv(name, value)
    settings = load(Settings)
    assert (settings.server, settings.server_key) == ("127.0.0.1:443", key)
    assert settings.pipeline_address == "pipeline:7204"


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    values: dict[str, Any] = {**GOOD, "TELEGRAM_API_HASH": "f" * 32}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    shown = repr(load(Settings))
    assert "ABC" not in shown
    assert "f" * 32 not in shown
