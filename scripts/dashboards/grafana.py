"""Panels, rows and dashboards as we describe them, and the JSON that Grafana makes of them.

An expression says HERE where its series are chosen: `max(pipeline_waiting_turns{HERE})`. Gauges of the queue are the
same in every replica of the pipeline, which all read one table: they are shown by `max`, never added up.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

SCHEMA = 39
"""Of Grafana 11's dashboards; later versions take it as it is."""

RATE = "$__rate_interval"
RANGE = "$__range"
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS = 24

Query = tuple[str, str]
"""An expression and its legend; an empty legend lets Grafana write the labels."""

Steps = tuple[tuple[float | None, str], ...]
"""From which value on a figure has which colour."""


def rising(yellow: float, red: float) -> Steps:
    """The more, the worse."""
    return (None, "green"), (yellow, "yellow"), (red, "red")


def falling(yellow: float, red: float) -> Steps:
    """The less, the worse: below these values."""
    return (None, "red"), (red, "yellow"), (yellow, "green")


def exactly(value: float) -> Steps:
    """Less and more are both wrong."""
    return (None, "red"), (value, "green"), (value + 1, "red")


@dataclass(frozen=True)
class Panel:
    """A figure over time, or with the kind `stat` its last value."""

    title: str
    description: str
    queries: Sequence[Query]
    unit: str = "short"
    kind: str = "timeseries"
    steps: Steps = ()
    width: int = 8
    height: int = 7
    stacked: bool = False
    decimals: int | None = None
    most: float | None = None


def figure(title: str, description: str, query: str, **more: Any) -> Panel:
    """The last value, large."""
    return Panel(title, description, [(query, "")], kind="stat", **{"width": 4, "height": 4, **more})


def quantile(share: float, name: str, by: str = "", where: str = "") -> str:
    """A quantile of a histogram."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({name}_bucket{{HERE{where}}}[{RATE}])))"


def quantiles(name: str, *shares: float, where: str = "") -> list[Query]:
    """Several of them."""
    return [(quantile(share, name, where=where), f"p{share * 100:g}") for share in shares]


def rate(name: str, by: str, where: str = "") -> Query:
    """How often something happens a second, by a label."""
    legend = " ".join(f"{{{{{label.strip()}}}}}" for label in by.split(","))
    return f"sum by ({by}) (rate({name}{{HERE{where}}}[{RATE}]))", legend


@dataclass(frozen=True)
class Row:
    """Panels that belong together."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Dashboard:
    """A page. `service`: whose instances may be chosen; empty: the whole house."""

    name: str
    title: str
    description: str
    rows: Sequence[Row]
    service: str = ""

    def json(self) -> dict[str, Any]:
        """What Grafana loads."""
        return {
            "uid": f"valor-{self.name}",
            "title": self.title,
            "description": self.description,
            "tags": ["valor"],
            "schemaVersion": SCHEMA,
            "version": 1,
            "editable": True,
            "graphTooltip": 1,
            "refresh": "30s",
            "time": {"from": "now-6h", "to": "now"},
            "timezone": "browser",
            "links": [_links()],
            "annotations": {"list": [_alerts()]},
            "templating": {"list": list(self._variables())},
            "panels": list(self._panels()),
        }

    def _variables(self) -> Iterator[dict[str, Any]]:
        yield {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
        yield _choice("namespace", "Namespace", "label_values(valor_build_info, namespace)")
        if self.service:
            query = f'label_values(valor_build_info{{namespace=~"$namespace", service="{self.service}"}}, instance)'
            yield _choice("instance", "Instance", query)

    def _panels(self) -> Iterator[dict[str, Any]]:
        here = 'namespace=~"$namespace"' + (', instance=~"$instance"' if self.service else "")
        ids, top = iter(range(1, 1_000)), 0
        for row in self.rows:
            place = {"x": 0, "y": top, "w": COLUMNS, "h": 1}
            yield {
                "id": next(ids),
                "type": "row",
                "title": row.title,
                "collapsed": False,
                "gridPos": place,
                "panels": [],
            }
            left, top, height = 0, top + 1, 0
            for panel in row.panels:
                if left + panel.width > COLUMNS:
                    left, top, height = 0, top + height, 0
                place = {"x": left, "y": top, "w": panel.width, "h": panel.height}
                yield _panel(panel, next(ids), place, here)
                left, height = left + panel.width, max(height, panel.height)
            top += height


def _panel(panel: Panel, number: int, place: dict[str, int], here: str) -> dict[str, Any]:
    steps = [{"color": colour, "value": value} for value, colour in panel.steps or ((None, "blue"),)]
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "min": 0,
        "thresholds": {"mode": "absolute", "steps": steps},
        "custom": _lines(panel) if panel.kind == "timeseries" else {},
    }
    defaults |= {"max": panel.most} if panel.most is not None else {}
    defaults |= {"decimals": panel.decimals} if panel.decimals is not None else {}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": DATASOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _table_below() if panel.kind == "timeseries" else _large(),
        "targets": [_target(query, index, here) for index, query in enumerate(panel.queries)],
    }


def _target(query: Query, index: int, here: str) -> dict[str, Any]:
    expression, legend = query
    return {
        "refId": chr(ord("A") + index),
        "datasource": DATASOURCE,
        "expr": expression.replace("HERE", here),
        "legendFormat": legend or "__auto",
        "editorMode": "code",
        "range": True,
    }


def _lines(panel: Panel) -> dict[str, Any]:
    return {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 30 if panel.stacked else 10,
        "showPoints": "never",
        "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if panel.steps else "off"},
    }


def _table_below() -> dict[str, Any]:
    legend = {"displayMode": "table", "placement": "bottom", "showLegend": True, "calcs": ["lastNotNull", "max"]}
    return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}


def _large() -> dict[str, Any]:
    return {
        "colorMode": "background",
        "graphMode": "area",
        "justifyMode": "auto",
        "orientation": "auto",
        "textMode": "auto",
        "wideLayout": True,
        "showPercentChange": False,
        "percentChangeColorMode": "standard",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }


def _choice(name: str, label: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": "variable"},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _alerts() -> dict[str, Any]:
    return {
        "name": "Alerts",
        "enable": True,
        "iconColor": "red",
        "datasource": DATASOURCE,
        "expr": 'ALERTS{alertstate="firing", alertname=~"Valor.+"}',
        "titleFormat": "{{alertname}}",
        "textFormat": "{{severity}}",
    }


def _links() -> dict[str, Any]:
    return {
        "type": "dashboards",
        "title": "Valor",
        "tags": ["valor"],
        "asDropdown": True,
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
        "icon": "external link",
        "tooltip": "",
        "url": "",
    }
