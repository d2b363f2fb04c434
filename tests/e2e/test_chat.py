"""The chat as a person at a terminal sees it: the bytes that the program writes, drawn on a screen."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.house import VALOR, environment, house, until, valor
from tests.support.terminal import Terminal

STORY = "The quick brown fox jumps over the lazy dog"
"""How every answer of the model begins; it takes about two seconds and is longer than the screen is wide."""


@contextmanager
def slow_model() -> Iterator[dict[str, str]]:
    """A model that writes for two seconds, and the settings that name it."""
    command = [sys.executable, "-m", "tests.support.model_server", "--chunks", "4", "--delay", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = f"http://127.0.0.1:{process.stdout.readline().strip()}"
            yield {"VALOR_MODEL": "anthropic:test", "VALOR_MODEL_URL": url}
        finally:
            process.kill()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a house whose model is slow."""
    folder = tmp_path_factory.mktemp("house")
    with slow_model() as settings, house(folder, **settings):
        yield folder


@contextmanager
def chat(data: Path, columns: int = 60) -> Iterator[Terminal]:
    with Terminal([*VALOR, "chat"], environment(data), columns) as terminal:
        terminal.until(lambda rows: rows == ["you ›"])
        yield terminal


def written(rows: list[str]) -> list[str]:
    """What stands above the prompt of an answer that is still being written."""
    begin = next((y for y, row in enumerate(rows) if row.startswith(("valor writes:", "…"))), len(rows))
    return rows[begin:-1]


def test_what_is_written_stands_above_the_line_that_is_typed(data: Path) -> None:
    with chat(data) as terminal:
        terminal.type("tell me a story\r")
        terminal.until(lambda rows: rows == ["you › tell me a story", "valor is typing …", "you ›"])
        terminal.type("and then")
        terminal.until(lambda rows: written(rows) != [] and rows[-1] == "you › and then")
        terminal.type(" what?")
        whole = ["you › tell me a story", "valor reacts with 👀"]
        terminal.until(
            lambda rows: [*rows[:2], rows[-1]] == [*whole, "you › and then what?"] and len(written(rows)) == 3
        )
        rows = terminal.until(lambda rows: f"valor › {STORY}" in "".join(rows) and rows[-1] == "you › and then what?")
        assert (rows[:2], written(rows)) == (whole, [])
        terminal.type("\x15\x04")
        assert terminal.ends() == 0
        assert terminal.screen.rows() == rows[:-1]


def test_ctrl_c_ends_it_while_an_answer_is_written(data: Path) -> None:
    """On a narrow terminal."""
    with chat(data, columns=24) as terminal:
        terminal.type("again\rhalf a line")
        rows = terminal.until(lambda rows: written(rows) != [] and rows[-1] == "you › half a line")
        assert max(len(row) for row in written(rows)) < 24
        terminal.type("\x03")
        assert terminal.ends() == 0
        assert terminal.screen.rows() == ["you › again"]
    valor(data, "send", "/stop")  # the next test begins in peace


def test_stop_ends_what_is_written(data: Path) -> None:
    with chat(data) as terminal:
        terminal.type("go on\r")
        terminal.until(lambda rows: written(rows) != [])
        terminal.type("/stop\r")
        rows = terminal.until(lambda rows: rows[-2:] == ["valor › Stopped.", "you ›"])
        assert written(rows) == []


def test_what_telegram_refuses_is_told_and_the_chat_goes_on(data: Path) -> None:
    with chat(data, 120) as terminal:
        terminal.type("a byte that is no text: \udcff\r")
        terminal.until(lambda rows: rows[-2].startswith("not sent:") if len(rows) > 1 else False)
        terminal.type("/stop\r")
        terminal.until(lambda rows: rows[-1] == "you ›" and any(row.startswith("valor ›") for row in rows))


def test_a_whole_house_on_a_terminal(tmp_path: Path) -> None:
    with Terminal([*VALOR, "up", "--chat"], environment(tmp_path), columns=250) as terminal:
        greeting = terminal.until(lambda rows: "you ›" in rows, limit=90)
        assert "Valor is up." in greeting
        assert all(len(row) < 80 for row in greeting if str(tmp_path) not in row)
        terminal.type("what is 17 * 23?\r")
        terminal.until(lambda rows: rows[-3:] == ["you › what is 17 * 23?", "valor › 17 * 23 = 391", "you ›"])
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.ends() == 0
        assert terminal.screen.rows()[-2:] == ["valor › 17 * 23 = 391", "Stopping."]


def test_without_a_terminal_only_final_messages_are_printed(tmp_path: Path) -> None:
    """Bytes that are no text, a terminal without emoji, and the end told by a signal while nobody writes."""
    ascii_only = {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0", "LC_ALL": "C"}
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        settings = environment(tmp_path, **ascii_only)
        process = subprocess.Popen(
            [*VALOR, "up", "--chat"], env=settings, stdin=subprocess.PIPE, stdout=out, stderr=err
        )
    with process:
        assert process.stdin is not None
        process.stdin.write(b"\nsay \xff\xfe\r\nreact with \xf0\x9f\x91\x8d\n")
        process.stdin.flush()
        until(lambda: (tmp_path / "out").read_bytes().count(b"\n") == 2, limit=90)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert (tmp_path / "out").read_text(encoding="latin-1") == "??\nDone: ?\n"
    assert (tmp_path / "err").read_text(encoding="latin-1").count("Valor is up.\n") == 1
