"""One trace from update to receipt, through all processes and by the real exporter, found by what /trace tells."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.collector import Span, collector
from tests.support.house import house, until, valor

HOPS = {
    ("telegram", "update"),
    ("pipeline", "valor.pipeline.v1.PipelineService/SubmitMessage"),
    ("pipeline", "turn"),
    ("agent", "valor.agent.v1.AgentService/RunTurn"),
    ("agent", "model step"),
    ("agent", "tool"),
    ("toolrunner", "valor.toolrunner.v1.ToolrunnerService/CallTool"),
    ("telegram", "deliver"),
    ("telegram", "send"),
    ("pipeline", "valor.pipeline.v1.PipelineService/RecordDelivery"),
}
"""Update received, submitted, worked on, thought about, a tool called and run, a part sent, its receipt kept."""


def lineage(span: Span, spans: dict[str, Span]) -> Iterator[str]:
    """The names from a span up to the one that began the trace."""
    yield span.name
    while span.parent_id:
        span = spans[span.parent_id]
        yield span.name


def test_a_person_reads_out_one_number_and_it_finds_every_hop(tmp_path: Path) -> None:
    with collector() as found:
        exported = {"OTEL_EXPORTER_OTLP_ENDPOINT": found.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        with house(tmp_path, "--processes", **exported):
            assert "391" in valor(tmp_path, "send", "what is 17 * 23?").stdout
            told = re.search(r"Turn (\d+), .* Trace ([0-9a-f]{32})", valor(tmp_path, "send", "/trace").stdout)
            assert told
            turn_id, trace_id = told.groups()
            until(lambda: {(span.service, span.name) for span in found.of(trace_id)} >= HOPS)
        spans = {span.span_id: span for span in found.of(trace_id)}
    receipt = next(span for span in spans.values() if span.name.endswith("/RecordDelivery"))
    submit = "valor.pipeline.v1.PipelineService/SubmitMessage"
    assert list(lineage(receipt, spans)) == [receipt.name, "deliver", "turn", submit, "update"]
    assert {span.attributes["turn_id"] for span in spans.values() if span.name in {"turn", "tool"}} == {turn_id}
    logs = [path.stem for path in (tmp_path / "logs").glob("*.log") if trace_id in path.read_text()]
    assert "pipeline" in logs
