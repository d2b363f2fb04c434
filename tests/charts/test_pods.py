"""Every pod, in every scenario: who it runs as, what it may use, how it is looked after."""

from collections.abc import Iterator
from typing import Any

import pytest

from services.pipeline.__main__ import GRACE as PIPELINE_GRACE
from services.telegram.__main__ import GRACE as TELEGRAM_GRACE
from tests.support.chart import SCENARIOS, Pod, Release, house, scenario

EVERYWHERE = pytest.mark.parametrize("name", SCENARIOS)
SERVER_GRACE = 5.0
"""What `chassis.server` gives to calls under way."""


@EVERYWHERE
def test_it_passes_the_restricted_pod_security(name: str) -> None:
    """F79, F155. No exception for anybody, those of hooks and tests included."""
    for pod in scenario(name).pods():
        security = pod.spec["securityContext"]
        assert security["runAsNonRoot"]
        assert security["runAsUser"] > 0
        assert security["fsGroup"] == security["runAsUser"] == security["runAsGroup"]
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not pod.spec["automountServiceAccountToken"]
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod.spec)
        kinds = {kind for volume in pod.spec["volumes"] for kind in volume if kind != "name"}
        assert kinds <= {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}
        for container in pod.containers:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert not [port for port in container.get("ports", []) if "hostPort" in port]


@EVERYWHERE
def test_nothing_it_uses_is_without_limit(name: str) -> None:
    """F79. Memory and disk have limits, CPU only where a value says so; every temporary folder has a size."""
    for pod in scenario(name).pods():
        for container in pod.containers:
            wanted, limits = container["resources"]["requests"], container["resources"]["limits"]
            assert set(wanted) == {"cpu", "memory", "ephemeral-storage"}
            assert limits["memory"] == wanted["memory"]
            assert limits["ephemeral-storage"] == wanted["ephemeral-storage"]
            assert ("cpu" in limits) == (name == "everything" and container["name"] == "agent")
        assert all("sizeLimit" in volume["emptyDir"] for volume in pod.spec["volumes"] if "emptyDir" in volume)


@EVERYWHERE
def test_it_holds_together(name: str) -> None:
    """What is mounted exists, images have versions, nobody's environment leaks in."""
    for pod in scenario(name).pods():
        volumes = [volume["name"] for volume in pod.spec["volumes"]]
        claims = ["data"] if pod.kind == "StatefulSet" else []
        assert len(volumes) == len(set(volumes))
        for container in pod.containers:
            assert {mount["name"] for mount in container["volumeMounts"]} <= {*volumes, *claims}
            image = container["image"]
            assert "@sha256:" in image or image.rpartition(":")[2] not in {image, "latest"}
        assert not pod.spec["enableServiceLinks"]
        used = {mount["name"] for container in pod.containers for mount in container["volumeMounts"]}
        assert set(volumes) == used - set(claims) or set(volumes) == used


@EVERYWHERE
def test_what_ends_is_started_again(name: str) -> None:
    """F63. A clean exit is an exit: only what has to end once, before an upgrade or in a test, may stay ended."""
    for pod in scenario(name).pods():
        policy = pod.spec.get("restartPolicy", "Always")
        assert policy == ("Never" if pod.kind in {"Job", "Pod"} else "Always")


@EVERYWHERE
def test_every_pod_has_an_account_of_its_own_without_rights(name: str) -> None:
    for pod in scenario(name).pods():
        release = scenario(name)
        account = release.one("ServiceAccount", pod.spec["serviceAccountName"])
        assert not account["automountServiceAccountToken"]
        assert not release.all("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")


def services(release: Release) -> Iterator[Pod]:
    """The pods that monitor watches."""
    return (release.service(name) for name, entry in house().items() if entry.get("watched"))


@EVERYWHERE
def test_probes_ask_the_plaintext_port_and_only_readiness_asks_for_the_service(name: str) -> None:
    for pod in services(scenario(name)):
        (container,) = pod.spec["containers"]
        for probe in ("startupProbe", "livenessProbe"):
            assert container[probe]["grpc"] == {"port": 7001}
        serves = house()[pod.component].get("serves")
        assert container["readinessProbe"]["grpc"] == {"port": 7001, **({"service": serves} if serves else {})}


def test_a_stop_has_time_for_its_pause_and_its_drain() -> None:
    drains = {"pipeline": PIPELINE_GRACE + SERVER_GRACE, "telegram": TELEGRAM_GRACE}
    for pod in services(scenario("production")):
        hooks: dict[str, Any] = pod.spec["containers"][0].get("lifecycle", {})
        pause = hooks.get("preStop", {}).get("sleep", {}).get("seconds", 0)
        assert pause or not house()[pod.component].get("serves")
        assert pod.spec["terminationGracePeriodSeconds"] >= 2 * drains.get(pod.component, SERVER_GRACE) + pause


@EVERYWHERE
def test_an_upgrade_never_takes_a_pod_away_before_the_next_is_there(name: str) -> None:
    for one in scenario(name).all("Deployment"):
        recreated = one["spec"]["strategy"]["type"] == "Recreate"
        assert recreated == (one["metadata"]["name"] == "valor-testdc")
        if not recreated:
            assert one["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
        assert "revisionHistoryLimit" in one["spec"]


def test_a_service_restarts_when_what_it_reads_changes_and_no_other_does() -> None:
    def state(release: Release) -> dict[str, Any]:
        return {pod.component: pod.metadata["annotations"]["checksum/config"] for pod in services(release)}

    before, after = scenario("production"), scenario("cert-manager")
    changed = {name for name, what in state(before).items() if state(after)[name] != what}
    assert changed == {"people"}  # the owner


def test_pods_are_spread_and_go_where_values_say() -> None:
    spec = scenario("everything").service("pipeline").spec
    assert [one["topologyKey"] for one in spec["topologySpreadConstraints"]] == [
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    ]
    assert spec["nodeSelector"] == {"kubernetes.io/arch": "amd64"}
    assert spec["priorityClassName"] == "valor"
    assert spec["tolerations"][0]["key"] == "dedicated"
    assert spec["imagePullSecrets"] == [{"name": "registry-login"}]


@pytest.mark.parametrize(
    ("service", "image"),
    [
        ("people", "registry.example.org/valor-people:1.2.3"),
        ("agent", f"registry.example.org/team/agent:1.2.3@sha256:{'0123456789abcdef' * 4}"),
    ],
)
def test_an_image_is_registry_repository_tag_and_digest(service: str, image: str) -> None:
    container = scenario("everything").service(service).spec["containers"][0]
    assert container["image"] == image
    assert container["imagePullPolicy"] == "Always"
    assert scenario("production").service(service).spec["containers"][0]["image"] == f"valor-{service}:0.1.0"


def test_a_process_ends_by_itself_before_the_cluster_ends_it() -> None:
    release = scenario("everything")
    for pod in services(release):
        limit = pod.spec["containers"][0]["resources"]["limits"]["memory"]
        mebibytes = int(limit.removesuffix("Mi"))
        environment = release.environment(pod.component)
        ladder = int(environment["VALOR_MEMORY_LIMIT"]), int(environment["VALOR_MEMORY_EMERGENCY"])
        assert mebibytes * 0.6 < ladder[0] < ladder[1] < mebibytes * 0.9
    judged = release.environment("monitor")
    assert judged["MONITOR_MEMORY_LIMIT"] == release.environment("agent")["VALOR_MEMORY_LIMIT"]
