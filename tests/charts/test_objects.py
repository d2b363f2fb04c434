"""The objects as Kubernetes wants them: valid, unique, related by labels that never change."""

import pytest
import yaml

from tests.support import kinds
from tests.support.chart import COMPONENT, FOLDER, SCENARIOS, Object, house, scenario

CHANGING = {"app.kubernetes.io/version", "helm.sh/chart", "app.kubernetes.io/managed-by"}
RECOMMENDED = {f"app.kubernetes.io/{name}" for name in ("name", "instance", "part-of", "version", "managed-by")}


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_object_is_what_its_kind_has_to_be(name: str) -> None:
    kinds.check(scenario(name).objects)


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_object_is_there_twice_and_all_are_in_the_release_s_namespace(name: str) -> None:
    objects = scenario(name).objects
    names = [(one["kind"], one["metadata"]["name"]) for one in objects]
    assert len(names) == len(set(names))
    assert {one["metadata"].get("namespace", "") for one in objects if one["metadata"]["name"] != "house-rules"} == {
        "valor"
    }
    assert all(len(name) <= 63 for _, name in names)


@pytest.mark.parametrize("name", SCENARIOS)
def test_labels_are_the_recommended_ones(name: str) -> None:
    for one in scenario(name).objects:
        if one["metadata"]["name"] != "house-rules":
            assert {*RECOMMENDED, "helm.sh/chart"} <= set(one["metadata"]["labels"]), one["metadata"]["name"]


def selectors(one: Object) -> list[dict[str, str]]:
    """The label selectors of an object that may never change, or that pods are found by."""
    spec = one.get("spec", {})
    if one["kind"] == "Service":
        return [spec["selector"]]
    return [spec[key]["matchLabels"] for key in ("selector", "podSelector") if key in spec]


@pytest.mark.parametrize("name", SCENARIOS)
def test_selectors_hold_no_version_and_find_their_pods(name: str) -> None:
    release = scenario(name)
    labels = [pod.metadata["labels"] for pod in release.pods()]
    for one in release.objects:
        for selector in selectors(one):
            assert not CHANGING & set(selector)
            if one["kind"] != "ServiceMonitor" and "migrate" not in one["metadata"]["name"]:
                assert any(selector.items() <= found.items() for found in labels), one["metadata"]["name"]


def test_calls_go_to_ready_pods_and_those_who_watch_see_all() -> None:
    release = scenario("production")
    for name, entry in house().items():
        if entry.get("serves"):
            calls = release.one("Service", f"valor-{name}")["spec"]
            assert calls["clusterIP"] == "None"
            assert "publishNotReadyAddresses" not in calls
            assert "grpc" in {port["name"] for port in calls["ports"]}
        if entry.get("watched"):
            watched = release.one("Service", f"valor-{name}-replicas")["spec"]
            assert watched["clusterIP"] == "None"
            assert watched["publishNotReadyAddresses"]
            assert {port["name"]: port["port"] for port in watched["ports"]} == {"health": 7001, "metrics": 7002}
    for one in release.all("Service"):
        assert all(port["appProtocol"] for port in one["spec"]["ports"])


def test_a_hook_s_pods_are_found_by_no_service() -> None:
    release = scenario("production")
    served = {one["spec"]["selector"][COMPONENT] for one in release.all("Service")}
    assert not served & {pod.component for pod in release.pods() if pod.kind in {"Job", "Pod"}}


def test_migrations_run_once_before_an_upgrade_and_end_in_time() -> None:
    jobs = scenario("production").all("Job")
    assert len(jobs) == 4
    for job in jobs:
        assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-upgrade"
        assert "before-hook-creation" in job["metadata"]["annotations"]["helm.sh/hook-delete-policy"]
        assert job["spec"]["backoffLimit"] == 0
        assert job["spec"]["activeDeadlineSeconds"] > 0
        assert job["spec"]["template"]["spec"]["containers"][0]["args"][1:] == ["migrate"]


def test_the_bundled_database_keeps_its_pod_over_upgrades_of_the_chart() -> None:
    template = scenario("sandbox").one("StatefulSet", "valor-postgres")["spec"]["template"]
    assert not {"helm.sh/chart", "app.kubernetes.io/version"} & set(template["metadata"]["labels"])


def test_one_kind_a_file() -> None:
    for path in (FOLDER / "templates").rglob("*"):
        if path.is_file() and path.suffix in {".yaml", ".tpl"}:
            kinds = {line for line in path.read_text().splitlines() if line.startswith("kind: ")}
            assert len(kinds) <= (2 if path.name == "_certificate.tpl" else 1), path


def test_a_golden_list_of_what_a_production_install_makes() -> None:
    """Short, so that whoever changes it sees what they do."""
    made: dict[str, list[str]] = {}
    for one in scenario("production").objects:
        made.setdefault(one["kind"], []).append(one["metadata"]["name"].removeprefix("valor-"))
    golden = yaml.safe_load((FOLDER.parents[1] / "tests" / "charts" / "production.yaml").read_text())
    assert {kind: sorted(names) for kind, names in made.items()} == golden
