"""Traces through all hops, calls and stored rows alike. They cost nothing until an OTLP endpoint is set.

The library's gRPC instrumentation covers calls alone. A message also travels through rows (turn, part), which carry a
`traceparent` of their own; so both kinds of hop use the same three functions here.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

_tracer: "Tracer | None" = None

PATIENCE = 3.0
"""Seconds that spans wait for a collector that is away; a process that stops waits no longer either."""


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
    """A span around the work inside; `parent` is the traceparent that a call or a row brought, else the context's."""
    if _tracer is None:
        yield
        return
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    origin = TraceContextTextMapPropagator().extract({"traceparent": parent}) if parent else None
    with _tracer.start_as_current_span(name, context=origin, attributes=attributes):
        yield


def traceparent() -> str:
    """The present span in W3C form, for a row or a call to carry on; empty where nothing is traced."""
    if _tracer is None:
        return ""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent", "")
