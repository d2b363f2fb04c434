"""What the metrics of this process say."""

from collections.abc import Callable

from prometheus_client import REGISTRY


def metric(name: str, **labels: str) -> float:
    """What a metric says now; 0 where it says nothing."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


def change(name: str, **labels: str) -> Callable[[], float]:
    """By how much a metric has changed since this was called."""
    before = metric(name, **labels)
    return lambda: metric(name, **labels) - before
