"""Alerts in words that people read, and times that programs read."""

from collections.abc import Sequence
from datetime import UTC, datetime

from services.monitor.model import Notice, Severity

SIGNS = {Severity.WARNING: "⚠️", Severity.CRITICAL: "🔴"}


def words(notices: Sequence[Notice]) -> str:
    """A line an alert."""
    return "\n".join(map(_line, notices))


def _line(notice: Notice) -> str:
    trouble = notice.trouble
    if notice.end_time is None:
        return f"{SIGNS[trouble.severity]} {trouble.text}"
    minutes = max(1, round((notice.end_time - notice.start_time) / 60))
    return f"✅ Over after {minutes} min: {trouble.text}"


def rfc3339(seconds: float) -> str:
    """Epoch seconds as programs write them."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
