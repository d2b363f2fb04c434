"""What happens around every incoming call: who is calling, the context, the metrics, errors → status."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, NoReturn, cast

import grpc

from services.chassis import context, logs, metrics, status, tracing
from services.chassis.credential import HOUSE, Credential
from services.chassis.errors import Denied, Internal, ValorError

log = logs.get()

Handler = Any
"""grpc's RpcMethodHandler; its type stubs describe the synchronous server alone."""
Context = grpc.aio.ServicerContext[Any, Any]


class Interceptor(grpc.aio.ServerInterceptor):
    """Wraps every method of a server once; a call then costs two function calls more."""

    def __init__(
        self, credential: Credential, callers: Mapping[str, Collection[str]], default_deadline: float = 30.0
    ) -> None:
        """`callers`: who may call each method, by its short name; a method that is missing is nobody's."""
        self._credential, self._callers = credential, callers
        self._default_deadline = default_deadline
        self._wrapped: dict[str, Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Answer with the wrapped handler of the method; an unknown method stays unknown."""
        method = handler_call_details.method
        if method not in self._wrapped:
            inner = await continuation(handler_call_details)
            if inner is None:
                return inner
            self._wrapped[method] = self._wrap(method, inner)
        return self._wrapped[method]

    def _wrap(self, method: str, inner: Handler) -> Handler:
        serve = inner.unary_unary or inner.unary_stream or inner.stream_unary or inner.stream_stream
        around = _Around(method, streams=inner.request_streaming or inner.response_streaming)

        async def respond(request: Any, ctx: Context) -> Any:
            async with self._call(around, ctx):
                return await serve(request, ctx)

        async def stream(request: Any, ctx: Context) -> None:
            # A coroutine that writes, not a generator: a cancelled call then unwinds here, in its own task.
            async with self._call(around, ctx), aclosing(serve(request, ctx)) as responses:
                async for response in responses:
                    await ctx.write(response)

        kind = f"{'stream' if inner.request_streaming else 'unary'}_{'stream' if inner.response_streaming else 'unary'}"
        build = getattr(grpc, f"{kind}_rpc_method_handler")
        return build(
            stream if inner.response_streaming else respond, inner.request_deserializer, inner.response_serializer
        )

    @asynccontextmanager
    async def _call(self, around: "_Around", ctx: Context) -> AsyncIterator[None]:
        started, code = time.perf_counter(), grpc.StatusCode.OK
        around.started.inc()
        headers = {key: value for key, value in ctx.invocation_metadata() or () if isinstance(value, str)}
        try:
            self._check(around, ctx, headers)
            with (
                context.call(self._time_left(around, ctx), headers),
                tracing.span(around.name, headers.get("traceparent", "")),
            ):
                yield
        except ValorError as error:
            code = status.code_of(error)
            await _abort(ctx, error)
        except asyncio.CancelledError:
            code = grpc.StatusCode.CANCELLED
            raise
        except grpc.aio.AbortError:
            code = ctx.code()
            raise
        except Exception:  # the edge: a bug must not show its insides to the caller
            code = grpc.StatusCode.INTERNAL
            log.exception("call_failed", method=around.name)
            await _abort(ctx, Internal("Something went wrong inside; the log has the details."))
        finally:
            around.seconds.observe(time.perf_counter() - started)
            around.handled(code.name).inc()

    def _check(self, around: "_Around", ctx: Context, headers: Mapping[str, str]) -> None:
        caller = self._credential.caller(ctx, headers)
        if caller != HOUSE and caller not in self._callers.get(around.method, ()):
            raise Denied(f"{caller} may not call {around.method}.")

    def _time_left(self, around: "_Around", ctx: Context) -> float | None:
        left = cast("float | None", ctx.time_remaining())
        if left is not None or around.streams:
            return left
        around.no_deadline.inc()
        return self._default_deadline


class _Around:
    """The metrics of one method, looked up once."""

    def __init__(self, method: str, *, streams: bool) -> None:
        self.name, self.streams = method.lstrip("/"), streams
        service, _, self.method = self.name.partition("/")
        self.started = metrics.STARTED.labels(service, self.method)
        self.seconds = metrics.SECONDS.labels(service, self.method)
        self.no_deadline = metrics.NO_DEADLINE.labels(self.method)
        self._handled = {
            code.name: metrics.HANDLED.labels(service, self.method, code.name)
            for code in (grpc.StatusCode.OK, *status.CLASSES, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN)
        }

    def handled(self, code: str) -> Any:
        return self._handled.get(code, self._handled["UNKNOWN"])


async def _abort(ctx: Context, error: ValorError) -> NoReturn:
    await ctx.abort_with_status(status.to_status(error))
