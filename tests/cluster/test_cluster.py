"""What has to work on a cluster before anything of ours is tried on it."""

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(300)

NAMESPACE = "smoke"
OBJECTS = (Path(__file__).parent / "objects.yaml").read_text()
PATIENCE = 120.0
"""Seconds."""

SCALED = """
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: web}
spec:
  scaleTargetRef: {name: web}
  pollingInterval: 2
  minReplicaCount: 1
  maxReplicaCount: 5
  triggers:
  - type: cron
    metadata: {timezone: UTC, start: 0 0 * * *, end: 59 23 * * *, desiredReplicas: "3"}
"""

MONITORED = """
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata: {name: web}
spec: {selector: {matchLabels: {app: web}}, podMetricsEndpoints: [{port: http, interval: PERIOD}]}
"""

CERTIFIED = """
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: web}
spec: {secretName: web-tls, commonName: web, dnsNames: [web], issuerRef: {name: authority}}
"""


FETCH = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=5).read().decode())"
"""In a process of its own: in this one a test reaches nothing but loopback."""


def kubectl(*arguments: str, content: str = "", refused: bool = False) -> str:
    """What kubectl prints; where it has to be refused, what it complains of."""
    command = ["kubectl", "--namespace", NAMESPACE, *arguments]
    done = subprocess.run(command, check=False, input=content, capture_output=True, text=True)
    assert (done.returncode != 0) == refused, done.stdout + done.stderr
    return (done.stderr if refused else done.stdout).strip()


def pods() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(kubectl("get", "pods", "--selector=app=web", "--output=json"))["items"]
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


@pytest.fixture(scope="module", autouse=True)
def web() -> Iterator[None]:
    """The deployment, ready, in a namespace that takes nothing but restricted pods."""
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")
    kubectl("create", "namespace", NAMESPACE)
    kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    kubectl("apply", "--filename=-", content=OBJECTS)
    kubectl("rollout", "status", "deployment/web", f"--timeout={PATIENCE:.0f}s")
    yield
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def addresses(service: str) -> set[str]:
    """What the cluster's DNS answers a pod."""
    lookup = ("/busybox", "nslookup", f"{service}.{NAMESPACE}.svc.cluster.local")
    return set(re.findall(r"^Address: *([\d.]+)$", kubectl("exec", "deployment/web", "--", *lookup), re.MULTILINE))


def test_a_service_is_found_by_its_name_and_a_headless_one_names_every_pod() -> None:
    assert addresses("web") == {kubectl("get", "service", "web", "--output=jsonpath={.spec.clusterIP}")}
    assert addresses("web-pods") == {pod["status"]["podIP"] for pod in pods()}


def test_a_service_reaches_every_pod_from_outside_too() -> None:
    names = {pod["metadata"]["name"] for pod in pods()}
    node = kubectl("get", "node", "--output=jsonpath={.items[0].status.addresses[0].address}")
    port = kubectl("get", "service", "web", "--output=jsonpath={.spec.ports[0].nodePort}")
    answered: set[str] = set()
    end = time.monotonic() + PATIENCE
    while answered != names:
        assert time.monotonic() < end, answered
        command = [sys.executable, "-c", FETCH, f"http://{node}:{port}/"]
        answered.add(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


def test_logs_and_a_forwarded_port_reach_one_pod() -> None:
    name = pods()[0]["metadata"]["name"]
    assert kubectl("logs", name) == name
    command = ["kubectl", "--namespace", NAMESPACE, "port-forward", f"pod/{name}", ":8080"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as forward:
        try:
            assert forward.stdout is not None
            port = forward.stdout.readline().rpartition(" -> ")[0].rpartition(":")[2]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
                assert answer.read().decode().strip() == name
        finally:
            forward.terminate()


def test_a_pod_that_is_root_is_refused() -> None:
    words = kubectl("run", "root", "--image=valor.local/busybox:1", refused=True)
    assert "violates PodSecurity" in words


def test_an_account_may_do_what_it_was_allowed() -> None:
    account = f"--as=system:serviceaccount:{NAMESPACE}:default"
    assert kubectl("auth", "can-i", "delete", "pods") == "yes"
    kubectl("auth", "can-i", "delete", "pods", account, refused=True)


def test_objects_are_judged_without_being_made() -> None:
    kubectl("apply", "--dry-run=server", "--filename=-", content=OBJECTS.replace("name: web", "name: other"))
    assert "other" not in kubectl("get", "deployments", "--output=name")
    kubectl(
        "apply",
        "--dry-run=server",
        "--filename=-",
        content=OBJECTS.replace("replicas: 2", "replicas: two"),
        refused=True,
    )
    kubectl("apply", "--dry-run=server", "--filename=-", content=CERTIFIED)
    kubectl("apply", "--dry-run=server", "--filename=-", content=MONITORED.replace("PERIOD", "15s"))
    wrong = MONITORED.replace("PERIOD", "often")
    assert "podMetricsEndpoints" in kubectl("apply", "--dry-run=server", "--filename=-", content=wrong, refused=True)


def test_keda_scales() -> None:
    kubectl("apply", "--filename=-", content=SCALED)
    kubectl("wait", "deployment/web", "--for=jsonpath={.status.readyReplicas}=3", f"--timeout={PATIENCE:.0f}s")
    kubectl("wait", "scaledobject/web", "--for=condition=Active", f"--timeout={PATIENCE:.0f}s")
