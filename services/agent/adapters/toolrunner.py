"""The tools that toolrunner runs."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from google.protobuf.message import DecodeError

from services.agent.model import Call, Result, Scope, Tool
from services.agent.ports import Toolbox
from services.chassis import logs
from services.chassis.client import Caller
from services.chassis.errors import InvalidArgument, TimedOut, Unavailable, ValorError
from valor.common.v1 import common_pb2 as common
from valor.toolrunner.v1 import toolrunner_pb2 as pb
from valor.toolrunner.v1 import toolrunner_pb2_grpc as rpc

log = logs.get()

T = TypeVar("T")

FRESH = 10.0
"""Seconds that a list of tools is good; a new tool may wait that long."""

LIST_SECONDS = 5.0
MARGIN = 5.0
"""Seconds that a call may take beyond the tool's own limit, so that toolrunner is the one to say that it is over."""

PAUSE = 0.2
"""Seconds between attempts to reach a toolrunner that is away."""

UNKNOWN = (
    "Nobody saw how this call ended: it may have happened. Do not repeat it; tell the person that it may have happened."
)


class Toolrunner:
    """The `ports.Tools` over gRPC."""

    def __init__(self, caller: Caller, patience: float) -> None:
        self._caller, self._stub = caller, rpc.ToolrunnerServiceStub(caller.channel)
        self._patience = patience
        self._lists: dict[frozenset[str], tuple[float, tuple[Tool, ...]]] = {}
        self._timeouts: dict[str, float] = {}

    async def open(self, scope: Scope) -> Toolbox:
        """The tools for a scope's rights; while toolrunner is away an old list serves; none is awaited."""
        rights = _rights(scope)
        since, tools = self._lists.get(rights, (float("-inf"), ()))
        if time.monotonic() - since < FRESH:
            return Toolbox(tools)
        try:
            patience = 0.0 if rights in self._lists else self._patience
            listed = await _insist(lambda: self._list(scope), patience, Unavailable, TimedOut)
        except ValorError as error:
            log.warning("tools_not_listed", reason=error.reason)
            return Toolbox(tools, complete=False)
        self._lists[rights] = time.monotonic(), listed
        return Toolbox(listed)

    async def call(self, step: int, call: Call, scope: Scope) -> Result:
        """Run a tool once. Whatever fails is a result that says so."""
        request = pb.CallToolRequest(
            step=step, index=call.index, name=call.name, arguments=call.arguments or "{}", scope=_signed(scope)
        )
        try:
            return _result(await self._patiently(request))
        except Unavailable:
            return Result(f"The tool {call.name} is unavailable at the moment.", failed=True)
        except TimedOut:
            return Result(UNKNOWN, failed=True)
        except ValorError as error:
            log.warning("tool_refused", tool=call.name, reason=error.reason)
            return Result(f"The tool {call.name} could not be called: {error.message}", failed=True)

    async def _patiently(self, request: pb.CallToolRequest) -> pb.CallToolResponse:
        """Call, and call again while toolrunner is away: a repeat finds the first call in the ledger."""
        timeout = self._timeouts.get(request.name, LIST_SECONDS) + MARGIN
        call = self._caller.call
        return await _insist(lambda: call(self._stub.CallTool, request, timeout=timeout), self._patience, Unavailable)

    async def _list(self, scope: Scope) -> tuple[Tool, ...]:
        request = pb.ListToolsRequest(scope=_signed(scope))
        response = await self._caller.call(self._stub.ListTools, request, timeout=LIST_SECONDS)
        self._timeouts |= {tool.name: tool.timeout.ToTimedelta().total_seconds() for tool in response.tools}
        return tuple(
            Tool(tool.name, tool.description, json.loads(tool.input_schema), tool.side_effects)
            for tool in response.tools
        )


async def _insist(call: Callable[[], Awaitable[T]], patience: float, *passing: type[ValorError]) -> T:
    """Call until it succeeds, fails in another way, or patience (seconds) ends."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return await call()
        except passing:
            if time.monotonic() >= deadline:
                raise
            await asyncio.sleep(PAUSE)


def _rights(scope: Scope) -> frozenset[str]:
    try:
        return frozenset(common.Scope.FromString(scope.content).rights)
    except DecodeError as error:
        raise InvalidArgument("start.scope.scope is not a scope.", field="start.scope.scope") from error


def _signed(scope: Scope) -> common.SignedScope:
    return common.SignedScope(scope=scope.content, signature=scope.signature)


def _result(response: pb.CallToolResponse) -> Result:
    if response.WhichOneof("outcome") == "content":
        return Result(response.content)
    error = response.error
    if error.category == pb.ERROR_CATEGORY_OUTCOME_UNKNOWN:
        return Result(f"{UNKNOWN} {error.message}".strip(), failed=True)
    category = pb.ErrorCategory.Name(error.category).removeprefix("ERROR_CATEGORY_").lower()
    return Result(f"The tool failed ({category}): {error.message}", failed=True)
