"""What all tests share: no network but loopback, and no settings from outside."""

import os
import socket
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

PREFIXES = ("VALOR_", "TELEGRAM_", "PIPELINE_", "AGENT_", "TOOLRUNNER_", "PEOPLE_", "MONITOR_", "TESTDC_", "OTEL_")

_connect = socket.socket.connect


def _connect_to_loopback(self: socket.socket, address: Any) -> None:
    if isinstance(address, tuple) and address[0] not in {"127.0.0.1", "::1", "localhost"}:
        raise RuntimeError(f"A test must not reach {address[0]}.")
    _connect(self, address)


@pytest.fixture(autouse=True)
def _closed_world(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIXES)]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(socket.socket, "connect", _connect_to_loopback)
