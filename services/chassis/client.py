"""Calls to other services: who calls, the ids and the trace go along, the time left is passed on, errors come back."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import grpc

from services.chassis import context, metrics, status, tracing
from services.chassis.credential import Credential
from services.chassis.server import MAX_MESSAGE

ResponseT = TypeVar("ResponseT")

RETRY = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.05s",
                "maxBackoff": "1s",
                "backoffMultiplier": 3,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
    "loadBalancingConfig": [{"round_robin": {}}],
}
"""The one layer that repeats calls: every mutating call has a key of the caller's, so a repeat is harmless."""

ONCE = {"loadBalancingConfig": RETRY["loadBalancingConfig"]}
"""For streams: what repeats them is their caller, who knows what became of them."""

OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.dns_min_time_between_resolutions_ms", 1_000),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.use_local_subchannel_pool", 1),
)


class Caller:
    """One callee as its callers see it; holds the channel."""

    def __init__(self, address: str, credential: Credential, *, retries: bool) -> None:
        service_config = json.dumps(RETRY if retries else ONCE)
        options = [*OPTIONS, ("grpc.service_config", service_config), ("grpc.enable_retries", int(retries))]
        self.channel = credential.channel(address, options)
        self._proof = credential.metadata

    def metadata(self) -> list[tuple[str, str]]:
        """What goes along with a call: the caller's proof, ids, trace."""
        trace = tracing.traceparent()
        return [*self._proof, *context.headers(), *([("traceparent", trace)] if trace else [])]

    async def call(
        self, method: "grpc.aio.UnaryUnaryMultiCallable[Any, ResponseT]", request: Any, *, timeout: float
    ) -> ResponseT:
        """Call and wait; `timeout` in seconds, less where our own caller waits less.

        Raises:
            ValorError: What the callee raised, as the same class.
        """
        code = grpc.StatusCode.CANCELLED
        try:
            response = await method(request, timeout=context.budget(timeout), metadata=self.metadata())
            code = grpc.StatusCode.OK
        except grpc.aio.AioRpcError as error:
            code = error.code()
            raise status.from_rpc(error) from error
        finally:
            metrics.called(method._method, code.name)  # type: ignore[attr-defined]  # noqa: SLF001 (its name is nowhere else)
        return response


@contextmanager
def translated() -> Iterator[None]:
    """Turn the RPC errors inside into ours."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise status.from_rpc(error) from error


@asynccontextmanager
async def connect(address: str, credential: Credential, *, retries: bool = True) -> AsyncIterator[Caller]:
    """A caller for the service at `address`; the connection is made, and made again, when needed."""
    caller = Caller(address, credential, retries=retries)
    try:
        yield caller
    finally:
        await caller.channel.close()
