"""A gRPC server with limits, an interceptor around every call, reflection, and a drain."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
from grpc_reflection.v1alpha import reflection

from services.chassis.errors import SettingsError
from services.chassis.health import Health
from services.chassis.interceptor import Interceptor
from services.chassis.settings import ProcessSettings

MAX_MESSAGE = 8 << 20
"""Bytes. A turn's history and checkpoints fit; a picture does not belong into a call."""

CONCURRENCY = 20_000
"""Calls under way at most; twice the live turns that one machine is built for."""

OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    # Above 1,000 calls that arrive at once, gRPC would cancel some of them at random.
    ("grpc.server.max_pending_requests", CONCURRENCY),
    ("grpc.server.max_pending_requests_hard_limit", CONCURRENCY),
)


REFLECTION = {"ServerReflectionInfo": ("cli",)}


@dataclass(frozen=True)
class Service:
    """One gRPC service that a server offers."""

    name: str
    """The full name, e.g. "valor.pipeline.v1.PipelineService"."""
    register: Callable[[grpc.aio.Server], None]
    callers: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Which services may call each method, and no other. On loopback the house is one, and may call all."""


@asynccontextmanager
async def serve(
    service: Service, settings: ProcessSettings, health: Health, *, grace: float = 5.0, also: Sequence[Service] = ()
) -> AsyncIterator[str]:
    """Serve until the block ends; yields the address. NOT_SERVING comes before the drain of `grace` seconds.

    `also` are contracts of somebody else that are served beside ours; no two of all methods may have one name.

    Raises:
        SettingsError: The address cannot be listened on.
    """
    credential = settings.credential()
    services = (service, *also)
    callers = {method: names for each in services for method, names in each.callers.items()}
    server = grpc.aio.server(
        interceptors=[Interceptor(credential, {**callers, **REFLECTION})],
        options=(*OPTIONS, *credential.server_options()),
        maximum_concurrent_rpcs=CONCURRENCY,
    )
    for each in services:
        each.register(server)
    reflection.enable_server_reflection([*(each.name for each in services), reflection.SERVICE_NAME], server)
    try:
        port = credential.add_port(server, settings.listen)
    except RuntimeError:
        raise SettingsError(f"Cannot listen on {settings.listen}: the address is taken or not ours.") from None
    await server.start()
    for each in services:
        await health.set(each.name, serving=True)
    try:
        yield f"{settings.listen.rpartition(':')[0]}:{port}"
    finally:
        for each in services:
            await health.set(each.name, serving=False)
        await server.stop(grace)
