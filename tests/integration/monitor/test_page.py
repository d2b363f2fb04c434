"""The status page over real HTTP, and the same by gRPC."""

import base64
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from services.chassis.errors import SettingsError
from services.chassis.health import Health
from services.monitor.__main__ import serve
from services.monitor.settings import Settings
from tests.support.process import TOKEN, free_port, running
from valor.monitor.v1 import monitor_pb2 as pb
from valor.monitor.v1 import monitor_pb2_grpc as rpc

OWN = "a-password-of-the-page"


@asynccontextmanager
async def a_monitor(folder: Path, **settings: Any) -> AsyncIterator[tuple[str, pb.GetStatusResponse]]:
    """Where the page is, and the status at that time; one of its services is down."""
    health = Health()
    async with health.serve("127.0.0.1:0") as probed:
        await health.set("valor.agent.v1.AgentService", serving=True)
        values = {"data": folder, "token": TOKEN, "targets": f"agent={probed},people={probed}", **settings}
        async with running(serve, Settings(**values)) as caller:
            stub = rpc.MonitorServiceStub(caller.channel)
            found = await caller.call(stub.GetStatus, pb.GetStatusRequest(), timeout=10)
            yield f"http://{found.page_address}", found


async def test_the_page_and_its_json_show_what_is_measured(tmp_path: Path) -> None:
    password = {"Authorization": f"Basic {base64.b64encode(f'me:{TOKEN}'.encode()).decode()}"}
    async with a_monitor(tmp_path) as (url, _), aiohttp.ClientSession(headers=password) as session:
        async with session.get(url) as answer:
            assert (answer.status, answer.content_type) == (200, "text/html")
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            page = await answer.text()
        async with session.get(f"{url}/status.json") as answer:
            status = await answer.json()
    assert status["score"] == 60
    assert re.search(r"Health 60 of 100", page)
    replicas = {replica["service"]: (replica["well"], replica["trouble"]) for replica in status["replicas"]}
    assert replicas["agent"] == (True, "")
    assert replicas["people"][0] is False
    assert replicas["people"][1] in page
    assert "queue" not in status
    assert status["scales"][0]["held"] == "queue_unknown"
    assert status["history"][0]["checks"]["people"] == 0


async def test_nobody_gets_in_without_a_password(tmp_path: Path) -> None:
    """F110. Not even to what is not there."""
    async with a_monitor(tmp_path) as (url, _), aiohttp.ClientSession() as session:
        for path in ("/", "/status.json", "/nothing", "/../etc/passwd"):
            for header in ({}, {"Authorization": "Bearer wrong-wrong-wrong"}):
                async with session.get(url + path, headers=header) as answer:
                    assert answer.status == 401
                    assert "Basic" in answer.headers["WWW-Authenticate"]
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        async with session.get(f"{url}/nothing", headers=bearer) as answer:
            assert answer.status == 404
        async with session.post(url, headers=bearer) as answer:
            assert answer.status == 405


async def test_beyond_loopback_the_run_s_token_is_no_password(tmp_path: Path) -> None:
    async with a_monitor(tmp_path, http="0.0.0.0:0", http_token=OWN) as (url, _), aiohttp.ClientSession() as session:
        for token, status in ((TOKEN, 401), (OWN, 200)):
            local = url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104
            async with session.get(local, headers={"Authorization": f"Bearer {token}"}) as answer:
                assert answer.status == status
    assert Settings(targets="a=h:1", token=TOKEN, http="0.0.0.0:0").passwords() == ()


async def test_by_grpc_what_nobody_knows_is_unset(tmp_path: Path) -> None:
    """F95."""
    page = f"127.0.0.1:{free_port()}"
    async with a_monitor(tmp_path, http=page) as (_, found):
        assert found.page_address == page
    assert not found.HasField("queue")
    assert not found.HasField("first_text_seconds")
    (scale,) = found.scales
    assert (scale.service, scale.desired, scale.held) == ("agent", 1, "queue_unknown")
    assert [check.score for check in found.checks[:2]] == [100, 0]


async def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    async with a_monitor(tmp_path) as (url, _):
        taken = url.removeprefix("http://")
        with pytest.raises(SettingsError, match=f"Cannot listen on {taken}"):
            async with a_monitor(tmp_path, http=taken):
                pass
