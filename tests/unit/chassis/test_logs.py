"""Logs: one JSON line each, and no secret in any of them."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import structlog

from services.chassis import context, logs, tracing

SECRET = "swordfish-1234"


class Silly:
    """Something whose text gives a secret away."""

    def __repr__(self) -> str:
        return f"Silly({SECRET})"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    logs.setup("debug", stream)
    logs.hide(SECRET)
    yield stream
    logs._secrets.discard(SECRET)
    structlog.reset_defaults()
    root.handlers[:], root.level = before


def _lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def _fail(log: Callable[..., None], *args: object) -> None:
    try:
        int(SECRET)
    except ValueError:
        log(*args)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(lambda: logs.get().info(f"event with {SECRET}"), id="the event"),
        pytest.param(lambda: logs.get().info("event", token=SECRET), id="a field"),
        pytest.param(lambda: logs.get().info("event", header={"a": [f"Bearer {SECRET}"]}), id="deep inside a field"),
        pytest.param(lambda: logs.get().info("event", thing=Silly()), id="the text of an object"),
        pytest.param(lambda: logs.get().info("event", raw=SECRET.encode()), id="bytes"),
        pytest.param(lambda: _fail(logs.get().exception, "event"), id="an exception"),
        pytest.param(lambda: logs.get().error("event", error=RuntimeError(SECRET)), id="an exception as a field"),
        pytest.param(lambda: logging.getLogger("library").warning("token %s", SECRET), id="a library's argument"),
        pytest.param(lambda: logging.getLogger("library").error("%r", Silly()), id="a library's object"),
        pytest.param(lambda: _fail(logging.getLogger("library").exception, "event"), id="a library's exception"),
        pytest.param(lambda: logs.crashed(RuntimeError, RuntimeError(SECRET), None), id="what nobody caught"),
    ],
)
def test_no_path_into_the_log_shows_a_secret(stream: io.StringIO, path: Callable[[], None]) -> None:
    path()
    assert SECRET not in stream.getvalue()
    assert "***" in stream.getvalue()
    assert len(_lines(stream)) == 1


def test_a_line_has_event_level_time_fields_and_the_ids_of_the_context(stream: io.StringIO) -> None:
    with context.about(turn_id="7", chat_id="8"):
        logs.get().info("turn_finished", parts=2, ok=True, seconds=0.5, nothing=None)
    [line] = _lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "turn_finished",
        "level": "info",
        "parts": 2,
        "ok": True,
        "seconds": 0.5,
        "nothing": None,
        "turn_id": "7",
        "chat_id": "8",
    }


def test_a_librarys_line_looks_like_ours(stream: io.StringIO) -> None:
    logging.getLogger("library").warning("it is %s", "late")
    [line] = _lines(stream)
    assert (line["event"], line["level"], line["logger"]) == ("it is late", "warning", "library")


def test_libraries_are_heard_from_warnings_on(stream: io.StringIO) -> None:
    logging.getLogger("library").info("chatter")
    assert _lines(stream) == []


def test_what_is_below_the_level_is_left_out(stream: io.StringIO) -> None:
    logs.setup("warning", stream)
    logs.get().info("chatter")
    logs.get().warning("heard")
    assert [line["event"] for line in _lines(stream)] == ["heard"]


def test_a_secret_too_short_to_be_one_is_not_hidden(stream: io.StringIO) -> None:
    logs.hide("a")
    logs.hide("")
    logs.get().info("event", text="a banana")
    assert _lines(stream)[0]["text"] == "a banana"


def test_a_full_disk_costs_lines_and_nothing_else(stream: io.StringIO) -> None:
    with suppress(OSError), Path("/dev/full").open("w", buffering=1) as full:
        logs.setup("debug", full)
        logs.get().info("lost")
        logging.getLogger("library").warning("lost too")
        reached = True
    assert reached
    assert stream.getvalue() == ""


def test_every_line_inside_of_a_trace_carries_its_id(stream: io.StringIO) -> None:
    with tracing.span("update"):
        expected = tracing.trace_id()
        logs.get().info("ours")
        logging.getLogger("library").warning("a library's")
    logs.get().info("outside")
    assert [line.get("trace_id") for line in _lines(stream)] == [expected, expected, None]
