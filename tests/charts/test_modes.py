"""The ways to install: with secrets by name, with nothing for trying out, and what is refused with one sentence."""

import base64

import pytest
from helm_python import HelmError

from tests.support.chart import Object, Release, render, scenario, scenario_values

SECRETS = {"telegram": "t", "model": "m", "database": "d"}
TRY = "or sandboxTelegram.enabled=true to try Valor out."

REFUSED: list[tuple[Object, str]] = [
    ({}, f"Set secrets.telegram, secrets.model, secrets.database to the name of a Secret each .*, {TRY}"),
    ({"secrets": {"telegram": "t", "model": "m"}}, f"Set secrets.database to .*, {TRY}"),
    ({"secrets": {"telegram": "t", "database": "d"}}, f"Set secrets.model to .*, {TRY}"),
    ({"secrets": {"model": "m", "database": "d"}}, f"Set secrets.telegram to .*, {TRY}"),
    ({"secrets": SECRETS, "sandboxTelegram": {"enabled": True}}, "unset it, or unset secrets.telegram."),
    ({"secrets": SECRETS, "postgres": {"bundled": True}}, "unset it, or unset secrets.database."),
    ({"secrets": {"telegram": "t", "model": "m"}, "postgres": {"bundled": True}}, "postgres.storage.size is not set: "),
]


@pytest.mark.parametrize(("values", "sentence"), REFUSED)
def test_what_is_missing_or_contradicts_itself_is_one_sentence(values: Object, sentence: str) -> None:
    with pytest.raises(HelmError, match=sentence) as refused:
        render(values)
    assert "\n" not in str(refused.value).strip()


def sources(release: Release, service: str) -> set[str]:
    """The Secrets that a service's pods have, by volume or otherwise."""
    spec = release.service(service).spec
    projected = [one for volume in spec["volumes"] for one in volume.get("projected", {}).get("sources", [])]
    assert "secretKeyRef" not in str(spec)
    assert "secretRef" not in str(spec)
    plain = {volume["secret"]["secretName"] for volume in spec["volumes"] if "secret" in volume}
    return {one["secret"]["name"] for one in projected} | plain


def test_each_secret_is_where_it_is_needed_and_nowhere_else() -> None:
    release = scenario("production")
    telegram, model, database = (f"valor-{kind}-credentials" for kind in ("telegram", "model", "database"))
    assert {name: sources(release, name) - {f"valor-{name}-tls"} for name in SERVICES} == {
        "telegram": {telegram, database},
        "pipeline": {database, "valor-house"},
        "agent": {model},
        "toolrunner": {database, "valor-house"},
        "people": {database},
        "monitor": {"valor-house"},
        "cli": set(),
    }


SERVICES = ("telegram", "pipeline", "agent", "toolrunner", "people", "monitor", "cli")


def items(release: Release, service: str) -> dict[str, str]:
    """The files of a service's secrets, and where they come from."""
    volumes = release.service(service).spec["volumes"]
    mounted = next(volume["projected"]["sources"] for volume in volumes if volume["name"] == "secrets")
    return {item["path"]: item["key"] for one in mounted for item in one["secret"].get("items", [])}


def test_who_shares_a_secret_sees_its_own_part() -> None:
    release = scenario("sandbox")
    assert set(items(release, "pipeline")) == {"VALOR_DATABASE", "VALOR_SCOPE_KEY"}
    assert set(items(release, "toolrunner")) == {"VALOR_DATABASE", "VALOR_SCOPE_KEY"}
    assert set(items(release, "monitor")) == {"MONITOR_HTTP_TOKEN"}
    assert set(items(release, "cli")) == {"TESTDC_TOKEN", "TELEGRAM_BOT_TOKEN"}
    assert items(release, "testdc") == {
        "TESTDC_TOKEN": "TESTDC_TOKEN",
        "TESTDC_BOT_TOKEN": "TELEGRAM_BOT_TOKEN",
        "key.pem": "TESTDC_KEY",
    }


def test_the_sandbox_brings_everything_along() -> None:
    release = scenario("sandbox")
    telegram = release.environment("telegram")
    assert telegram["TELEGRAM_SERVER"] == "valor-testdc:7000"
    assert release.environment("agent")["VALOR_MODEL"] == "offline"
    assert release.environment("people")["VALOR_OWNER"] == "@sam"
    assert release.environment("cli")["TESTDC_CONTROL"] == "valor-testdc:7001"
    assert release.has("StatefulSet", "valor-postgres")
    secret = {
        key: base64.b64decode(value).decode() for key, value in release.one("Secret", "valor-postgres")["data"].items()
    }
    assert secret["VALOR_DATABASE"] == f"postgresql://valor:{secret['POSTGRES_PASSWORD']}@valor-postgres:5432/valor"
    assert "SANDBOX" in release.notes
    assert 'valor send "what is 17 * 23?"' in release.notes


def test_only_the_start_of_telegram_sees_the_sandbox_s_key() -> None:
    spec = scenario("sandbox").service("telegram").spec
    first, main = spec["initContainers"][0], spec["containers"][0]
    assert first["image"].startswith("valor-testdc:")
    assert "sandbox-key" in {mount["name"] for mount in first["volumeMounts"]}
    assert "sandbox-key" not in {mount["name"] for mount in main["volumeMounts"]}


def test_the_sandbox_may_use_a_real_model_and_a_real_database() -> None:
    values = {"sandboxTelegram": {"enabled": True}, "secrets": {"model": "m", "database": "d"}}
    release = render(values)
    assert not release.all("StatefulSet")
    assert release.environment("agent")["VALOR_MODEL"] == "anthropic:claude-sonnet-4-5"
    assert sources(release, "people") == {"d", "valor-people-tls"}


def test_beside_the_real_telegram_there_is_no_sandbox() -> None:
    release = scenario("production")
    assert not [
        one for one in release.objects if "testdc" in one["metadata"]["name"] or "sandbox" in one["metadata"]["name"]
    ]
    assert "TELEGRAM_SERVER" not in release.environment("telegram")
    assert "TESTDC_CONTROL" not in release.environment("cli")
    assert release.environment("people")["VALOR_OWNER"] == "@sam"
    assert "sandbox" not in release.notes.lower()


@pytest.mark.parametrize(
    ("values", "warning"),
    [
        ({"secrets": SECRETS}, "nobody may talk to Valor yet"),
        (
            {"secrets": SECRETS | {"model": ""}, "settings": {"model": "offline"}},
            "the offline model answers with rules",
        ),
        ({"sandboxTelegram": {"enabled": True}}, "keeps its tables in its pod"),
        (scenario_values("hpa"), "one pod without backups"),
    ],
)
def test_what_is_risky_is_said(values: Object, warning: str) -> None:
    assert warning in render(values).notes


def test_nothing_secret_is_said() -> None:
    release = scenario("sandbox")
    shown = release.notes + "".join(str(one) for one in release.objects if one["kind"] != "Secret")
    for secret in release.all("Secret"):
        for key, value in secret["data"].items():
            plain = base64.b64decode(value).decode()
            assert len(plain) < 10 or (plain not in shown and value not in shown), key
