"""Who reaches whom: what the installed policies say, and what the network of the cluster makes of it."""

import json
import re
import tempfile
from collections.abc import Iterable
from typing import Any

from tests.cluster.kube import CommandFailed, Kube, run

GRPC, HEALTH, METRICS, POSTGRES, WEB = 7000, 7001, 7002, 5432, 443

WATCHED = ("telegram", "pipeline", "agent", "toolrunner", "people", "monitor")
COMPONENTS = (*WATCHED, "cli", "testdc", "postgres")
TABLES = ("telegram", "pipeline", "toolrunner", "people")
OUTSIDE = "1.1.1.1"

Way = tuple[str, str, int]
"""From, to, port."""

CALLS = {
    ("telegram", "pipeline"),
    ("telegram", "testdc"),
    ("pipeline", "agent"),
    ("pipeline", "people"),
    ("agent", "toolrunner"),
    ("monitor", "pipeline"),
    ("cli", "people"),
    ("cli", "agent"),
    ("cli", "pipeline"),
    ("cli", "monitor"),
}
ALLOWED: set[Way] = {
    *((caller, callee, GRPC) for caller, callee in CALLS),
    *(("monitor", watched, port) for watched in WATCHED for port in (HEALTH, METRICS)),
    *((service, "postgres", POSTGRES) for service in TABLES),
    ("cli", "testdc", HEALTH),  # the sandbox's control port
}
"""Every way inside the house that is open; nothing else is, and nobody reaches the outside."""

KNOCK = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)"


async def check_policies(kube: Kube) -> str:
    """Raise AssertionError where a way is open that should not be, or closed; what was seen, in words."""
    ways = list(_ways())
    found = await _evaluated(kube, ways)
    wrong = [way for way, allowed in zip(ways, found, strict=True) if allowed != (way in ALLOWED)]
    assert not wrong, f"policies: {wrong}"
    enforced = not await _reaches(kube, "cli", "valor-postgres", POSTGRES)
    assert await _reaches(kube, "cli", "valor-pipeline", GRPC)
    real = "the network keeps them" if enforced else "this cluster's network does not enforce any"
    return f"{len(ways)} ways evaluated by the installed policies, {sum(found)} of them open; {real}"


def _ways() -> Iterable[Way]:
    for source in COMPONENTS:
        for target in COMPONENTS:
            if source != target:
                for port in (GRPC, HEALTH, METRICS, POSTGRES):
                    yield source, target, port
        yield source, OUTSIDE, WEB


async def _evaluated(kube: Kube, ways: list[Way]) -> list[bool]:
    namespace = (await kube.get("namespace", kube.namespace))["metadata"]["labels"]
    peers = {name: await _peer(kube, name, namespace) for name in COMPONENTS} | {OUTSIDE: {"IP": OUTSIDE}}
    traffic = [
        {"Source": peers[source], "Destination": peers[target], "ResolvedPort": port, "Protocol": "TCP"}
        for source, target, port in ways
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(traffic, file)
        file.flush()
        arguments = ("--mode", "query-traffic", "--namespace", kube.namespace, "--traffic-path", file.name)
        said = await run("cyclonus", "analyze", *arguments)
    return [verdict == "TRUE" for verdict in re.findall(r"IS ALLOWED\?\s*\|\s*(TRUE|FALSE)", said)]


async def _peer(kube: Kube, component: str, namespace: dict[str, str]) -> Any:
    pods = (await kube.get("pods", "--selector", f"app.kubernetes.io/component={component}"))["items"]
    pod = next(pod for pod in pods if "podIP" in pod["status"])  # another may have been asked for just now
    labels = pod["metadata"]["labels"]
    internal = {"PodLabels": labels, "NamespaceLabels": namespace, "Namespace": kube.namespace}
    return {"IP": pod["status"]["podIP"], "Internal": internal}


async def _reaches(kube: Kube, component: str, host: str, port: int) -> bool:
    """Whether a connection from a pod is taken."""
    try:
        await kube.kubectl("exec", f"deploy/valor-{component}", "--", "python", "-c", KNOCK, host, str(port))
    except CommandFailed:
        return False
    return True
