"""One house a test; whatever a task of ours dies of is a failure of the test."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import structlog

from services.chassis import client
from services.pipeline import __main__ as pipeline_main
from tests.integration.pipeline.house import House, broken_rules
from tests.support.loops import died_unseen

RETRY_POLICY = cast("Any", client.RETRY)["methodConfig"][0]["retryPolicy"]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting is shorter here, for what hangs at the end and for who is away; test_crash.py has the real process."""
    monkeypatch.setattr(pipeline_main, "GRACE", 0.1)
    options = {**dict(client.OPTIONS), "grpc.min_reconnect_backoff_ms": 50, "grpc.max_reconnect_backoff_ms": 50}
    monkeypatch.setattr(client, "OPTIONS", tuple(options.items()))
    policy = {**RETRY_POLICY, "initialBackoff": "0.02s"}
    monkeypatch.setitem(client.RETRY, "methodConfig", [{"name": [{}], "retryPolicy": policy}])


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House(tmp_path).open() as opened:
        yield opened
    assert broken_rules(opened.data) == {}


@pytest.fixture(autouse=True)
def _plain_logs() -> Iterator[None]:
    """As in a process: structlog's own default draws every traceback, which takes longer than most of these tests."""
    logs = structlog.processors
    structlog.configure(processors=[logs.add_log_level, logs.format_exc_info, logs.JSONRenderer(default=str)])
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def _no_task_dies_unseen(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    seen = [*caplog.get_records("setup"), *caplog.get_records("call"), *caplog.get_records("teardown")]
    assert died_unseen(seen) == []
