"""The status page: one HTML text that loads nothing and runs nothing. What nobody knows is shown as “unknown”."""

import math
import time
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files

from services.chassis.ladder import MB, Step
from services.monitor.chart import FIGURES, chart
from services.monitor.episodes import Episode
from services.monitor.model import Check, Process, Queue, Seen, Severity
from services.monitor.processes import first_text
from services.monitor.scaling import Change
from services.monitor.score import MINIMUM, TARGET
from services.monitor.status import Status, Teller

STYLE = files(__package__).joinpath("page.css").read_text()
REFRESH = 10
"""Seconds after which a browser asks again."""
STEPS = {Step.FINE: "fine", Step.CLEAN: "clean up", Step.SHED: "take no work", Step.RESTART: "restart"}
NOW = (
    *("turns run", "turns wait", "the oldest waits", "not delivered", "dead letters"),
    *("first word", "model limited", "flood wait"),
)
RADIUS = 44

Cells = Sequence[str]
"""A row of a table, in HTML."""


def html(status: Status) -> str:
    """The page."""
    now = status.health.measure_time
    body = "".join(
        (
            _head(status),
            _section("Alerts", _alerts(status.firing) + _tellers(status.tellers)),
            _section("Now", _figures(status.seen)),
            '<div class="columns">',
            _section("Score", _checks(status.health.checks)),
            _section("Last 24 hours", "".join(chart(figure, status.history, now) for figure in FIGURES)),
            "</div>",
            _section("Processes", _processes(status.seen.processes)),
            _section("Replicas", _replicas(status.seen)),
            _section("Autoscaler", _scales(status.scales) + _changes(status.changes)),
        )
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Valor</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="refresh" content="{REFRESH}"><link rel="icon" href="data:,">'
        f"<style>{STYLE}</style></head><body>{body}</body></html>\n"
    )


def _head(status: Status) -> str:
    score = status.health.score
    length = 2 * math.pi * RADIUS
    ring = f'cx="50" cy="50" r="{RADIUS}"'
    words = "Somebody has to look." if score < MINIMUM else f"{TARGET} is the target, {MINIMUM} the least."
    return (
        f'<header class="{_mood(score)}"><svg viewBox="0 0 100 100" role="img" aria-label="Health {score} of 100">'
        f'<circle class="ring track" {ring}/><circle class="ring share" {ring} transform="rotate(-90 50 50)"'
        f' stroke-dasharray="{length * score / 100:.1f} {length:.1f}"/><text class="score" x="50" y="61">{score}</text>'
        f'</svg><div><h1>Valor</h1><p class="soft">Health {score} of 100. {words}</p>'
        f'<p class="soft">Measured {_moment(status.health.measure_time)}</p></div></header>'
    )


def _alerts(firing: Sequence[Episode]) -> str:
    if not firing:
        return '<p class="good">Nothing fires.</p>'
    return "".join(map(_alert, firing))


def _alert(episode: Episode) -> str:
    trouble = episode.trouble
    mood = "bad" if trouble.severity is Severity.CRITICAL else "fair"
    since = f"{trouble.alert}, {trouble.severity}, since {_moment(episode.since)}"
    return f'<div class="alert {mood}"><p>{escape(trouble.text)}</p><p class="soft">{escape(since)}</p></div>'


def _tellers(tellers: Sequence[Teller]) -> str:
    if not tellers:
        return '<p class="soft">No channel is set up: nobody is told.</p>'
    return "".join(f'<p class="{"bad" if each.trouble else "soft"}">{escape(_told(each))}</p>' for each in tellers)


def _told(teller: Teller) -> str:
    last = "nothing was told yet" if teller.sent_time is None else f"told last {_moment(teller.sent_time)}"
    waits = f"; {teller.pending} wait" if teller.pending else ""
    return f"{teller.name}: {teller.trouble or last}{waits}"


def _figures(seen: Seen) -> str:
    waits = (first_text(seen.processes), seen.model_limited, seen.flood_wait)
    shown = zip(NOW, (*_queue(seen.queue), *map(_seconds, waits)), strict=True)
    items = (f"<div><dt>{name}</dt><dd>{_known(value)}</dd></div>" for name, value in shown)
    return f'<dl class="figures">{"".join(items)}</dl>'


