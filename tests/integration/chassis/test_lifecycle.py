"""The life of a process: it starts or says why not, and stops when it is told to."""

import asyncio
import gc
import json
import os
import signal
import socket
import sys
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.chassis import app, server
from services.chassis.client import connect
from services.chassis.database import Database
from services.chassis.errors import Unavailable, ValorError
from services.chassis.health import Health
from services.chassis.settings import ProcessSettings
from services.people import __main__ as people
from services.people import migrations
from services.people.settings import Settings
from tests.integration.chassis.echo import NAME, Context, Echo, Text, echo, same, serving, settings
from tests.support import store
from tests.support.process import CREDENTIAL, TOKEN

SERVING, NOT_SERVING = 1, 2


async def _status(address: str, service: str = NAME) -> int:
    async with grpc.aio.insecure_channel(address) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        return int((await health_pb2_grpc.HealthStub(channel).Check(request)).status)


class Slow:
    """A method that waits for the test."""

    def __init__(self) -> None:
        self.begun, self.go, self.cancelled = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def say(self, request: Text, _: Context) -> Text:
        self.begun.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return request


async def test_a_drain_first_says_that_no_calls_are_taken_and_then_finishes_those_under_way() -> None:
    slow, health = Slow(), Health()

    async def let_go(probed: str) -> None:
        while await _status(probed) == SERVING:
            await asyncio.sleep(0)
        slow.go.set()

    async with health.serve("127.0.0.1:0") as probed, AsyncExitStack() as outside:
        async with server.serve(echo(Say=slow.say), settings(), health, grace=10) as address:
            caller = Echo(await outside.enter_async_context(connect(address, CREDENTIAL)))
            call = asyncio.create_task(caller.say("slow"))
            await slow.begun.wait()
            assert await _status(probed) == SERVING
            letting_go = asyncio.create_task(let_go(probed))
        await letting_go
        assert await call == "slow"
        with pytest.raises(Unavailable):
            await caller.say("late", timeout=1)


async def test_a_call_that_outlasts_the_drain_is_cancelled() -> None:
    slow = Slow()
    async with AsyncExitStack() as outside:
        async with server.serve(echo(Say=slow.say), settings(), Health(), grace=0.1) as address:
            caller = Echo(await outside.enter_async_context(connect(address, CREDENTIAL)))
            call = asyncio.create_task(caller.say())
            await slow.begun.wait()
        with pytest.raises(ValorError):
            await call
        await slow.cancelled.wait()


async def test_health_knows_each_service_by_name_and_the_process_by_none() -> None:
    health = Health()
    async with health.serve("127.0.0.1:0") as probed:
        assert await _status(probed, "") == SERVING
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await _status(probed, "telegram")
        assert error.value.code() is grpc.StatusCode.NOT_FOUND
        for serving_now, status in ((True, SERVING), (False, NOT_SERVING)):
            await health.set("telegram", serving=serving_now)
            assert await _status(probed, "telegram") == status


async def test_while_a_process_sheds_it_takes_no_new_work_in_any_service_and_lives() -> None:
    health = Health()
    async with health.serve("127.0.0.1:0") as probed:
        await health.set("telegram", serving=True)
        await health.set("other", serving=False)
        await health.shed(on=True)
        assert [await _status(probed, name) for name in ("", "telegram", "other")] == [SERVING, *[NOT_SERVING] * 2]
        await health.set("other", serving=True)
        assert await _status(probed, "other") == NOT_SERVING
        await health.shed(on=False)
        assert [await _status(probed, name) for name in ("", "telegram", "other")] == [SERVING] * 3


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """What a process of people needs; set here too."""
    values = {"VALOR_TOKEN": TOKEN, "VALOR_DATA": str(tmp_path)}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    threshold = gc.get_threshold()
    yield values
    gc.unfreeze()
    gc.set_threshold(*threshold)


def _complaint(capsys: pytest.CaptureFixture[str]) -> str:
    """The sentence with which people does not start."""
    with pytest.raises(SystemExit) as stop:
        app.main("people", Settings, people.serve)
    assert stop.value.code == 2
    [sentence] = capsys.readouterr().err.splitlines()
    assert "Traceback" not in sentence
    assert TOKEN not in sentence
    return str(sentence)


@pytest.mark.parametrize("name", ["VALOR_TOKEN", "VALOR_LOG_LEVEL", "VALOR_HEALTH", "VALOR_METRICS", "PEOPLE_LISTEN"])
def test_a_wrong_setting_ends_the_process_with_a_sentence(
    name: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, "rubbish")
    assert _complaint(capsys).startswith(f"{name} is wrong: ")


