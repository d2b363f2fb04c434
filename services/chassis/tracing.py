"""Traces through all hops, calls and stored rows alike.

Every piece of work has a trace id, which logs carry and people can read out; it costs a random number where the work
begins. Spans are exported where an OTLP endpoint is set, and without one there are none.

The library's gRPC instrumentation covers calls alone. A message also travels through rows (turn, part), which carry a
`traceparent` of their own; so both kinds of hop use the same functions here, and the present one is ours to keep.
"""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

_tracer: "Tracer | None" = None
_traceparent: ContextVar[str] = ContextVar("traceparent", default="")

PATIENCE = 3.0
"""Seconds that spans wait for a collector that is away; a process that stops waits no longer either."""

ID = slice(3, 35)
"""Where the trace id stands in the W3C form: 00-<32 digits>-<16 digits>-01."""

_NOT_EXPORTED = nullcontext("")


def setup(service: str) -> None:
    """Export spans as `service` where OTEL_EXPORTER_OTLP_ENDPOINT is set; do nothing else."""
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 (20 MB)
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    export_to(BatchSpanProcessor(OTLPSpanExporter(timeout=PATIENCE)), service)


def export_to(processor: Any, service: str) -> None:
    """Hand all spans of this process to a span processor."""
    global _tracer  # noqa: PLW0603 (one tracer a process, as the SDK has it)
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415

    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(processor)
    _tracer = provider.get_tracer("valor")


@contextmanager
def span(name: str, parent: str = "", **attributes: str | int) -> Iterator[None]:
    """A span around the work inside; `parent` is the traceparent that a call or a row brought, else the context's.

    Without a parent a trace begins.
    """
    origin = parent or _traceparent.get()
    with _exported(_tracer, name, origin, attributes) if _tracer else _NOT_EXPORTED as exported:
        token = _traceparent.set(exported or origin or _begun())
        try:
            yield
        finally:
            _traceparent.reset(token)


def traceparent() -> str:
    """The present span in W3C form, for a row or a call to carry on; empty outside of all work."""
    return _traceparent.get()


def trace_id(of: str | None = None) -> str:
    """The id that names a trace everywhere, 32 hexadecimal digits: of a traceparent, else of the present work."""
    return (_traceparent.get() if of is None else of)[ID]


def _begun() -> str:
    """The beginning of a trace. Always marked as sampled: whoever exports further on has to."""
    return f"00-{random.getrandbits(128):032x}-{random.getrandbits(64):016x}-01"


@contextmanager
def _exported(tracer: "Tracer", name: str, origin: str, attributes: dict[str, str | int]) -> Iterator[str]:
    """A span that a collector will see; yields its own traceparent."""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    context = TraceContextTextMapPropagator().extract({"traceparent": origin}) if origin else None
    about = {**structlog.contextvars.get_contextvars(), **attributes}
    with tracer.start_as_current_span(name, context=context, attributes=about) as span:
        known = span.get_span_context()
        yield f"00-{known.trace_id:032x}-{known.span_id:016x}-01"
