"""What the chart knows of the services is what the services know of themselves."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from services.chassis.settings import ProcessSettings, environment_name, load
from services.cli.run import Toolbox
from tests.support.chart import ROOT, SCENARIOS, chart, house, scenario

OWN = [name for name in house() if name not in {"cli", "testdc"}]
SECRETS = {
    "telegram": {"TELEGRAM_API_ID", "TELEGRAM_API_HASH", "TELEGRAM_BOT_TOKEN"},
    "model": {"ANTHROPIC_API_KEY", "OPENAI_API_KEY"},
    "database": {"VALOR_DATABASE"},
    "scope": {"VALOR_SCOPE_KEY"},
    "monitor": {"MONITOR_HTTP_TOKEN"},
    "alerts": {"MONITOR_ALERT_WEBHOOK", "MONITOR_ALERT_ALERTMANAGER", "TELEGRAM_BOT_TOKEN"},
}
EXAMPLES = {
    "TELEGRAM_API_ID": "12345",
    "TELEGRAM_BOT_TOKEN": "12345:abc",
    "VALOR_DATABASE": "postgresql://server/valor",
    "MONITOR_ALERT_WEBHOOK": "https://alerts.example.org",
    "MONITOR_ALERT_ALERTMANAGER": "https://alerts.example.org",
}


def kind(service: str) -> type[ProcessSettings]:
    settings: Any = Toolbox if service == "cli" else import_module(f"services.{service}.settings").Settings
    known: type[ProcessSettings] = settings
    return known


def known(service: str) -> set[str]:
    """The environment that a service reads."""
    return {environment_name(kind(service), field) for field in kind(service).model_fields}


def test_every_service_has_a_place_in_the_chart() -> None:
    folders = {path.parent.name for path in (ROOT / "services").glob("*/__main__.py")}
    values = chart().values
    assert set(house()) == set(values["services"]) == folders


def test_the_chart_is_of_the_version_of_the_code() -> None:
    version = next(line for line in (ROOT / "pyproject.toml").read_text().splitlines() if line.startswith("version = "))
    assert version == f'version = "{chart().metadata["appVersion"]}"'


@pytest.mark.parametrize("service", OWN)
def test_who_serves_says_so_by_its_own_name(service: str) -> None:
    has_contract = (ROOT / "protos" / "valor" / service).is_dir()
    assert house()[service].get("serves", "") == (
        f"valor.{service}.v1.{service.capitalize()}Service" if has_contract else ""
    )


@pytest.mark.parametrize("service", OWN)
def test_who_has_tables_is_migrated(service: str) -> None:
    has_tables = (ROOT / "services" / service / "migrations").is_dir()
    assert house()[service].get("tables", False) == has_tables
    assert ("database" in house()[service].get("secrets", [])) == has_tables
    assert scenario("production").has("Job", f"valor-{service}-migrate") == has_tables


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("service", [*OWN, "cli"])
def test_nothing_is_set_that_a_service_does_not_read(service: str, name: str) -> None:
    others = {"VALOR_SECRETS", "OTEL_EXPORTER_OTLP_ENDPOINT", "TZ"}
    assert set(scenario(name).environment(service)) - others <= known(service)
    for value in scenario(name).environment(service).values():
        assert isinstance(value, str)


def test_everything_that_people_choose_can_be_chosen_in_the_values() -> None:
    readme = (ROOT / "README.md").read_text()
    named = {
        name
        for row in re.findall(r"^\| (`[A-Z_`, ]+`) \|", readme, re.MULTILINE)
        for name in re.findall(r"[A-Z_]+", row)
    }
    offered = {name for service in [*OWN, "cli"] for name in scenario("everything").environment(service)}
    assert {"VALOR_OWNER", "VALOR_DATA"} < named
    assert named <= offered.union(*SECRETS.values())


@pytest.mark.parametrize("service", OWN)
def test_a_secret_goes_to_who_reads_it(service: str) -> None:
    """Every process can read the database's address; who keeps tables gets it."""
    read = {secret for secret, names in SECRETS.items() if names <= known(service)}
    tables = set() if house()[service].get("tables") else {"database"}
    assert set(house()[service].get("secrets", [])) == read - tables


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("service", OWN)
def test_a_service_can_start_with_what_it_gets(
    service: str, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for key, value in scenario(name).environment(service).items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("VALOR_SECRETS", str(tmp_path))
    monkeypatch.setenv("TOOLRUNNER_KNOWLEDGE", str(tmp_path))
    for secret in house()[service].get("secrets", []):
        for key in SECRETS[secret]:
            (tmp_path / key).write_text(EXAMPLES.get(key, "x" * 32) + "\n")
    settings = load(kind(service))
    assert str(settings.tls) == "/run/valor/tls"
    assert bool(settings.tables().url) == house()[service].get("tables", False)
