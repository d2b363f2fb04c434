"""The status page: what is known stands there, what is not is said to be unknown, and nothing in it can act."""

import re

import pytest

from services.chassis.ladder import MB, Limits, Step
from services.monitor.chart import Figure, chart
from services.monitor.episodes import Episode
from services.monitor.history import Point
from services.monitor.http import may_enter
from services.monitor.model import Figures, Memory, Part, Probe, Process, Queue, Seen, Severity, Trouble
from services.monitor.page import html
from services.monitor.scale import Decision
from services.monitor.scaling import Change
from services.monitor.score import judge
from services.monitor.status import Status, Teller

NOW = 1_764_000_000.0
PROCESSES = (
    Process(
        "10.0.0.1:7002", ("pipeline",), Figures(resident=540 * MB, live={"pipeline": 88}), cpu=0.71, step=Step.CLEAN
    ),
    Process("10.0.0.2:7002", ("people",), Figures(resident=90 * MB), cpu=0.0, step=Step.FINE),
    Process("10.0.0.3:7002", ("agent",), trouble="its metrics page cannot be reached"),
)
PARTS = (Part("pipeline", (Probe("10.0.0.1:7001"), Probe("10.0.0.4:7001", "It is <away>."))), Part("agent"))


def _status(queue: Queue | None = None, *, trouble: str = "") -> Status:
    seen = Seen(PARTS, Memory(1, 2), queue, True, PROCESSES)
    held = Change(NOW - 60, "pipeline", Decision(None, "Held: <nobody> knows.", "queue_unknown"))
    fires = Episode(
        Trouble("part_down", "agent is <down>.", Severity.CRITICAL, "agent", 60.0), NOW - 900, NOW, told=True
    )
    return Status(
        seen, judge(seen, NOW, Limits()), [fires], [Teller("webhook", 3, trouble, None)], [held], [held], [], "h:1"
    )


def _rows(page: str) -> list[list[str]]:
    """The cells of all tables, without their markup."""
    rows = re.findall(r"<tr>(.*?)</tr>", page)
    return [[re.sub("<.*?>", "", cell) for cell in re.findall(r"<td.*?>(.*?)</td>", row)] for row in rows]


def test_it_shows_replicas_what_they_use_and_what_they_ought_to_do() -> None:
    rows = _rows(html(_status(Queue())))
    assert ["pipeline", "10.0.0.1:7002", "540 MB", "0.71", "88", "clean up"] in rows
    assert ["people", "10.0.0.2:7002", "90 MB", "0.00", "–", "fine"] in rows
    assert ["agent", "10.0.0.3:7002", *["unknown"] * 3, "its metrics page cannot be reached"] in rows
    assert ["pipeline", "10.0.0.1:7001", "at work"] in rows
    assert ["agent", "", "no address"] in rows
    assert ["pipeline", "unknown", "Held: &lt;nobody&gt; knows."] in rows


@pytest.mark.parametrize(("queue", "words"), [(None, "unknown"), (Queue(running=218, oldest_waiting=6.4), "218")])
def test_what_nobody_knows_is_no_number(queue: Queue | None, words: str) -> None:
    """F95."""
    shown = re.findall(r"<dt>(.*?)</dt><dd><span class=\".*?\">(.*?)</span>", html(_status(queue)))
    assert dict(shown)["turns run"] == words
    assert dict(shown)["first word"] == "unknown"


@pytest.mark.parametrize(
    ("trouble", "words"),
    [("", "webhook: nothing was told yet; 3 wait"), ("it answers 502", "webhook: it answers 502; 3 wait")],
)
def test_it_shows_who_is_told(trouble: str, words: str) -> None:
    assert words in html(_status(trouble=trouble))


def test_nothing_that_others_say_becomes_part_of_the_page() -> None:
    page = html(_status())
    assert "&lt;down&gt;" in page
    assert not re.search(r"<(?:down|away|nobody)>|<script|https?://|\bon\w+=", page)


def test_a_line_has_gaps_where_nobody_knew_and_where_nobody_measured() -> None:
    waits = Figure("waits", lambda point: point.oldest_waiting, " s")
    values = [5.0, 10.0, None, 2.5, 2.5]
    points = [Point(60.0 * minute, 100, {}, value) for minute, value in enumerate(values)]
    drawn = chart(waits, [*points, Point(60.0 * 30, 100, {}, 0.0)], now=60.0 * 60)
    assert "waits: 0 to 10 s" in drawn
    path = re.search(r'path d="(.*?)"', drawn)
    assert path is not None
    assert path[1] == "M1380 50.0h1L1381 0.0h1M1383 75.0h1L1384 75.0h1M1410 100.0h1"
    assert "waits: unknown" in chart(waits, [], now=0.0)


PASSWORDS = ("a-password-of-the-page", "pässword-of-the-run")


@pytest.mark.parametrize(
    ("header", "enters"),
    [
        ("", False),
        ("Bearer", False),
        ("Bearer ", False),
        ("Bearer a-password-of-the-page", True),
        ("bearer a-password-of-the-page", True),
        ("Bearer pässword-of-the-run", True),
        ("Bearer a-password-of-the-pag", False),
        ("Bearer a-password-of-the-page ", False),
        ("Basic YW55Ym9keTphLXBhc3N3b3JkLW9mLXRoZS1wYWdl", True),  # anybody:…
        ("Basic OmEtcGFzc3dvcmQtb2YtdGhlLXBhZ2U=", True),
        ("Basic YS1wYXNzd29yZC1vZi10aGUtcGFnZQ==", False),  # no name, no colon
        ("Basic !!!", False),
        ("Basic /////w==", False),
        ("Digest a-password-of-the-page", False),
        ("a-password-of-the-page", False),
        ("Bearer \udcff", False),
    ],
)
def test_the_page_is_shown_to_whoever_knows_a_password(header: str, *, enters: bool) -> None:
    """F110."""
    assert may_enter(header, PASSWORDS) is enters
    assert not may_enter(header, ())
