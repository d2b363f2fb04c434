"""NetworkPolicies allow exactly what the services' own code says, and nothing beside it."""

from functools import cache
from importlib import import_module
from itertools import product

import pytest

from services.chassis.settings import ProcessSettings, environment_name
from services.cli.run import Toolbox
from tests.support.chart import Release, house, render, scenario, scenario_values
from tests.support.network import Network, Place

CALLS, HEALTH, METRICS, PAGE = 7000, 7001, 7002, 7003
PORTS = (CALLS, HEALTH, METRICS, PAGE, 5432, 80, 443, 53)
DATABASE = {"telegram", "pipeline", "toolrunner", "people"}

PROMETHEUS = Place("prometheus", {"app": "prometheus"}, "monitoring")
KEDA = Place("keda", {"app": "keda-operator"}, "keda")
DNS = Place("dns", {"k8s-app": "kube-dns"}, "kube-system")
STRANGER = Place("stranger", {"app": "shop"}, "default")
TELEGRAM, MODEL = Place("Telegram", address="149.154.167.50"), Place("model", address="160.79.104.10")
METADATA, INTRANET = Place("metadata", address="169.254.169.254"), Place("intranet", address="10.1.2.3")
OUTSIDE = (TELEGRAM, MODEL, METADATA, INTRANET)


def places(release: Release) -> dict[str, Place]:
    """Every kind of pod that the release has."""
    return {pod.component: Place(pod.component, pod.metadata["labels"], "valor") for pod in release.pods()}


@cache
def connections(name: str) -> set[tuple[str, str, int]]:
    """All that the policies of a scenario allow, between all that there is."""
    release = scenario(name)
    network = Network(release.all("NetworkPolicy"))
    ours = [*places(release).values()]
    world = [*ours, PROMETHEUS, KEDA, DNS, STRANGER, *OUTSIDE]
    pairs = [(a, b) for a, b in product(world, world) if a in ours or b in ours]
    return {(a.name, b.name, port) for a, b in pairs for port in PORTS if network.allows(a, b, port)}


def calls() -> set[tuple[str, str]]:
    """Who calls whom, by the code: the callee's address is a setting of the caller's, and it lets the caller in."""
    kinds: dict[str, type[ProcessSettings]] = {
        name: import_module(f"services.{name}.settings").Settings for name in house() if name not in {"cli", "testdc"}
    }
    kinds["cli"] = Toolbox
    found = set()
    for name, kind in kinds.items():
        names = {environment_name(kind, field) for field in kind.model_fields}
        found |= {(name, callee) for callee in house() if f"{callee.upper()}_ADDRESS" in names}
    return found


def watching(services: set[str]) -> set[tuple[str, str, int]]:
    """What looks at everything: monitor, Prometheus, and the test of the installation."""
    return {
        way
        for name in services
        for way in (
            ("monitor", name, HEALTH),
            ("monitor", name, METRICS),
            ("prometheus", name, METRICS),
            ("test", name, HEALTH),
        )
    }


def expected(*, migrations: bool) -> set[tuple[str, str, int]]:
    """What every installation needs, whatever it is made of."""
    watched = {name for name, entry in house().items() if entry.get("watched")}
    askers = {*watched, "cli", "test", *(["migrate"] if migrations else [])}
    ways = {(caller, callee, CALLS) for caller, callee in calls()} | watching(watched)
    return ways | {(name, "dns", 53) for name in askers} | {("test", "people", CALLS)}


def test_the_table_of_calls_is_the_code_s() -> None:
    assert {(name, callee) for name, entry in house().items() for callee in entry.get("calls", [])} == calls()


@pytest.mark.parametrize(("caller", "callee"), sorted(calls()))
def test_who_is_let_through_is_let_in(caller: str, callee: str) -> None:
    allowed = import_module(f"services.{callee}.servicer").CALLERS.values()
    assert any(caller in callers for callers in allowed)


def test_the_sandbox_reaches_nothing_outside() -> None:
    sandbox = {("telegram", "testdc", CALLS), ("cli", "testdc", HEALTH)}
    tables = {(name, "postgres", 5432) for name in DATABASE}
    assert connections("sandbox") == expected(migrations=False) | sandbox | tables


def test_production_reaches_telegram_the_model_and_its_database() -> None:
    out = {("telegram", place, port) for place in ("Telegram", "model") for port in (80, 443)}
    out |= {("agent", place, 443) for place in ("Telegram", "model")}
    tables = {(name, place.name, 5432) for name in {*DATABASE, "migrate"} for place in (*OUTSIDE, STRANGER)}
    inside = {"keda", "dns", "prometheus", *house(), "migrate", "test"}
    found = {way for way in connections("production") if way[2] != 5432 or way[1] not in inside}
    assert found == expected(migrations=True) | out | tables


def test_a_database_that_is_named_is_reached_and_no_other() -> None:
    release = scenario("everything")
    network, ours = Network(release.all("NetworkPolicy")), places(release)
    server = Place("server", address="10.20.1.1")
    for name, place in ours.items():
        assert network.allows(place, server, 6432) == (name in {*DATABASE, "migrate"})
        assert not network.allows(place, INTRANET, 6432)


def test_keda_asks_monitor_alone_and_only_where_it_scales() -> None:
    keda = Place("keda", {"app": "keda-operator"}, "autoscaling")
    release = scenario("everything")
    network = Network(release.all("NetworkPolicy"))
    asked = {
        (name, port) for name, place in places(release).items() for port in PORTS if network.allows(keda, place, port)
    }
    assert asked == {("monitor", CALLS)}
    assert not {way for way in connections("production") if way[0] == "keda"}


def test_probes_come_from_the_nodes_that_are_named() -> None:
    release = scenario("everything")
    network, node = Network(release.all("NetworkPolicy")), Place("node", address="10.0.0.7")
    for name, place in places(release).items():
        ports = {port for port in PORTS if network.allows(node, place, port)}
        assert ports == ({HEALTH} if house().get(name, {}).get("watched") else set())


def test_alerts_go_out_where_there_is_somebody_to_tell() -> None:
    release = scenario("everything")
    assert Network(release.all("NetworkPolicy")).allows(places(release)["monitor"], TELEGRAM, 443)
    assert ("monitor", "Telegram", 443) not in connections("production")


def test_ways_that_values_add_are_open_and_narrow() -> None:
    release = scenario("everything")
    network, ours = Network(release.all("NetworkPolicy")), places(release)
    ingress, models = Place("ingress", {}, "ingress"), Place("model", {}, "models")
    assert {name for name, place in ours.items() if network.allows(ingress, place, PAGE)} == {"monitor"}
    assert {name for name, place in ours.items() if network.allows(place, models, 8080)} == {"agent"}


def test_a_model_of_one_s_own_is_reached_at_its_port() -> None:
    values = scenario_values("production")
    values["settings"] |= {"model": "openai:local", "modelUrl": "https://models.example.org:8443/v1"}
    release = render(values)
    network, agent = Network(release.all("NetworkPolicy")), places(release)["agent"]
    assert network.allows(agent, MODEL, 8443)
    assert not network.allows(agent, MODEL, 443)


def test_without_policies_there_are_none() -> None:
    values = scenario_values("sandbox") | {"networkPolicy": {"enabled": False}}
    assert not render(values).all("NetworkPolicy")
    assert "knock at" in render(values).notes
