"""A service whose methods a test writes, behind the real server, and its callers."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import StringValue

from services.chassis import server
from services.chassis.client import Caller, connect, translated
from services.chassis.credential import Token
from services.chassis.health import Health
from services.chassis.settings import ProcessSettings
from tests.support.process import TOKEN

NAME = "valor.echo.v1.EchoService"
Context = grpc.aio.ServicerContext[Any, Any]
Text = StringValue

KINDS: dict[str, Callable[..., Any]] = {
    "Say": grpc.unary_unary_rpc_method_handler,
    "Count": grpc.unary_stream_rpc_method_handler,
    "Gather": grpc.stream_unary_rpc_method_handler,
    "Talk": grpc.stream_stream_rpc_method_handler,
}
"""The methods by shape."""


def echo(**methods: Callable[..., Any]) -> server.Service:
    """The service with the methods that are given."""
    handlers = {
        name: KINDS[name](method, request_deserializer=Text.FromString, response_serializer=Text.SerializeToString)
        for name, method in methods.items()
    }
    generic = grpc.method_handlers_generic_handler(NAME, handlers)
    return server.Service(NAME, lambda it: it.add_generic_rpc_handlers((generic,)))


async def same(request: Text, _: Context) -> Text:
    """A method that gives back what it got."""
    return request


def settings(**values: Any) -> ProcessSettings:
    return ProcessSettings(**{"token": TOKEN, "data": Path(), **values})


class Echo:
    """A caller of it."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller

    async def say(self, text: str = "", timeout: float = 10) -> str:
        answer = await self.caller.call(self.method("Say"), Text(value=text), timeout=timeout)
        return str(answer.value)

    def method(self, name: str) -> Any:
        shape = {"Say": "unary_unary", "Count": "unary_stream", "Gather": "stream_unary", "Talk": "stream_stream"}[name]
        return getattr(self.caller.channel, shape)(f"/{NAME}/{name}", Text.SerializeToString, Text.FromString)

    async def listen(self, name: str, request: Any) -> list[str]:
        """Everything that a stream brings."""
        with translated():
            return [text.value async for text in self.stream(name, request)]

    def stream(self, name: str, request: Any, timeout: float | None = None) -> Any:
        return self.method(name)(request, metadata=self.caller.metadata(), timeout=timeout)


@asynccontextmanager
async def serving(
    *, health: Health | None = None, token: str = TOKEN, grace: float = 0, listen: str = "127.0.0.1:0", **methods: Any
) -> AsyncIterator[Echo]:
    """The service, served until the block ends, and a caller that shows `token`."""
    async with (
        server.serve(echo(**methods), settings(listen=listen), health or Health(), grace=grace) as address,
        connect(address, Token(token)) as caller,
    ):
        yield Echo(caller)
