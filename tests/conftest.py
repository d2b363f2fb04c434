"""What all tests share: no network but loopback, no settings from outside, and the store."""

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support import store

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

PREFIXES = ("VALOR_", "TELEGRAM_", "PIPELINE_", "AGENT_", "TOOLRUNNER_", "PEOPLE_", "MONITOR_", "TESTDC_", "OTEL_")

_connect = socket.socket.connect


def _connect_to_loopback(self: socket.socket, address: Any) -> None:
    if isinstance(address, tuple) and address[0] not in {"::1", "localhost"} and not address[0].startswith("127."):
        raise RuntimeError(f"A test must not reach {address[0]}.")
    _connect(self, address)


@pytest.fixture(autouse=True)
def _closed_world(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIXES)]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(socket.socket, "connect", _connect_to_loopback)


@pytest.fixture(autouse=True)
def _own_database(
    _closed_world: None, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """With a server, every test of a store has a database of its own there, as if it stood in the environment."""
    if "integration" not in request.path.parts:
        yield
        return
    bare = request.node.get_closest_marker("bare") is not None
    with store.database(tables=not bare) as url:
        monkeypatch.setenv("VALOR_DATABASE", url)
        yield


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what has no meaning on this store."""
    other = "sqlite" if store.SERVER else "postgres"
    left_out = [item for item in items if item.get_closest_marker(other)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
