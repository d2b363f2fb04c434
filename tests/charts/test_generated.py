"""What the chart makes itself: certificates that fit, secrets that outlive upgrades."""

import base64
import time
from copy import deepcopy
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID

from tests.support.api_server import holding
from tests.support.chart import SCENARIOS, Release, house, render, scenario, scenario_values

HOUSE = scenario_values("production")
DAY = 86_400


def secrets(release: Release) -> dict[str, dict[str, str]]:
    """The data of all Secrets."""
    return {one["metadata"]["name"]: one["data"] for one in release.all("Secret")}


def certificate(data: dict[str, str]) -> x509.Certificate:
    return x509.load_pem_x509_certificate(base64.b64decode(data["tls.crt"]))


def checksums(release: Release) -> dict[str, Any]:
    return {pod.name: pod.metadata.get("annotations", {}) for pod in release.pods() if pod.kind != "Pod"}


def test_a_certificate_says_who_a_service_is_and_where_it_is_called() -> None:
    release = scenario("sandbox")
    authority = x509.load_pem_x509_certificate(
        base64.b64decode(release.one("Secret", "valor-authority")["data"]["ca.crt"])
    )
    for name, entry in house().items():
        if name == "testdc":
            continue
        made = certificate(release.one("Secret", f"valor-{name}-tls")["data"])
        assert [one.value for one in made.subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == [name]
        made.verify_directly_issued_by(authority)
        hosts = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        called = set(hosts.get_values_for_type(x509.DNSName))
        own = f"valor-{name}"
        expected = {own, f"{own}.valor", f"{own}.valor.svc", f"{own}.valor.svc.cluster.local"}
        assert called >= expected if "serves" in entry else called == {name}


def test_every_service_has_a_key_of_its_own_and_none_has_the_authority_s() -> None:
    made = secrets(scenario("sandbox"))
    keys = [data["tls.key"] for data in made.values() if "tls.key" in data]
    assert len(keys) == len(set(keys)) == len(house()) + 1  # all but the sandbox; the test's own, and its forgery
    assert not [name for name, data in made.items() if "ca.key" in data and name != "valor-authority"]
    for pod in scenario("sandbox").pods():
        assert "valor-authority" not in str(pod.spec)


def test_the_sandbox_has_the_kind_of_key_that_clients_can_use() -> None:
    pem = base64.b64decode(scenario("sandbox").one("Secret", "valor-sandbox")["data"]["TESTDC_KEY"])
    key = load_pem_private_key(pem, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.key_size == 2048


@pytest.mark.parametrize("name", SCENARIOS)
def test_an_upgrade_keeps_everything_and_restarts_nothing(name: str) -> None:
    values = scenario_values(name)
    first = render(values)
    with holding(first.objects) as cluster:
        second = render(values, cluster=cluster, upgrade=True)
    assert secrets(second) == secrets(first)
    before = checksums(first)
    assert before == {pod: what for pod, what in checksums(second).items() if pod in before}


def test_without_a_cluster_to_look_into_everything_is_new() -> None:
    assert secrets(render(HOUSE))["valor-house"] != secrets(render(HOUSE))["valor-house"]


def aged(release: Release, days: float, *, service: str) -> list[dict[str, Any]]:
    """The release as it was made so many days ago, as far as one service's certificate tells."""
    objects = deepcopy(list(release.objects))
    secret = next(one for one in objects if one["metadata"]["name"] == f"valor-{service}-tls")
    secret["metadata"]["annotations"]["valor/issued"] = str(int(time.time() - days * DAY))
    return objects


@pytest.mark.parametrize(("days", "renewed"), [(0, False), (364, False), (366, True)])
def test_a_certificate_is_renewed_once_it_is_old_by_the_same_authority(days: float, renewed: bool) -> None:
    first = render(HOUSE)
    with holding(aged(first, days, service="people")) as cluster:
        second = render(HOUSE, cluster=cluster, upgrade=True)
    before, after = secrets(first), secrets(second)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == ({"valor-people-tls"} if renewed else set())
    restarted = {name for name, what in checksums(first).items() if checksums(second)[name] != what}
    assert restarted == ({"valor-people"} if renewed else set())


def test_a_certificate_is_made_anew_for_other_names() -> None:
    first = render(HOUSE)
    with holding(first.objects) as cluster:
        second = render({**HOUSE, "clusterDomain": "cluster.example"}, cluster=cluster, upgrade=True)
    changed = {name for name, data in secrets(first).items() if secrets(second)[name] != data}
    assert changed == {f"valor-{name}-tls" for name, entry in house().items() if "serves" in entry}


def test_a_lost_authority_is_replaced_with_everything_it_signed() -> None:
    first = render(HOUSE)
    rest = [one for one in first.objects if one["metadata"]["name"] != "valor-authority"]
    with holding(rest) as cluster:
        second = secrets(render(HOUSE, cluster=cluster, upgrade=True))
    assert {data["ca.crt"] for data in second.values() if "ca.crt" in data} == {second["valor-authority"]["ca.crt"]}


def test_with_cert_manager_no_key_is_made_by_the_chart() -> None:
    release = scenario("cert-manager")
    assert set(secrets(release)) == {"valor-test-forgery"}
    wanted = {one["spec"]["commonName"]: one["spec"] for one in release.all("Certificate")}
    assert set(wanted) == {*house(), "test"} - {"testdc"}
    for name, spec in wanted.items():
        assert spec["secretName"] == f"valor-{name}-tls"
        assert spec["issuerRef"]["name"] == "cluster-authority"
        assert {"server auth", "client auth"} <= set(spec["usages"])
    assert "valor-pipeline.valor.svc" in wanted["pipeline"]["dnsNames"]


def test_a_password_that_outlives_its_release_is_kept_with_its_volume() -> None:
    kept = scenario("hpa").one("Secret", "valor-postgres")["metadata"]["annotations"]
    assert kept == {"helm.sh/resource-policy": "keep"}
    assert "annotations" not in scenario("sandbox").one("Secret", "valor-postgres")["metadata"]
