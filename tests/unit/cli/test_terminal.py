"""How much of a growing answer stands above the prompt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.utils import get_cwidth

from services.cli.terminal import LINES, end


@pytest.mark.parametrize(
    ("text", "columns", "lines"),
    [
        ("", 80, []),
        ("a word", 80, ["a word"]),
        ("one two three", 8, ["one two", "three"]),
        ("one two three four five six", 8, ["…our", "five", "six"]),
        ("line\n\nline", 80, ["line line"]),
        ("a-very-long-word-indeed", 11, ["a-very-", "long-word-", "indeed"]),
        ("字字字字", 5, ["字字", "字字"]),
        ("x", 1, ["x"]),
    ],
)
def test_the_last_lines_of_a_text(text: str, columns: int, lines: list[str]) -> None:
    assert end(text, columns) == lines


@given(st.text(), st.integers(3, 200))
def test_it_fits_above_the_prompt(text: str, columns: int) -> None:
    shown = end(text, columns)
    assert len(shown) <= LINES
    assert all(get_cwidth(line) <= max(columns, 2) for line in shown)
