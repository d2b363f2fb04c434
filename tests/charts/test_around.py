"""What stands around the chart fits it: values of each environment, platform, backing services, examples for GitOps."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import kinds
from tests.support.chart import FOLDER, ROOT, Object, chart, house, render

K8S = ROOT / "k8s"
ENVIRONMENTS = sorted(K8S.glob("values/*.yaml"))
RESTRICTED = "pod-security.kubernetes.io/enforce"


def documents(path: Path) -> list[Object]:
    return [one for one in yaml.safe_load_all(path.read_text()) if one]


def kustomizations() -> list[Path]:
    """Folders that `kubectl apply -k` takes, and those they name."""
    return [*sorted(path.parent for path in K8S.rglob("kustomization.yaml")), FOLDER / "files"]


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_an_environment_s_values_make_a_release(path: Path) -> None:
    values = yaml.safe_load(path.read_text())
    release = render(values)
    assert {pod.component for pod in release.pods() if pod.kind == "Deployment"} >= {*house()} - {"testdc"}
    assert ("SANDBOX" in release.notes) == (path.stem in {"dev", "ci"})


def test_the_readme_s_table_of_values_is_what_the_values_say() -> None:
    check = [sys.executable, str(ROOT / "scripts" / "chart_values.py"), "--check"]
    assert subprocess.run(check, check=False).returncode == 0


@pytest.mark.parametrize("folder", kustomizations(), ids=lambda folder: folder.name)
def test_what_is_applied_names_files_that_exist(folder: Path) -> None:
    wanted = documents(folder / "kustomization.yaml")[0]
    sources = [one.rpartition("=")[2] for group in wanted.get("configMapGenerator", []) for one in group["files"]]
    for name in [*wanted.get("resources", []), *sources]:
        found = folder / name
        assert found.is_file() or (found / "kustomization.yaml").is_file(), name


def test_dashboards_and_rules_are_all_handed_on() -> None:
    wanted = documents(FOLDER / "files" / "kustomization.yaml")[0]["configMapGenerator"]
    named = {name for group in wanted for name in group["files"]}
    there = [*FOLDER.glob("files/dashboards/*.json"), *FOLDER.glob("files/rules/*.yaml")]
    assert named == {str(path.relative_to(FOLDER / "files")) for path in there}


def manifests() -> list[tuple[str, Object]]:
    paths = [path for part in ("platform", "dev") for path in sorted((K8S / part).glob("*.yaml"))]
    return [(path.name, one) for path in paths for one in documents(path) if "kind" in one]


def test_manifests_are_what_their_kinds_have_to_be() -> None:
    kinds.check(one for _, one in manifests())


def test_every_namespace_is_restricted_and_every_pod_fits_in() -> None:
    """F79, F155."""
    for name, one in manifests():
        if one["kind"] == "Namespace":
            assert one["metadata"]["labels"][RESTRICTED] == "restricted", name
        if one["kind"] in {"Deployment", "StatefulSet"}:
            spec: dict[str, Any] = one["spec"]["template"]["spec"]
            assert spec["securityContext"]["runAsNonRoot"], name
            assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
            assert not [volume for volume in spec["volumes"] if "hostPath" in volume], name
            for container in spec["containers"]:
                assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name
                assert container["resources"]["limits"]["memory"], name


def test_development_finds_what_backs_it() -> None:
    values = yaml.safe_load((K8S / "values" / "dev.yaml").read_text())
    secret = documents(K8S / "dev" / "house" / "kustomization.yaml")[0]
    assert [one["name"] for one in secret["secretGenerator"]] == [values["secrets"]["database"]]
    scraped = documents(K8S / "dev" / "prometheus-config.yaml")[0]["scrape_configs"]
    watched = {
        one["metadata"]["name"] for one in render(values).all("Service") if "replicas" in one["metadata"]["name"]
    }
    assert {one["dns_sd_configs"][0]["names"][0] for one in scraped} == {f"{name}.valor" for name in watched}
    assert {one["job_name"] for one in scraped} == {name for name, entry in house().items() if entry.get("watched")}


def test_a_tool_that_only_renders_makes_the_same_twice() -> None:
    application = documents(K8S / "gitops" / "argocd-application.yaml")[0]["spec"]["source"]["helm"]
    values = yaml.safe_load((FOLDER / application["valueFiles"][0]).read_text())
    values = merged(values, application["valuesObject"])
    first, second = render(values), render(values)
    assert first == second
    assert not first.all("Secret", "Job")


def test_flux_installs_the_chart_of_its_repository() -> None:
    _, release = documents(K8S / "gitops" / "flux-helmrelease.yaml")
    spec = release["spec"]["chart"]["spec"]
    assert (ROOT / spec["chart"]) == FOLDER
    values = merged(yaml.safe_load((ROOT / spec["valuesFiles"][0]).read_text()), release["spec"]["values"])
    chart().validate_schema(values)
    assert render(values).all("Deployment")


def test_skaffold_builds_every_image_and_tells_the_chart() -> None:
    (config,) = documents(ROOT / "skaffold.yaml")
    built = {one["image"]: one["docker"]["buildArgs"]["SERVICE"] for one in config["build"]["artifacts"]}
    assert built == {f"valor-{name}": name for name in house()}
    (release,) = config["deploy"]["helm"]["releases"]
    told = {
        f"services.{name}.image.{key}": f"{{{{.IMAGE_{part}_valor_{name}}}}}"
        for name in house()
        for key, part in (("repository", "REPO"), ("tag", "TAG"), ("digest", "DIGEST"))
    }
    assert release["setValueTemplates"] == told
    profiles = [patch["value"] for profile in config["profiles"] for patch in profile["patches"]]
    files = {name for value in [release["valuesFiles"], *profiles] if isinstance(value, list) for name in value}
    assert len(files) == 4
    assert all((ROOT / name).is_file() for name in files)


def merged(below: Object, above: Object) -> Object:
    """As Helm lays one file of values over another."""
    both = dict(below)
    for key, value in above.items():
        both[key] = merged(both[key], value) if isinstance(value, dict) and isinstance(both.get(key), dict) else value
    return both
