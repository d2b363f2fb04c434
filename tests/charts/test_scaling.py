"""Who sets the number of replicas: one at a time, and never below what survives the loss of a pod."""

import pytest

from services.monitor import scaler
from tests.support.chart import SCENARIOS, Release, render, scenario, scenario_values

SCALED = {"pipeline", "agent", "toolrunner"}
REPLICAS = {"telegram": 2, "pipeline": 2, "agent": 2, "toolrunner": 2, "people": 2, "monitor": 2, "cli": 1, "testdc": 1}


def replicas(release: Release) -> dict[str, int | None]:
    """What the Deployments say, by service."""
    labels = "app.kubernetes.io/component"
    return {one["metadata"]["labels"][labels]: one["spec"].get("replicas") for one in release.all("Deployment")}


def targets(release: Release, kind: str) -> set[str]:
    """What is scaled by objects of this kind."""
    return {one["spec"]["scaleTargetRef"]["name"].rpartition("-")[2] for one in release.all(kind)}


def test_nobody_scales_unless_told_to() -> None:
    assert replicas(scenario("sandbox")) == REPLICAS
    assert not scenario("sandbox").all("ScaledObject", "HorizontalPodAutoscaler", "TriggerAuthentication")


@pytest.mark.parametrize(("name", "kind"), [("everything", "ScaledObject"), ("hpa", "HorizontalPodAutoscaler")])
def test_one_scales_and_then_the_deployment_says_no_number(name: str, kind: str) -> None:
    release = scenario(name)
    (other,) = {"ScaledObject", "HorizontalPodAutoscaler"} - {kind}
    assert targets(release, kind) == SCALED
    assert not targets(release, other)
    assert {service for service, number in replicas(release).items() if number is None} == SCALED


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_drain_takes_one_pod_of_those_that_are_several(name: str) -> None:
    release = scenario(name)
    several = {service for service, number in replicas(release).items() if number is None or number > 1}
    guarded = {one["metadata"]["name"].rpartition("-")[2]: one["spec"] for one in release.all("PodDisruptionBudget")}
    assert set(guarded) == several
    for spec in guarded.values():
        assert spec["maxUnavailable"] == 1
        assert spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_keda_asks_monitor_with_a_certificate_and_has_something_to_fall_back_on() -> None:
    release = scenario("everything")
    spec = release.one("ScaledObject", "house-agent")["spec"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (3, 12)
    assert spec["fallback"]["replicas"] == 6
    (trigger,) = spec["triggers"]
    assert trigger["type"] == "external-push"
    assert trigger["metadata"] == {
        "scalerAddress": "house-monitor.valor:7000",
        "enableTLS": "true",
        "service": "agent",
        "min": "3",
        "max": "12",
    }
    assert scaler.trigger(trigger["metadata"]) == scaler.Trigger("agent", 3, 12)
    proof = release.one("TriggerAuthentication", trigger["authenticationRef"]["name"])["spec"]["secretTargetRef"]
    assert {one["parameter"]: one["key"] for one in proof} == {
        "caCert": "ca.crt",
        "tlsClientCert": "tls.crt",
        "tlsClientKey": "tls.key",
    }
    assert all(release.has("Secret", one["name"]) for one in proof)


def test_one_service_may_be_left_out_of_scaling() -> None:
    values = scenario_values("hpa")
    values["services"]["agent"] = {"scaling": {"enabled": False}, "replicas": 5}
    release = render(values)
    assert targets(release, "HorizontalPodAutoscaler") == SCALED - {"agent"}
    assert replicas(release)["agent"] == 5


def test_a_single_replica_has_no_budget() -> None:
    values = scenario_values("production") | {"services": {"people": {"replicas": 1}}}
    assert not render(values).has("PodDisruptionBudget", "valor-people")
