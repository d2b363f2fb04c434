"""What Kubernetes says of each kind of object, from the schemas that it publishes."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from kubernetes_validate import utils

VERSION = "1.33"
FOREIGN = ("keda.sh/", "cert-manager.io/", "monitoring.coreos.com/", "kustomize.config.k8s.io/")
"""Kinds that others define; a cluster knows them."""

utils.schema_contents = cache(utils.schema_contents)  # it would read two megabytes for each object


def check(objects: Iterable[dict[str, Any]]) -> None:
    """Raise where an object has a field that its kind does not have, or of another type."""
    for one in objects:
        if not one["apiVersion"].startswith(FOREIGN):
            utils.validate(one, VERSION, strict=True)
