"""The gRPC edge of toolrunner: messages ⇄ domain, and the proof that a scope is the pipeline's."""

import base64
import struct
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from services.chassis import signing
from services.chassis.errors import InvalidArgument
from services.chassis.server import Service
from services.toolrunner.call import Calls
from services.toolrunner.model import Category, Record, Scope
from services.toolrunner.ports import Ledger
from services.toolrunner.registry import Tool
from valor.common.v1 import common_pb2 as common
from valor.toolrunner.v1 import toolrunner_pb2 as pb
from valor.toolrunner.v1 import toolrunner_pb2_grpc as rpc

Context = grpc.aio.ServicerContext[Any, Any]

CALLERS = {"ListTools": ("agent",), "CallTool": ("agent",), "ListCalls": ("cli",)}
"""Who may call what."""

CATEGORIES = {
    None: pb.ERROR_CATEGORY_UNSPECIFIED,
    Category.CONFIGURATION: pb.ERROR_CATEGORY_CONFIGURATION,
    Category.VALIDATION: pb.ERROR_CATEGORY_VALIDATION,
    Category.EXECUTION: pb.ERROR_CATEGORY_EXECUTION,
    Category.INTEGRATION: pb.ERROR_CATEGORY_INTEGRATION,
    Category.OUTCOME_UNKNOWN: pb.ERROR_CATEGORY_OUTCOME_UNKNOWN,
}

PAGE, MAX_PAGE = 50, 500


class ToolrunnerServicer(rpc.ToolrunnerServiceServicer):
    """Serves `ToolrunnerService`."""

    def __init__(self, calls: Calls, ledger: Ledger, scope_key: bytes) -> None:
        self._calls, self._ledger, self._scope_key = calls, ledger, scope_key

    async def ListTools(self, request: pb.ListToolsRequest, context: Context) -> pb.ListToolsResponse:
        """The tools that a scope may call."""
        tools = self._calls.tools(self._scope(request.scope))
        return pb.ListToolsResponse(tools=[_tool(tool) for tool in tools])

    async def CallTool(self, request: pb.CallToolRequest, context: Context) -> pb.CallToolResponse:
        """Run a tool once."""
        scope = self._scope(request.scope)
        outcome = await self._calls.call(scope, request.step, request.index, request.name, request.arguments)
        if outcome.category is None:
            return pb.CallToolResponse(content=outcome.text)
        return pb.CallToolResponse(error=pb.ToolError(category=CATEGORIES[outcome.category], message=outcome.text))

    async def ListCalls(self, request: pb.ListCallsRequest, context: Context) -> pb.ListCallsResponse:
        """The ledger, newest first."""
        if request.page_size < 0:
            raise InvalidArgument("page_size is negative.", field="page_size")
        size = min(request.page_size or PAGE, MAX_PAGE)
        found = await self._ledger.newest(request.turn_id, _position(request.page_token), size + 1)
        token = _token(found[size - 1].row_id) if len(found) > size else ""
        return pb.ListCallsResponse(calls=[_call(record) for record in found[:size]], next_page_token=token)

    def _scope(self, signed: common.SignedScope) -> Scope:
        signing.check(self._scope_key, signed.scope, signed.signature)
        scope = common.Scope.FromString(signed.scope)
        return Scope(scope.turn_id, frozenset(scope.rights), scope.expire_time.ToNanoseconds() / 1e9)


def service(servicer: ToolrunnerServicer) -> Service:
    """The service as a server offers it."""
    name = pb.DESCRIPTOR.services_by_name["ToolrunnerService"].full_name
    return Service(name, lambda server: rpc.add_ToolrunnerServiceServicer_to_server(servicer, server), CALLERS)


def _tool(tool: Tool) -> pb.Tool:
    timeout = Duration()
    timeout.FromNanoseconds(int(tool.timeout * 1e9))
    return pb.Tool(
        name=tool.name,
        description=tool.description,
        input_schema=tool.input_schema,
        right=tool.right,
        timeout=timeout,
        side_effects=tool.side_effects,
    )


def _call(record: Record) -> pb.Call:
    key = record.call.key
    return pb.Call(
        turn_id=key.turn_id,
        step=key.step,
        index=key.index,
        name=record.call.tool,
        state=record.state,
        error_category=CATEGORIES[record.outcome.category],
        start_time=_timestamp(record.start_time),
        end_time=_timestamp(record.end_time),
    )


def _timestamp(seconds: float | None) -> Timestamp | None:
    if seconds is None:
        return None
    stamp = Timestamp()
    stamp.FromNanoseconds(int(seconds * 1e9))
    return stamp


def _token(row_id: int) -> str:
    return base64.urlsafe_b64encode(struct.pack(">q", row_id)).decode()


def _position(token: str) -> int | None:
    try:
        return int(struct.unpack(">q", base64.urlsafe_b64decode(token))[0]) if token else None
    except (ValueError, struct.error):
        raise InvalidArgument("page_token was not given by this service.", field="page_token") from None