@pytest.mark.parametrize("name", ["PEOPLE_LISTEN", "VALOR_HEALTH", "VALOR_METRICS"])
def test_a_port_that_is_taken_ends_the_process_with_a_sentence(
    name: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv(name, address)
        assert _complaint(capsys) == f"Cannot listen on {address}: the address is taken or not ours."


@pytest.mark.sqlite
def test_a_data_folder_that_cannot_be_written_ends_the_process_with_a_sentence(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("VALOR_DATA", str(tmp_path / "file" / "below"))
    assert _complaint(capsys).startswith("VALOR_DATA is wrong: ")


@pytest.mark.sqlite
async def test_a_second_owner_of_the_data_ends_with_a_sentence(environment: dict[str, str], tmp_path: Path) -> None:
    async with Database.open(tmp_path / "people.db", migrations):
        code, [sentence] = await _run(environment, wait_for="")
    assert sentence == f"Another process owns {tmp_path}/people.db: stop it, or set VALOR_DATA to another folder."
    assert code == 2


def test_a_process_shows_its_metrics_and_its_health_until_it_is_told_to_stop(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("VALOR_METRICS", "VALOR_HEALTH"):
        with socket.create_server(("127.0.0.1", 0)) as free:
            monkeypatch.setenv(name, f"127.0.0.1:{free.getsockname()[1]}")
    seen: list[object] = []

    @asynccontextmanager
    async def serve(loaded: ProcessSettings, health: Health) -> AsyncIterator[str]:
        async with serving(health=health, Say=same) as it:
            await it.say()
            seen.append(await _status(loaded.health))
            seen.append(await asyncio.to_thread(_page, loaded.metrics))
            asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGTERM)
            yield "here"
        seen.append("drained")

    app.main("test", ProcessSettings, serve)
    assert seen[0] == SERVING
    assert f'grpc_server_handled_total{{grpc_code="OK",grpc_method="Say",grpc_service="{NAME}"}}' in str(seen[1])
    assert seen[2] == "drained"


def _page(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}/metrics") as answer:
        return str(answer.read().decode())


async def _run(
    environment: dict[str, str],
    end: Callable[[asyncio.subprocess.Process], object] = lambda _: None,
    *,
    program: tuple[str, ...] = ("-m", "services.people"),
    wait_for: str = '"serving"',
) -> tuple[int, list[str]]:
    """Start a process, end it once it has said `wait_for`; its exit code and the lines that came after."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *program, env=os.environ | environment, stdin=-1, stderr=-1
    )
    assert process.stderr is not None
    while wait_for and wait_for not in (line := (await process.stderr.readline()).decode()):
        assert line
    end(process)
    async with asyncio.timeout(10):
        lines = (await process.stderr.read()).decode().splitlines()
        return await process.wait(), lines


def _close_stdin(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    process.stdin.close()


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda process: process.send_signal(signal.SIGTERM), id="SIGTERM"),
        pytest.param(lambda process: process.send_signal(signal.SIGINT), id="Ctrl-C"),
        pytest.param(_close_stdin, id="its parent is gone"),
    ],
)
async def test_a_process_that_is_told_to_stop_exits_with_0(
    end: Callable[[asyncio.subprocess.Process], object], environment: dict[str, str]
) -> None:
    code, lines = await _run(environment | {"VALOR_STOP_WITH_PARENT": "1"}, end)
    assert [json.loads(line)["event"] for line in lines] == ["stopping", "stopped"]
    assert code == 0


async def test_migrating_brings_the_tables_up_to_date_and_ends_and_may_be_repeated(
    environment: dict[str, str], tmp_path: Path
) -> None:
    for _ in range(2):
        code, [line] = await _run(environment, program=("-m", "services.people", "migrate"), wait_for="")
        assert (code, json.loads(line)["event"]) == (0, "migrated")
    assert store.rows(store.place(tmp_path, "people"), "SELECT COUNT(*) FROM persons") == [0]


async def test_what_has_no_tables_says_so(environment: dict[str, str]) -> None:
    program = ("-m", "services.monitor", "migrate")
    code, [sentence] = await _run(environment | {"MONITOR_TARGETS": "people=a:1"}, program=program, wait_for="")
    assert (code, sentence) == (2, "monitor has no tables to migrate.")


CRASH = f"""
from contextlib import asynccontextmanager
from services.chassis import app
from services.chassis.settings import ProcessSettings

@asynccontextmanager
async def serve(settings, health):
    raise RuntimeError("cannot log in with {TOKEN}")
    yield

app.main("test", ProcessSettings, serve)
"""


async def test_a_fault_exits_with_1_and_its_log_line_hides_secrets(environment: dict[str, str]) -> None:
    code, [line] = await _run(environment, program=("-c", CRASH), wait_for="")
    assert code == 1
    crashed = json.loads(line)
    assert (crashed["event"], crashed["level"]) == ("crashed", "critical")
    assert "cannot log in with ***" in crashed["exception"]
    assert TOKEN not in line
