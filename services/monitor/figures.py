"""What is read from a metrics page: the samples of `NAMES`, in our words."""

import math
from collections.abc import Iterable, Mapping

from services.monitor.model import Figures

Sample = tuple[str, Mapping[str, str], float]
"""Name, labels, value."""

LIVE = {"pipeline_live_turns": "pipeline", "agent_live_turns": "agent", "toolrunner_running": "toolrunner"}
"""Which sample tells what a service has under way."""

INSTANCE = "monitor_instance_info"

NAMES = (
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    *LIVE,
    "agent_first_text_seconds_count",
    "agent_first_text_seconds_sum",
    "agent_model_limited_seconds",
    "telegram_flood_wait_seconds",
    INSTANCE,
)


def read(samples: Iterable[Sample]) -> Figures:
    """The figures of one page; what is not there, or is no number, is unknown."""
    values: dict[str, float] = {}
    instance = ""
    for name, labels, value in samples:
        if name == INSTANCE:
            instance = labels.get("id", "")
        elif math.isfinite(value):
            values[name] = value
    return Figures(
        resident=_whole(values.get("process_resident_memory_bytes")),
        cpu_seconds=values.get("process_cpu_seconds_total"),
        live={service: round(values[name]) for name, service in LIVE.items() if name in values},
        texts=_whole(values.get("agent_first_text_seconds_count")),
        text_seconds=values.get("agent_first_text_seconds_sum", 0.0),
        model_limited=values.get("agent_model_limited_seconds"),
        flood_wait=values.get("telegram_flood_wait_seconds"),
        monitor=instance,
    )


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
