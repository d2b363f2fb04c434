"""Toolrunner as the agent sees it, and tools that behave badly."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from services.chassis import server, signing
from services.chassis.client import Caller
from services.chassis.database import Database
from services.chassis.errors import Unavailable
from services.chassis.health import Health
from services.toolrunner import migrations
from services.toolrunner.adapters.ledger import SqlLedger
from services.toolrunner.call import Calls
from services.toolrunner.model import Category, ToolFailed
from services.toolrunner.registry import Catalogue, Tool, tool
from services.toolrunner.servicer import ToolrunnerServicer, service
from services.toolrunner.settings import Settings
from tests.support.process import TOKEN, running
from valor.common.v1 import common_pb2 as common
from valor.toolrunner.v1 import toolrunner_pb2 as pb
from valor.toolrunner.v1 import toolrunner_pb2_grpc as rpc

KEY = "the-key-that-signs-scopes-in-tests-only"


def signed(
    turn: str = "turn", rights: Sequence[str] = ("tools",), expires: float | None = None, key: str = KEY
) -> common.SignedScope:
    scope = common.Scope(turn_id=turn, person_id="7", rights=rights)
    scope.expire_time.FromNanoseconds(int((time.time() + 3600 if expires is None else expires) * 1e9))
    content = scope.SerializeToString()
    return common.SignedScope(scope=content, signature=signing.sign(key.encode(), content))


class Runner:
    """The calls of these tests; each `call` has a key of its own unless it names one."""

    def __init__(self, caller: Caller) -> None:
        self._caller, self.stub, self._index = caller, rpc.ToolrunnerServiceStub(caller.channel), 0

    async def call(
        self,
        name: str,
        arguments: str = "{}",
        *,
        index: int | None = None,
        scope: common.SignedScope | None = None,
        timeout: float = 20,
    ) -> pb.CallToolResponse:
        self._index += 1
        request = pb.CallToolRequest(
            step=0 if index is not None else 1,
            index=self._index if index is None else index,
            name=name,
            arguments=arguments,
            scope=scope or signed(),
        )
        return await self._caller.call(self.stub.CallTool, request, timeout=timeout)

    async def text(self, name: str, arguments: str = "{}", *, index: int | None = None) -> str:
        response = await self.call(name, arguments, index=index)
        assert response.WhichOneof("outcome") == "content", response
        return response.content

    async def error(
        self, name: str, arguments: str = "{}", *, index: int | None = None
    ) -> tuple["pb.ErrorCategory.ValueType", str]:
        response = await self.call(name, arguments, index=index)
        assert response.WhichOneof("outcome") == "error", response
        return response.error.category, response.error.message

    async def tools(self, scope: common.SignedScope | None = None) -> list[pb.Tool]:
        request = pb.ListToolsRequest(scope=scope or signed())
        return list((await self._caller.call(self.stub.ListTools, request, timeout=5)).tools)

    async def calls(self, turn: str = "", size: int = 0, token: str = "") -> pb.ListCallsResponse:
        request = pb.ListCallsRequest(turn_id=turn, page_size=size, page_token=token)
        return await self._caller.call(self.stub.ListCalls, request, timeout=5)

    async def state(self, index: int) -> str:
        calls = (await self.calls()).calls
        return next((call.state for call in calls if (call.step, call.index) == (0, index)), "not begun")

    async def until(self, index: int, state: str) -> None:
        """Wait until a call is in a state; the test's own time limit ends a vain wait."""
        while await self.state(index) != state:
            await asyncio.sleep(0)


def alive(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended."""

    def lives(process: psutil.Process) -> bool:
        try:
            return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False

    return [process for process in processes if lives(process)]


class Actor:
    """Tools whose course a test decides, and what they did."""

    def __init__(self) -> None:
        self.started, self.cancelled = 0, 0
        self.running, self.go = asyncio.Event(), asyncio.Event()

    def tools(self) -> list[Tool]:
        return [tool()(self.wait), tool(side_effects=True)(self.act), *BAD]

    async def wait(self, what: str = "done") -> str:
        """Wait for the test."""
        self.started += 1
        self.running.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return f"{what} {self.started}"

    async def act(self, what: str = "done") -> str:
        """Change something, when the test says so."""
        return await self.wait(what)


@tool()
async def throws() -> str:
    """Raise what nobody should see."""
    raise RuntimeError("/etc/secret: the password is swordfish")


@tool(timeout=0.01)
async def hangs() -> str:
    """Never end."""
    await asyncio.Event().wait()
    return ""


@tool()
async def floods() -> str:
    """Return 100 MB."""
    return "x" * (100 << 20)


@tool()
async def odd() -> object:
    """Return what is no text."""
    return {"a": 1}


@tool()
async def broken_text() -> str:
    """Return half a character and a NUL."""
    return "a\ud800\0b"


@tool()
async def outside() -> str:
    """Fail because of something outside."""
    raise ToolFailed(Category.INTEGRATION, "The weather service does not answer.")


@tool()
async def away() -> str:
    """Need a part of ours that is away."""
    raise Unavailable("The disk is full.")


@tool(right="admin")
async def guarded() -> str:
    """Ask for a right of its own."""
    return "ok"


BAD = [throws, hangs, floods, odd, broken_text, outside, away, guarded]


@asynccontextmanager
async def serving(tools: Sequence[Tool], data: Path, *, at_once: int = 32) -> AsyncIterator[Runner]:
    """Toolrunner with these tools instead of its own."""

    @asynccontextmanager
    async def serve(settings: Settings, health: Health) -> AsyncIterator[str]:
        async with Database.open(settings.tables(), migrations) as database:
            ledger = SqlLedger(database)
            async with Calls(Catalogue(tools), ledger, at_once=at_once).open() as calls:
                servicer = ToolrunnerServicer(calls, ledger, KEY.encode())
                async with server.serve(service(servicer), settings, health, grace=0.1) as address:
                    yield address

    async with running(serve, Settings(data=data, token=TOKEN, scope_key=KEY)) as caller:
        yield Runner(caller)
