"""How documents fall into sections, and how a question becomes a search."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.fulltext import any_of
from services.toolrunner.documents import MAX_WORDS, Section, sections, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("\n \n", []),
        ("Only text.\nMore.", [Section("", "Only text.\nMore.")]),
        ("# One\na\n## Two ##\nb", [Section("One", "a"), Section("Two", "b")]),
        ("before\n# One", [Section("", "before"), Section("One", "")]),
        ("#tag is no heading", [Section("", "#tag is no heading")]),
        ("####### seven", [Section("", "####### seven")]),
        ("# A\n```sh\n# comment\n```\n# B", [Section("A", "```sh\n# comment\n```"), Section("B", "")]),
        ("~~~\n```\n# x\n~~~\n# B", [Section("", "~~~\n```\n# x\n~~~"), Section("B", "")]),
        ("```\n# never closed", [Section("", "```\n# never closed")]),
    ],
)
def test_a_text_is_cut_at_its_headings(text: str, expected: list[Section]) -> None:
    assert sections(text) == expected


@given(st.text(st.sampled_from("#` \nab"), max_size=80))
def test_no_letter_of_a_text_is_lost(text: str) -> None:
    kept = "".join(section.heading + section.body for section in sections(text))
    assert [letter for letter in kept if letter in "ab"] == [letter for letter in text if letter in "ab"]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("", ""),
        ("?! -- *", ""),
        ("Deploy", "deploy"),
        ("how to deploy? how!", "how to deploy"),
        ('a" AND body:x NEAR(b)', "a and body x near b"),
        ("a' | b:*", "a b"),
        ("snake_case", "snake case"),
    ],
)
def test_a_question_becomes_words_and_never_syntax(question: str, expected: str) -> None:
    assert words(question) == expected.split()


@given(st.text(max_size=60))
def test_no_question_breaks_the_search(question: str) -> None:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE VIRTUAL TABLE t USING fts5(body)")
    if match := any_of(words(question), "sqlite"):
        database.execute("SELECT * FROM t WHERE t MATCH ?", (match,)).fetchall()
    database.close()


def test_a_very_long_question_is_cut() -> None:
    assert len(words(" ".join(f"w{n}" for n in range(1_000)))) == MAX_WORDS
