"""Settings: read from the environment, and one sentence where they are wrong."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import SettingsConfigDict

from services.chassis import settings
from services.chassis.errors import SettingsError
from services.chassis.ladder import MB, Limits
from services.chassis.settings import ProcessSettings, shared

TOKEN = "a-token-that-nobody-may-see"
KEY = "a-key-that-nobody-may-see"


class Example(ProcessSettings):
    """Settings as a service has them."""

    model_config = SettingsConfigDict(env_prefix="EXAMPLE_")

    key: SecretStr = Field(validation_alias=shared("VALOR_KEY"), min_length=8)
    size: int = Field(3, ge=1)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALOR_TOKEN", TOKEN)
    monkeypatch.setenv("VALOR_KEY", KEY)


def test_what_is_not_set_has_a_default() -> None:
    loaded = settings.load(Example)
    assert (loaded.data, loaded.log_level, loaded.listen, loaded.stop_with_parent, loaded.size) == (
        Path("data"),
        "info",
        "127.0.0.1:0",
        False,
        3,
    )


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("VALOR_DATA", "/somewhere", "data", Path("/somewhere")),
        ("VALOR_LOG_LEVEL", "error", "log_level", "error"),
        ("VALOR_HEALTH", "0.0.0.0:7001", "health", "0.0.0.0:7001"),
        ("VALOR_METRICS", "[::1]:7002", "metrics", "[::1]:7002"),
        ("VALOR_STOP_WITH_PARENT", "1", "stop_with_parent", True),
        ("EXAMPLE_LISTEN", "localhost:7003", "listen", "localhost:7003"),
        ("EXAMPLE_SIZE", "7", "size", 7),
        ("EXAMPLE_SIZE", "", "size", 3),
    ],
)
def test_every_setting_is_read_from_its_own_variable(
    name: str, value: str, field: str, expected: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert getattr(settings.load(Example), field) == expected
    assert settings.environment_name(Example, field) == name


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("VALOR_TOKEN", "", "VALOR_TOKEN is not set."),
        ("VALOR_DATABASE", "mysql://x", "VALOR_DATABASE is wrong: the URL of a database begins with postgresql://."),
        ("VALOR_KEY", "", "VALOR_KEY is not set."),
        ("VALOR_TOKEN", "too-short", "VALOR_TOKEN is wrong: it needs at least 16 characters"),
        ("VALOR_LOG_LEVEL", "loud", "VALOR_LOG_LEVEL is wrong: input should be 'debug', 'info', 'warning' or 'error'."),
        ("VALOR_STOP_WITH_PARENT", "perhaps", "VALOR_STOP_WITH_PARENT is wrong: input should be a valid boolean"),
        ("EXAMPLE_SIZE", "0", "EXAMPLE_SIZE is wrong: input should be greater than or equal to 1."),
        ("EXAMPLE_LISTEN", "nowhere", "EXAMPLE_LISTEN is wrong: 'nowhere' is not host:port."),
        ("EXAMPLE_LISTEN", ":7001", "EXAMPLE_LISTEN is wrong: ':7001' is not host:port."),
        ("VALOR_HEALTH", "localhost:http", "VALOR_HEALTH is wrong: 'localhost:http' is not host:port."),
        ("VALOR_MEMORY_LIMIT", "500", "VALOR_MEMORY_LIMIT and VALOR_MEMORY_EMERGENCY belong together, and one is not"),
        ("VALOR_MEMORY_EMERGENCY", "0", "VALOR_MEMORY_EMERGENCY is wrong: input should be greater than 0."),
        ("VALOR_METRICS", "localhost:70000", "VALOR_METRICS is wrong: 'localhost:70000' is not host:port."),
    ],
)
def test_what_is_wrong_is_one_sentence_that_names_it(
    name: str, value: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        settings.load(Example)
    told = str(error.value)
    assert told.startswith(sentence)
    assert told.endswith(".")
    assert "\n" not in told
    assert error.value.__suppress_context__


@pytest.mark.parametrize("value", ["too-short", "9-letters"])
def test_a_wrong_secret_is_not_repeated(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALOR_TOKEN", value)
    with pytest.raises(SettingsError) as error:
        settings.load(Example)
    assert value not in str(error.value)


def test_secrets_are_never_shown() -> None:
    loaded = settings.load(Example)
    for shown in (repr(loaded), str(loaded), f"{loaded}", loaded.model_dump_json(), repr(loaded.model_dump())):
        assert TOKEN not in shown
        assert KEY not in shown
    assert loaded.key.get_secret_value() == KEY


def test_a_process_keeps_limits_where_it_has_both_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.load(Example).ladder() is None
    monkeypatch.setenv("VALOR_MEMORY_LIMIT", "400")
    monkeypatch.setenv("VALOR_MEMORY_EMERGENCY", "600")
    assert settings.load(Example).ladder() == Limits(400 * MB, 600 * MB)
    monkeypatch.setenv("VALOR_MEMORY_EMERGENCY", "400")
    with pytest.raises(SettingsError, match=r"^VALOR_MEMORY_EMERGENCY is not above VALOR_MEMORY_LIMIT\.$"):
        settings.load(Example)


def test_settings_are_frozen() -> None:
    loaded: Any = settings.load(Example)
    with pytest.raises(ValidationError):
        loaded.size = 5


def test_a_file_of_the_secrets_folder_counts_like_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VALOR_KEY")
    monkeypatch.setenv("VALOR_SECRETS", str(tmp_path))
    (tmp_path / "VALOR_KEY").write_text("a-key-from-a-file\n")
    assert settings.load(Example).key.get_secret_value() == "a-key-from-a-file"
    monkeypatch.setenv("VALOR_KEY", KEY)
    assert settings.load(Example).key.get_secret_value() == KEY


def test_a_secrets_folder_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALOR_SECRETS", str(tmp_path / "nothing"))
    with pytest.raises(SettingsError, match=r"VALOR_SECRETS is wrong: .*nothing is no folder"):
        settings.load(Example)


def test_a_certificate_takes_the_place_of_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VALOR_TOKEN")
    with pytest.raises(SettingsError, match=r"^VALOR_TOKEN is not set\.$"):
        settings.load(Example)
    monkeypatch.setenv("VALOR_TLS", str(tmp_path))
    assert settings.load(Example).tls == tmp_path
