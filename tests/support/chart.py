"""The chart as Helm renders it, parsed, with the questions that tests ask of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from helm_python import Chart, Config

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "charts" / "valor"
SCENARIOS = sorted(path.name.removesuffix("-values.yaml") for path in (FOLDER / "ci").iterdir())

Object = dict[str, Any]
COMPONENT = "app.kubernetes.io/component"


@cache
def chart() -> Chart:
    """The chart, loaded once."""
    return Chart.load(FOLDER)


@dataclass(frozen=True)
class Pod:
    """A pod, or what pods are made from."""

    kind: str
    name: str
    metadata: Object
    spec: Object

    @property
    def component(self) -> str:
        """What the pod is in the house."""
        return str(self.metadata["labels"][COMPONENT])

    @property
    def containers(self) -> list[Object]:
        """All of them, those of the start as well."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]


@dataclass(frozen=True)
class Release:
    """What a rendering made."""

    objects: tuple[Object, ...]
    notes: str

    def all(self, *kinds: str) -> list[Object]:
        """The objects of these kinds."""
        return [one for one in self.objects if one["kind"] in kinds]

    def one(self, kind: str, name: str) -> Object:
        """The object of this kind and name."""
        return next(one for one in self.all(kind) if one["metadata"]["name"] == name)

    def has(self, kind: str, name: str) -> bool:
        """Whether there is such an object."""
        return any(one["metadata"]["name"] == name for one in self.all(kind))

    def service(self, name: str) -> Pod:
        """The pods of a service."""
        return next(pod for pod in self.pods() if pod.kind == "Deployment" and pod.component == name)

    def environment(self, service: str) -> dict[str, str]:
        """What a service's container finds in its environment."""
        pod = self.service(service)
        fixed: dict[str, str] = self.one("ConfigMap", pod.name)["data"]
        return fixed | {one["name"]: one["value"] for one in pod.spec["containers"][0].get("env", [])}

    def pods(self) -> Iterator[Pod]:
        """Every pod of the release, and those of its hooks."""
        for one in self.objects:
            if one["kind"] == "Pod":
                yield Pod("Pod", one["metadata"]["name"], one["metadata"], one["spec"])
            elif "template" in one.get("spec", {}):
                template = one["spec"]["template"]
                yield Pod(one["kind"], one["metadata"]["name"], template["metadata"], template["spec"])


def render(values: Object, *, cluster: str = "", upgrade: bool = False, namespace: str = "valor") -> Release:
    """The release `valor`; `cluster` is a kubeconfig where the chart may look things up.

    Raises:
        HelmError: The values are refused, or the chart stops with a sentence.
    """
    what: dict[str, Any] = {"name": "valor", "namespace": namespace, "is_upgrade": upgrade, "is_install": not upgrade}
    if cluster:
        with Config(kubeconfig_content=cluster, namespace=namespace) as config:
            return _parsed(config.render(chart(), values, **what))
    return _parsed(chart().render(values, **what))


def scenario_values(name: str) -> Object:
    """The values of a file in ci/."""
    values: Object = yaml.safe_load((FOLDER / "ci" / f"{name}-values.yaml").read_text())
    return values


@cache
def scenario(name: str) -> Release:
    """The release of a scenario, as an upgrade: so its hooks are there."""
    return render(scenario_values(name), upgrade=True)


@cache
def house() -> dict[str, Object]:
    """What the chart knows of the services."""
    services: dict[str, Object] = yaml.safe_load((FOLDER / "files" / "house.yaml").read_text())
    return services


def _parsed(files: dict[str, str]) -> Release:
    notes = next(text for path, text in files.items() if path.endswith("NOTES.txt"))
    texts = [text for path, text in files.items() if path.endswith(".yaml")]
    objects = (one for text in texts for one in yaml.load_all(text, Loader=yaml.CSafeLoader) if one)
    return Release(tuple(objects), notes)
