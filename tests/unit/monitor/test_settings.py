"""What is watched."""

import pytest

from services.chassis import settings
from services.chassis.errors import SettingsError
from services.monitor.model import Target
from services.monitor.settings import Settings


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALOR_TOKEN", "t" * 16)
    monkeypatch.setenv("MONITOR_TARGETS", "pipeline=127.0.0.1:7001")


def test_targets_are_names_and_health_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONITOR_TARGETS", "telegram=127.0.0.1:7001, agent=valor-agent:7001/7002,people=[::1]:7003")
    assert settings.load(Settings).watched() == (
        Target("telegram", "127.0.0.1", 7001),
        Target("agent", "valor-agent", 7001, 7002),
        Target("people", "[::1]", 7003),
    )


@pytest.mark.parametrize(
    ("name", "health_names"),
    [("telegram", ("telegram", "")), ("toolrunner", ("valor.toolrunner.v1.ToolrunnerService",))],
)
def test_a_service_has_its_own_name_on_its_health_port(name: str, health_names: tuple[str, ...]) -> None:
    assert Target(name, "", 1).health_names == health_names


@pytest.mark.parametrize(("address", "port"), [("10.0.0.7", "10.0.0.7:7001"), ("fd00::7", "[fd00::7]:7001")])
def test_a_replica_has_the_ports_of_its_target(address: str, port: str) -> None:
    target = Target("agent", "valor-agent", 7001, 7002)
    assert (target.health_at(address), target.metrics_at(address)) == (port, port.replace("7001", "7002"))
    assert Target("agent", "valor-agent", 7001).metrics_at(address) == ""


def test_the_others_have_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (settings.load(Settings).pipeline, settings.load(Settings).interval) == ("", 5.0)
    monkeypatch.setenv("PIPELINE_ADDRESS", "127.0.0.1:7010")
    monkeypatch.setenv("MONITOR_INTERVAL", "0.5")
    assert (settings.load(Settings).pipeline, settings.load(Settings).interval) == ("127.0.0.1:7010", 0.5)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("MONITOR_TARGETS", "", "MONITOR_TARGETS is not set."),
        (
            "MONITOR_TARGETS",
            "pipeline",
            "MONITOR_TARGETS is wrong: 'pipeline' is neither name=host:port nor name=host:port/port.",
        ),
        (
            "MONITOR_TARGETS",
            "pipeline=h",
            "MONITOR_TARGETS is wrong: 'pipeline=h' is neither name=host:port nor name=host:port/port.",
        ),
        (
            "MONITOR_TARGETS",
            "pipeline=h:1,",
            "MONITOR_TARGETS is wrong: '' is neither name=host:port nor name=host:port/port.",
        ),
        ("MONITOR_INTERVAL", "0", "MONITOR_INTERVAL is wrong: input should be greater than 0."),
        (
            "MONITOR_ALERT_WEBHOOK",
            "x.test",
            "MONITOR_ALERT_WEBHOOK is wrong: it does not begin with http:// or https:// and a host.",
        ),
        (
            "MONITOR_ALERT_ALERTMANAGER",
            "http:///",
            "MONITOR_ALERT_ALERTMANAGER is wrong: it does not begin with http:// or https:// and a host.",
        ),
        (
            "MONITOR_ALERT_TELEGRAM_URL",
            "ftp://x",
            "MONITOR_ALERT_TELEGRAM_URL is wrong: it does not begin with http:// or https:// and a host.",
        ),
        (
            "MONITOR_ALERT_TELEGRAM_CHAT",
            "me",
            "MONITOR_ALERT_TELEGRAM_CHAT is wrong: 'me' is neither a chat's id nor @name.",
        ),
        ("MONITOR_ALERT_TELEGRAM_CHAT", "-100", "TELEGRAM_BOT_TOKEN is not set, and MONITOR_ALERT_TELEGRAM_CHAT is."),
        ("MONITOR_MEMORY_LIMIT", "900", "MONITOR_MEMORY_EMERGENCY is not above MONITOR_MEMORY_LIMIT."),
    ],
)
def test_a_wrong_setting_is_one_sentence(name: str, value: str, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        settings.load(Settings)
    assert str(error.value) == sentence
