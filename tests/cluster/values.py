"""What the chart is installed with in these tests: the sandbox Telegram, and a model that takes its time."""

import os
from collections.abc import Mapping
from typing import Any

from tests.chaos.house import SCOPES
from tests.cluster.load import people

MODEL = "model"
MODEL_PORT = 8000
FEWEST, MOST = 2, 5
"""Replicas of what is scaled."""
CAPACITY = 6
"""Turns that one replica of the pipeline runs at once: few, so that a burst needs more replicas."""


def values(tag: str, sandbox: str) -> Mapping[str, Any]:
    """The values of the release, with Valor's images of the one tag and the sandbox Telegram's of the other.

    Telegram goes on while Valor changes its version; its world here ends with its pod.
    """
    budgets = {f"{scope.lower()}{window}": "none" for scope in SCOPES for window in ("Day", "Month")}
    small = {"cpu": "20m"}  # a burst and an update have to find room on one small node
    scaling = {"min": FEWEST, "max": MOST, "stabilizationSeconds": 15, "cooldownSeconds": 15, "pollingSeconds": 5}
    return {
        "sandboxTelegram": {"enabled": True},
        "secrets": {"model": MODEL},
        "image": {"registry": os.environ.get("REGISTRY", "").rstrip("/"), "tag": tag},
        "autoscaling": {"mode": "keda"},
        "monitoring": {"dashboards": {"enabled": True}},
        "settings": {
            "model": "anthropic:claude-haiku-4-5",
            "modelUrl": f"http://{MODEL}:{MODEL_PORT}",
            "allow": [f"@{username}" for _, username in people()],
            "budgets": budgets,
            "ratePerMinute": 100_000,
        },
        "services": {
            "testdc": {"image": {"tag": sandbox}},
            "pipeline": {
                "scaling": scaling,
                "resources": small,
                "extraEnv": [{"name": "PIPELINE_CAPACITY", "value": str(CAPACITY)}],
            },
            "agent": {"scaling": scaling, "resources": small, "egress": [_to_model()]},
            "toolrunner": {"scaling": scaling, "resources": small},
            "monitor": {"extraEnv": [{"name": "MONITOR_SESSIONS", "value": str(CAPACITY)}]},
        },
    }


def _to_model() -> Mapping[str, Any]:
    selector = {"podSelector": {"matchLabels": {"app": MODEL}}}
    return {"to": [selector], "ports": [{"port": MODEL_PORT, "protocol": "TCP"}]}
