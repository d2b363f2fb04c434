"""A house that commands find in a cluster: by the environment of their own pod."""

from pathlib import Path

import pytest

from services.chassis.credential import Certificate
from services.chassis.errors import SettingsError
from services.cli.ask import running_house
from tests.support.authority import Authority

ADDRESSES = {name: f"valor-{name}:7000" for name in ("people", "agent", "pipeline", "monitor")}


@pytest.fixture(autouse=True)
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VALOR_TLS", str(Authority().issue(tmp_path / "tls", "cli")))
    for name, address in ADDRESSES.items():
        monkeypatch.setenv(f"{name.upper()}_ADDRESS", address)
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    monkeypatch.setenv("VALOR_SECRETS", str(secrets))
    return secrets


def test_a_pod_says_where_the_house_is_and_proves_itself_by_certificate() -> None:
    run = running_house()
    assert run.addresses == ADDRESSES
    assert isinstance(run.credential, Certificate)
    assert run.sandbox is None


def test_the_sandbox_is_known_where_there_is_one(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TESTDC_CONTROL", "valor-testdc:7001")
    (pod / "TESTDC_TOKEN").write_text("token-of-the-control-port")
    (pod / "TELEGRAM_BOT_TOKEN").write_text("4242:bot")
    sandbox = running_house().sandbox
    assert sandbox is not None
    assert (sandbox.control, sandbox.token, sandbox.bot_id) == ("valor-testdc:7001", "token-of-the-control-port", 4242)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIPELINE_ADDRESS")
    with pytest.raises(SettingsError, match=r"^PIPELINE_ADDRESS is not set\.$"):
        running_house()
