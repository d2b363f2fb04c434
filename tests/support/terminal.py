"""A terminal for a program under test: a pseudo-terminal, and the screen that its bytes draw."""

import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Self

TOKEN = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|\x1b|[^\x1b]", re.DOTALL)
POSITION_ASKED, POSITION = "\x1b[6n", b"\x1b[1;1R"


class Screen:
    """What has been drawn, as rows without end: a terminal so tall that it never scrolls."""

    def __init__(self, columns: int) -> None:
        self.columns, self.x, self.y = columns, 0, 0
        self._cells: dict[int, dict[int, str]] = defaultdict(dict)
        self._wraps = True

    def feed(self, text: str) -> None:
        """Draw. An escape that nobody here knows fails the test."""
        for found in TOKEN.finditer(text):
            if found[2]:
                self._control(found[1], found[2])
            else:
                self._put(found[0])

    def rows(self) -> list[str]:
        """The rows down to the last that is not empty, without the spaces at their ends."""
        rows = [self._row(y) for y in range(max(self._cells, default=0) + 1)]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    def _row(self, y: int) -> str:
        cells = self._cells.get(y, {})
        return "".join(cells.get(x, " ") for x in range(max(cells, default=-1) + 1)).rstrip()

    def _put(self, char: str) -> None:
        match char:
            case "\r":
                self.x = 0
            case "\n":
                self.y += 1
            case "\b":
                self.x = max(0, self.x - 1)
            case _:
                assert char.isprintable(), f"{char!r} on the screen"
                self._draw(char)

    def _draw(self, char: str) -> None:
        width = 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if self.x + width > self.columns:
            self.x, self.y = (0, self.y + 1) if self._wraps else (self.columns - width, self.y)
        self._cells[self.y] |= {self.x: char} | ({self.x + 1: ""} if width == 2 else {})
        self.x += width

    def _control(self, arguments: str, kind: str) -> None:
        count = int(arguments) if arguments.isdecimal() else 1
        match kind:
            case "A" | "B":
                self.y += count if kind == "B" else -count
            case "C" | "D":
                self.x = min(self.columns, max(0, self.x + (count if kind == "C" else -count)))
            case "J" | "K":
                assert arguments in {"", "0"}
                self._cells[self.y] = {x: char for x, char in self._cells[self.y].items() if x < self.x}
                if kind == "J":
                    for y in [y for y in self._cells if y > self.y]:
                        del self._cells[y]
            case "h" | "l":
                self._wraps = kind == "h" if arguments == "?7" else self._wraps
            case _:
                assert kind in "mn", f"an escape {kind!r} that is not known here"


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], columns: int = 80) -> None:
        self._ours, self._theirs = os.openpty()
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self._before = termios.tcgetattr(self._theirs)
        self.screen, self._text = Screen(columns), b""
        self.process = subprocess.Popen(
            command,
            env={**environ, "TERM": "xterm-256color"},
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)

    def type(self, text: str) -> None:
        """Press these keys; "\\udcff" stands for the byte 255."""
        os.write(self._ours, text.encode(errors="surrogateescape"))

    def until(self, holds: Callable[[list[str]], bool], limit: float = 60.0) -> list[str]:
        """Wait for a state of the screen; its rows then."""
        end = time.monotonic() + limit
        while not holds(self.screen.rows()):
            assert time.monotonic() < end, "\n".join(["the screen was:", *self.screen.rows()])
            self._read(0.05)
        return self.screen.rows()

    def ends(self, limit: float = 30.0) -> int:
        """Wait for the program's end; its exit code. Nothing is left of how it had changed the terminal."""
        end = time.monotonic() + limit
        while self.process.poll() is None:
            assert time.monotonic() < end, "it did not end in time"
            self._read(0.05)
        self._read(0.05)
        assert termios.tcgetattr(self._theirs) == self._before
        return self.process.returncode

    def _read(self, seconds: float) -> None:
        while select.select([self._ours], [], [], seconds)[0]:
            self._text += os.read(self._ours, 1 << 16)
            seconds = 0.0
        text = self._text.decode(errors="ignore")
        whole = re.sub(r"\x1b(\[[?\d;]*)?$", "", text)  # an escape that is cut waits for its rest
        self._text = self._text[len(whole.encode()) :]
        for _ in range(whole.count(POSITION_ASKED)):
            os.write(self._ours, POSITION)
        self.screen.feed(whole)
