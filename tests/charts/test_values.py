"""Values: what is misspelt or wrong is refused by name, what can be set is explained."""

import json
import re
from typing import Any

import pytest
import yaml
from helm_python import HelmError, lint

from tests.support.chart import FOLDER, SCENARIOS, chart, render, scenario_values

VALUES: dict[str, Any] = yaml.safe_load((FOLDER / "values.yaml").read_text())
SCHEMA: dict[str, Any] = json.loads((FOLDER / "values.schema.json").read_text())

WRONG = [
    ("servces: {}", "servces"),
    ("services: {agnet: {}}", "agnet"),
    ("services: {agent: {replica: 3}}", "replica"),
    ("services: {agent: {replicas: three}}", "replicas"),
    ("services: {agent: {replicas: -1}}", "replicas"),
    ("services: {agent: null}", "agent"),
    ("services: {agent: {scaling: {minimum: 3}}}", "minimum"),
    ("services: {agent: {image: {tag: latest}}}", "tag"),
    ("services: {agent: {image: {digest: 'sha256:12'}}}", "digest"),
    ("services: {agent: {resources: {memory: lots}}}", "memory"),
    ("services: {agent: {extraVolumes: [{name: socket, hostPath: {path: /var/run/docker.sock}}]}}", "extraVolumes"),
    ("services: {agent: {extraEnv: [{value: x}]}}", "extraEnv"),
    ("defaults: {pdb: null}", "defaults"),
    ("defaults: {probes: {}}", "probes"),
    ("secrets: {telegramm: x}", "telegramm"),
    ("secrets: {telegram: Not A Name}", "telegram"),
    ("secrets: null", "secrets"),
    ("sandboxTelegram: {enable: true}", "enable"),
    ("sandboxTelegram: {enabled: 'yes'}", "enabled"),
    ("settings: {owner: sam}", "owner"),
    ("settings: {allow: sam}", "allow"),
    ("settings: {groups: [friends]}", "groups"),
    ("settings: {budgets: {personDay: 2 EUR}}", "personDay"),
    ("settings: {budgets: {day: 2 USD}}", "day"),
    ("settings: {model: claude}", "model"),
    ("settings: {modelUrl: example.org}", "modelUrl"),
    ("settings: {modelPrice: cheap}", "modelPrice"),
    ("settings: {logLevel: loud}", "logLevel"),
    ("settings: {knowledge: {claim: a, configMap: b}}", "knowledge"),
    ("settings: {telegramServer: {address: example.org}}", "address"),
    ("autoscaling: {mode: knative}", "mode"),
    ("networkPolicy: {nodes: [10.0.0.1]}", "nodes"),
    ("tls: {issuerRef: {nme: x}}", "nme"),
    ("tls: {enabled: false}", "enabled"),
    ("monitoring: {rules: {enabled: 1}}", "enabled"),
    ("postgres: {uid: 0}", "uid"),
    ("image: {pullPolicy: Sometimes}", "pullPolicy"),
    ("imagePullSecrets: [login]", "imagePullSecrets"),
    ("extraObjects: [{kind: ConfigMap}]", "extraObjects"),
]


@pytest.mark.parametrize(("text", "name"), WRONG, ids=[text for text, _ in WRONG])
def test_a_wrong_value_is_refused_by_its_name(text: str, name: str) -> None:
    with pytest.raises(HelmError, match=name):
        chart().validate_schema(yaml.safe_load(text))


def test_the_chart_may_be_part_of_another() -> None:
    chart().validate_schema({"global": {"imageRegistry": "registry.example.org", "somebodyElses": {"key": 1}}})


def test_off_needs_no_quotes() -> None:
    """YAML reads a plain `off` as false."""
    values = scenario_values("sandbox") | {"autoscaling": yaml.safe_load("mode: off")}
    assert not render(values).all("ScaledObject", "HorizontalPodAutoscaler")


def keys(schema: dict[str, Any], path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Every key that the schema knows by name."""
    if reference := schema.get("$ref"):
        schema = SCHEMA["definitions"][reference.rpartition("/")[2]]
    found = {path} if path else set()
    for part in [schema, *schema.get("allOf", [])]:
        inner = SCHEMA["definitions"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part
        for name, one in inner.get("properties", {}).items():
            found |= keys(one, (*path, name))
    return found


def paths(values: dict[str, Any], path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Every key of the values."""
    found = {path} if path else set()
    for name, one in values.items():
        found |= paths(one, (*path, name)) if isinstance(one, dict) else {(*path, name)}
    return found


OPEN = {("tls", "issuerRef"), ("defaults", "image"), ("monitoring", "dashboards", "labels")}
"""What is empty by default, and what anybody may name."""


def test_values_and_schema_know_the_same() -> None:
    def narrowed(found: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
        deep = {path for path in found if any(path[: len(one)] == one and path != one for one in OPEN)}
        return {
            path
            for path in found - deep
            if path[:1] != ("services",) and path[:3] != ("postgres", "image", "pullPolicy")
        }

    assert narrowed(paths(VALUES)) == narrowed(keys(SCHEMA))


def test_nothing_can_be_set_that_no_template_reads() -> None:
    templates = "".join(path.read_text() for path in (FOLDER / "templates").rglob("*") if path.is_file())
    house = (FOLDER / "files" / "house.yaml").read_text()
    named = paths(VALUES)
    leaves = {path for path in named if not any(one[:-1] == path for one in named)}
    names = {path[-1] for path in leaves if path[0] != "services" and path[:2] != ("monitoring", "dashboards")}
    open_to_all = {"grafana_dashboard", "cidr", "except", "namespaceSelector", "matchLabels", "ipBlock"}
    read = set(re.findall(r"\.(\w+)|: (\w+)$", templates + house, re.MULTILINE))
    unread = names - {name for pair in read for name in pair}
    assert unread <= open_to_all


@pytest.mark.parametrize("name", SCENARIOS)
def test_helm_finds_nothing_to_complain_about(name: str) -> None:
    report = lint(FOLDER, scenario_values(name), strict=True, kube_version="v1.33.0")
    assert not report["errors"]
    assert not [one for one in report["messages"] if one["severity"] > 1]
