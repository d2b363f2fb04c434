"""What operators see agrees with itself: alerts, their tests and pages, dashboards, and the metrics that they name."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = ROOT / "charts" / "valor" / "files"
RULES = {path: yaml.safe_load(path.read_text()) for path in sorted((FILES / "rules").glob("*.yaml"))}
CASES = {path: yaml.safe_load(path.read_text()) for path in sorted((ROOT / "tests" / "rules").glob("*.yaml"))}
DASHBOARDS = {path.stem: json.loads(path.read_text()) for path in sorted((FILES / "dashboards").glob("*.json"))}
RUNBOOKS = ROOT / "docs" / "runbooks"
SERVICES = {path.parent.name for path in (ROOT / "services").glob("*/__main__.py")} - {"cli", "testdc"}

BEFORE, LATEST = 29, 35
"""Minutes of a case: all is calm; then, at minute 30, comes the cause; five minutes later the alert fires."""

KINDS = {"Counter": ("_total",), "Gauge": ("",), "Histogram": ("_bucket", "_count", "_sum"), "Info": ("_info",)}
"""How the samples of a kind of metric are called, behind its name."""
OTHERS = {
    "up",
    "ALERTS",
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    "process_start_time_seconds",
}
"""Metrics that Prometheus and its client bring along."""
UNSEEN = {"monitor_instance_info"}
"""By it a monitor finds itself among its replicas; it is no figure."""
SHARED = re.compile(r"sum[^()]*\(\s*pipeline_(oldest|waiting|claimable|running|undelivered|dead|dropped|budget_used)")
"""Gauges of the one table that all replicas read: added up they would count it once a replica."""


def rules(kind: str) -> list[dict[str, Any]]:
    """All recorded figures, or all alerts."""
    groups = (group for document in RULES.values() for group in document["groups"])
    return [rule for group in groups for rule in group["rules"] if kind in rule]


ALERTS = rules("alert")
NAMES = [alert["alert"] for alert in ALERTS]


def samples() -> dict[str, str]:
    """Every sample that the code shows, and the metric that it is of."""
    found: dict[str, str] = {}
    for path in (ROOT / "services").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            kind = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
            if isinstance(node, ast.Call) and kind in KINDS and node.args and isinstance(node.args[0], ast.Constant):
                name = str(node.args[0].value)
                found |= {f"{name}{suffix}": name for suffix in KINDS[kind]}
    return found


def named(expression: str) -> set[str]:
    """The metrics of an expression."""
    plain = re.sub(r"\{[^}]*\}|\b(?:by|on|group_left) \([^)]*\)|\[[^\]]*\]|\"[^\"]*\"", " ", expression)
    words = set(re.findall(r"[A-Za-z_:][\w:]*", plain))
    return {word for word in words if "_" in word or word in OTHERS} - {"histogram_quantile", "last_over_time"}


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every panel that shows something, with the name of its dashboard."""
    for name, dashboard in DASHBOARDS.items():
        yield from ((name, panel) for panel in dashboard["panels"] if panel["type"] != "row")


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression of rules and panels, and where it stands."""
    yield from ((rule.get("alert") or rule["record"], rule["expr"]) for rule in [*ALERTS, *rules("record")])
    for name, panel in panels():
        yield from ((f"{name}: {panel['title']}", target["expr"]) for target in panel["targets"])


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_an_alert_says_how_bad_it_is_what_it_is_and_where_its_page_is(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert alert["alert"].startswith("Valor"), "it may share its Prometheus with others"
    notes = alert["annotations"]
    assert set(notes) == {"summary", "description", "runbook_url"}
    assert notes["runbook_url"] == f"docs/runbooks/{alert['alert']}.md"
    assert "$" not in notes["summary"], "what people read first is the same every time"


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_the_page_of_an_alert_tells_what_to_do(alert: dict[str, Any]) -> None:
    page = (RUNBOOKS / f"{alert['alert']}.md").read_text()
    assert page.startswith(f"# {alert['alert']}\n\n**To people:** ")
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == [
        "How to see it",
        "What to do",
        "How to know that it is over",
    ]
    name, severity, summary = alert["alert"], alert["labels"]["severity"], alert["annotations"]["summary"]
    assert f"| [{name}]({name}.md) | {severity} | {summary} |" in (RUNBOOKS / "README.md").read_text()


def test_no_page_is_of_an_alert_that_is_gone() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"} == set(NAMES)
    assert len(NAMES) == len(set(NAMES))


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_is_tried_and_fires_at_most_five_minutes_after_its_cause(name: str) -> None:
    """`make rules` runs the cases."""
    assert any(fires_in_time(case, name) for cases in CASES.values() for case in cases["tests"])


def fires_in_time(case: dict[str, Any], name: str) -> bool:
    expected = [(minutes(asked["eval_time"]), asked["exp_samples"]) for asked in case["promql_expr_test"]]
    fired = [at for at, found in expected if any(f'alertname="{name}"' in one["labels"] for one in found)]
    return (BEFORE, []) in expected and any(at <= LATEST for at in fired)


def minutes(time: str) -> int:
    return int(time[:-1]) * {"m": 1, "h": 60}[time[-1]]


def test_every_metric_that_is_named_exists() -> None:
    known = samples().keys() | OTHERS | {rule["record"] for rule in rules("record")}
    for where, expression in expressions():
        assert named(expression), where
        assert named(expression) <= known, where
        assert not SHARED.search(expression), f"{where}: use max()"


def test_every_metric_is_shown_somewhere() -> None:
    """What nobody looks at need not be counted."""
    shown = UNSEEN | {name for _, expression in expressions() for name in named(expression)}
    seen = {metric for sample, metric in samples().items() if sample in shown}
    assert not set(samples().values()) - seen


def test_the_dashboards_are_what_their_descriptions_say() -> None:
    check = [sys.executable, str(ROOT / "scripts" / "dashboards"), "--check"]
    assert subprocess.run(check, check=False, capture_output=True).returncode == 0


def test_each_service_has_a_dashboard_and_the_house_has_one() -> None:
    assert set(DASHBOARDS) == SERVICES | {"overview"}
    assert len({dashboard["uid"] for dashboard in DASHBOARDS.values()}) == len(DASHBOARDS)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_panel_says_what_it_shows(name: str) -> None:
    dashboard = DASHBOARDS[name]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    for panel in (panel for panel in dashboard["panels"] if panel["type"] != "row"):
        assert len(panel["description"]) > 20, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel["title"]
        assert panel["targets"], panel["title"]
        assert all('namespace=~"$namespace"' in target["expr"] for target in panel["targets"]), panel["title"]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_no_panel_lies_on_another(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARDS[name]["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
