"""Who may call: every RPC of every service asks for the token, only health is open. Read from the contracts."""

import importlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

import valor.people.v1
from services.chassis import server
from services.chassis.errors import NotFound
from services.chassis.health import Health
from tests.integration.chassis.echo import Text, same, serving, settings
from tests.support.process import TOKEN

CONTRACTS = Path(next(iter(valor.people.v1.__path__))).parents[1]


def _services() -> list[Any]:
    """The descriptor of every service of every contract."""
    modules = [
        importlib.import_module(".".join(["valor", *path.relative_to(CONTRACTS).with_suffix("").parts]))
        for path in sorted(CONTRACTS.glob("*/v*/*_pb2.py"))
    ]
    return [service for module in modules for service in module.DESCRIPTOR.services_by_name.values()]


METHODS = [method for service in _services() for method in service.methods]


def _shape(method: Any) -> str:
    words = {True: "stream", False: "unary"}
    return f"{words[method.client_streaming]}_{words[method.server_streaming]}"


def _offered(service: Any) -> server.Service:
    """The service with methods that all say that they were reached."""

    async def reached(_request: object, _context: object) -> bytes:
        raise NotFound("Reached.", reason="REACHED")

    async def reached_by_stream(request: object, context: object) -> AsyncIterator[bytes]:
        yield await reached(request, context)

    handlers = {}
    for method in service.methods:
        build = getattr(grpc, f"{_shape(method)}_rpc_method_handler")
        handlers[method.name] = build(reached_by_stream if method.server_streaming else reached)
    generic = grpc.method_handlers_generic_handler(service.full_name, handlers)
    return server.Service(service.full_name, lambda it: it.add_generic_rpc_handlers((generic,)))


async def _outcome(address: str, method: Any, metadata: list[tuple[str, str]]) -> grpc.StatusCode:
    path = f"/{method.containing_service.full_name}/{method.name}"
    async with grpc.aio.insecure_channel(address) as channel:
        call = getattr(channel, _shape(method))(path)
        request = () if method.client_streaming else (b"",)  # who writes while refused may hear gRPC's own INTERNAL
        stream = call(*request, metadata=metadata, timeout=5)
        try:
            await (stream.read() if method.server_streaming else stream)
        except grpc.aio.AioRpcError as error:
            return error.code()
        return grpc.StatusCode.OK


def test_the_contracts_are_found() -> None:
    names = {service.full_name for service in _services()}
    assert {f"valor.{name}.v1.{name.capitalize()}Service" for name in ("pipeline", "agent", "people")} <= names


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
async def test_every_call_needs_the_token(method: Any) -> None:
    refused = [
        [],
        [("authorization", "")],
        [("authorization", "Bearer ")],
        [("authorization", TOKEN)],
        [("authorization", f"bearer {TOKEN}")],
        [("authorization", f"Bearer {TOKEN}x")],
        [("authorization", f"Bearer {TOKEN[:-1]}")],
        [("authorization", "Bearer token-of-another-run")],
        [("x-authorization", f"Bearer {TOKEN}")],
    ]
    async with server.serve(_offered(method.containing_service), settings(), Health(), grace=0) as address:
        for metadata in refused:
            assert await _outcome(address, method, metadata) is grpc.StatusCode.UNAUTHENTICATED
        allowed = [("authorization", f"Bearer {TOKEN}")]
        assert await _outcome(address, method, allowed) is grpc.StatusCode.NOT_FOUND


async def test_reflection_needs_the_token_too() -> None:
    async with serving(Say=same) as echo:
        reflect = reflection_pb2_grpc.ServerReflectionStub(echo.caller.channel).ServerReflectionInfo
        question = reflection_pb2.ServerReflectionRequest(list_services="")
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await reflect(iter([question])).read()
        assert error.value.code() is grpc.StatusCode.UNAUTHENTICATED
        answer = await reflect(iter([question]), metadata=echo.caller.metadata()).read()
        assert "valor.echo.v1.EchoService" in {each.name for each in answer.list_services_response.service}


async def test_health_is_open_and_says_nothing_else() -> None:
    health = Health()
    async with (
        health.serve("127.0.0.1:0") as address,
        serving(health=health, Say=same),
        grpc.aio.insecure_channel(address) as channel,
    ):
        stub = health_pb2_grpc.HealthStub(channel)
        assert (await stub.Check(health_pb2.HealthCheckRequest())).status == 1
        method = channel.unary_unary("/valor.echo.v1.EchoService/Say", Text.SerializeToString, Text.FromString)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await method(Text())
        assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED
