"""One trace through calls and rows, with a real SDK and an exporter in memory."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.chassis import tracing
from services.chassis.database import Database
from tests.integration.chassis import migrations_of_a_test
from tests.integration.chassis.echo import NAME, Context, Text, serving


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    monkeypatch.setattr(tracing, "_tracer", None)
    tracing.export_to(SimpleSpanProcessor(exporter), "test")
    yield exporter
    exporter.shutdown()


async def test_one_trace_runs_over_two_hops_and_a_row(spans: InMemorySpanExporter) -> None:
    rows: list[str] = []

    async def last(request: Text, _: Context) -> Text:
        rows.append(tracing.traceparent())
        return request

    async with serving(Say=last) as second:

        async def first(request: Text, _: Context) -> Text:
            return Text(value=await second.say(request.value))

        async with serving(Say=first) as echo:
            with tracing.span("update"):
                await echo.say()
    with tracing.span("delivery", parent=rows[0], parts=2):
        pass
    by_end = spans.get_finished_spans()
    assert [span.name for span in by_end] == [f"{NAME}/Say", f"{NAME}/Say", "update", "delivery"]
    assert len({span.context.trace_id for span in by_end if span.context}) == 1
    inner, outer, update, delivery = by_end
    assert [span.parent and span.parent.span_id for span in (inner, outer, delivery)] == [
        span.context and span.context.span_id for span in (outer, update, inner)
    ]
    assert delivery.attributes == {"parts": 2}


async def test_without_a_collector_there_are_no_spans_and_the_trace_has_its_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The id goes over calls and into rows; outside of all work there is none."""
    monkeypatch.setattr(tracing, "_tracer", None)
    tracing.setup("test")
    rows: list[str] = []

    async def last(request: Text, _: Context) -> Text:
        rows.append(await database.write(lambda _: tracing.traceparent()))
        return request

    async with Database.open(tmp_path / "echo.db", migrations_of_a_test) as database, serving(Say=last) as echo:
        with tracing.span("update"):
            trace_id = tracing.trace_id()
            await echo.say()
    assert re.fullmatch(r"[0-9a-f]{32}", trace_id)
    assert tracing.trace_id(rows[0]) == trace_id
    assert tracing.traceparent() == tracing.trace_id() == ""


async def test_two_traces_have_two_ids() -> None:
    ids = []
    for _ in range(2):
        with tracing.span("update"):
            ids.append(tracing.trace_id())
    assert len(set(ids)) == 2


def test_a_collector_is_used_where_one_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    exported: list[tuple[str, str]] = []
    monkeypatch.setattr(
        tracing,
        "export_to",
        lambda processor, name: exported.append((type(processor).__name__, processor.shutdown() or name)),
    )
    tracing.setup("test")
    assert exported == [("BatchSpanProcessor", "test")]
