"""The chart's release: installed, upgraded, rolled back, taken away, and asked a question as a person would."""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.kube import Kube
from tests.cluster.values import MODEL, MODEL_PORT, values

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "valor"
NAME = "valor"
LIMIT = "5m"

MODEL_FILES = (
    "tests/__init__.py",
    "tests/support/__init__.py",
    "tests/support/model_server.py",
    "tests/chaos/__init__.py",
    "tests/chaos/model.py",
    "tests/cluster/model.py",
)


@dataclass(frozen=True)
class Release:
    """One release in one namespace."""

    kube: Kube
    first: str
    """The tag of the images that are installed first."""

    async def install(self) -> float:
        """Install, wait as NOTES.txt says, and ask; seconds from the command to the answer. Raises AssertionError."""
        begin = time.monotonic()
        with _written(values(self.first, self.first)) as path:
            await self.kube.helm("install", NAME, str(CHART), "--values", path)
        await self.kube.available()
        said = await self.valor("send", "what is 17 + 23?")
        assert "17 + 23 = 40" in said, said
        return time.monotonic() - begin

    async def upgrade(self, tag: str) -> float:
        """Change to images of another tag; seconds until every pod is of it."""
        begin = time.monotonic()
        with _written(values(tag, self.first)) as path:
            await self.kube.helm("upgrade", NAME, str(CHART), "--values", path, "--wait", "--timeout", LIMIT)
        return time.monotonic() - begin

    async def roll_back(self, revision: int) -> float:
        """Go back to a revision; seconds until every pod is of it."""
        begin = time.monotonic()
        await self.kube.helm("rollback", NAME, str(revision), "--wait", "--timeout", LIMIT)
        return time.monotonic() - begin

    async def valor(self, *arguments: str) -> str:
        """What the command prints in the toolbox. Raises CommandFailed."""
        return await self.kube.kubectl("exec", f"deploy/{NAME}-cli", "--", "valor", *arguments)

    async def status(self) -> Any:
        """How the house is, as monitor sees it."""
        return json.loads(await self.valor("status", "--json"))

    async def secret(self, name: str, key: str) -> str:
        """A value that the chart made."""
        template = "{{index .data " + json.dumps(key) + " | base64decode}}"
        return await self.kube.kubectl("get", "secret", name, "--output", f"go-template={template}")


async def run_model(kube: Kube, image: str) -> None:
    """Put the model's server into the namespace; it runs on the Python of an image that is there anyway."""
    files = {name.replace("/", "."): (ROOT / name).read_text() for name in MODEL_FILES if (ROOT / name).exists()}
    manifest = {"apiVersion": "v1", "kind": "List", "items": _model(image, files)}
    await kube.kubectl("apply", "--filename", "-", stdin=json.dumps(manifest))
    await kube.kubectl("rollout", "status", f"deployment/{MODEL}", "--timeout", "2m")


def _model(image: str, files: dict[str, str]) -> list[Any]:
    labels = {"app": MODEL}
    items = [{"key": name, "path": _path(name)} for name in files]
    confined = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True}
    container = {
        "name": MODEL,
        "image": image,
        "command": ["python", "-m", "tests.cluster.model", str(MODEL_PORT)],
        "workingDir": "/model",
        "env": [{"name": "PYTHONDONTWRITEBYTECODE", "value": "1"}],
        "ports": [{"containerPort": MODEL_PORT}],
        "readinessProbe": {"tcpSocket": {"port": MODEL_PORT}, "periodSeconds": 1},
        "securityContext": confined,
        "volumeMounts": [{"name": "files", "mountPath": "/model"}],
    }
    pod = {
        "containers": [container],
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "volumes": [{"name": "files", "configMap": {"name": MODEL, "items": items}}],
    }
    key = {"ANTHROPIC_API_KEY": "none"}
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": MODEL}, "stringData": key},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": MODEL}, "data": files},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": MODEL},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": MODEL},
            "spec": {"selector": labels, "ports": [{"port": MODEL_PORT}]},
        },
    ]


def _path(key: str) -> str:
    """tests.chaos.model.py → tests/chaos/model.py."""
    return key.removesuffix(".py").replace(".", "/") + ".py"


@contextmanager
def _written(content: object) -> Iterator[str]:
    """Something as a JSON file; its path."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(content, file)
        file.flush()
        yield file.name