def _queue(queue: Queue | None) -> Sequence[str | None]:
    if queue is None:
        return [None] * 5
    numbers = (queue.undelivered, queue.dead)
    return [str(queue.running), str(queue.waiting), f"{queue.oldest_waiting:.1f} s", *map(str, numbers)]


def _checks(checks: Sequence[Check]) -> str:
    rows = (
        (
            escape(check.name),
            f'<span class="bar {_mood(check.score)}"><i style="width:{check.score}%"></i></span>',
            str(check.score),
            f'<span class="soft">{escape(check.detail)}</span>',
        )
        for check in checks
    )
    return _table(("part", "", "#score", ""), rows)


def _processes(processes: Sequence[Process]) -> str:
    if not processes:
        return '<p class="soft">No metrics page is known.</p>'
    return _table(("services", "address", "#memory", "#CPU", "#sessions", "step"), map(_process, processes))


def _process(process: Process) -> Cells:
    resident = process.figures.resident
    if process.trouble:
        step = f'<span class="bad">{escape(process.trouble)}</span>'
    else:
        step = _known(None if process.step is None else STEPS[process.step], _step_mood(process.step))
    return (
        escape(", ".join(process.names)),
        escape(process.address),
        _known(None if resident is None else f"{resident / MB:.0f} MB"),
        _known(None if process.cpu is None else f"{process.cpu:.2f}"),
        "–" if process.sessions is None and not process.trouble else _known(_number(process.sessions)),
        step,
    )


def _replicas(seen: Seen) -> str:
    rows = []
    for part in seen.parts:
        if not part.replicas:
            rows.append((escape(part.name), "", '<span class="bad">no address</span>'))
        for replica in part.replicas:
            well = replica in part.well
            words = replica.trouble or ("stands by" if replica.standby else "at work")
            state = f'<span class="{"good" if well else "bad"}">{escape(words)}</span>'
            rows.append((escape(part.name), escape(replica.address), state))
    return _table(("service", "health", ""), rows)


def _scales(scales: Sequence[Change]) -> str:
    if not scales:
        return '<p class="soft">Nothing that could be scaled is watched.</p>'
    return _table(("service", "#replicas", "why"), map(_scale, scales))


def _scale(change: Change) -> Cells:
    decision = change.decision
    desired = _known(_number(decision.desired))
    mood = "fair" if decision.held else ""
    return escape(change.service), desired, f'<span class="{mood}">{escape(decision.reason)}</span>'


def _changes(changes: Sequence[Change]) -> str:
    rows = ((_moment(change.time), *_scale(change)) for change in changes[:10])
    return f"<h2>Last decisions</h2>{_table(('when', 'service', '#replicas', 'why'), rows)}" if changes else ""


def _section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>{content}</section>"


def _table(heads: Sequence[str], rows: Iterable[Cells]) -> str:
    """`#` before a head: numbers stand below it."""
    kinds = [' class="number"' if head.startswith("#") else "" for head in heads]
    head = "".join(f"<th{kind}>{name.lstrip('#')}</th>" for kind, name in zip(kinds, heads, strict=True))
    body = "".join(
        f"<tr>{''.join(f'<td{kind}>{cell}</td>' for kind, cell in zip(kinds, row, strict=True))}</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _known(value: str | None, mood: str = "") -> str:
    return '<span class="soft">unknown</span>' if value is None else f'<span class="{mood}">{escape(value)}</span>'


def _number(value: int | None) -> str | None:
    return None if value is None else str(value)


def _seconds(value: float | None) -> str | None:
    return None if value is None else f"{value:.1f} s"


def _mood(score: int) -> str:
    return "good" if score >= TARGET else "fair" if score >= MINIMUM else "bad"


def _step_mood(step: Step | None) -> str:
    return "bad" if step in {Step.SHED, Step.RESTART} else "fair" if step is Step.CLEAN else ""


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
