"""Texts cut into messages. F42, F107."""

import itertools
from collections import Counter

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from services.pipeline.adapters.markdown import MarkdownRenderer
from services.pipeline.model import Draft, Entity
from services.pipeline.split import CODE, ENTITIES, UNITS, normalised, split
from services.pipeline.units import span, width

RENDERER = MarkdownRenderer()


def assert_sendable(drafts: list[Draft]) -> None:
    """What Telegram takes as it is."""
    for draft in drafts:
        assert draft.text.strip()
        assert width(draft.text) <= UNITS
        assert len(draft.entities) <= ENTITIES
        blanks = width(draft.text) - width(draft.text.lstrip())
        for entity in draft.entities:
            assert blanks <= entity.offset
            assert entity.length > 0
            assert entity.offset + entity.length <= width(draft.text.rstrip())
        for one, other in itertools.combinations(draft.entities, 2):
            first, second = sorted((one, other), key=lambda e: (e.offset, -e.length))
            apart = first.offset + first.length <= second.offset
            inside = second.offset + second.length <= first.offset + first.length
            assert apart or (inside and first.type not in CODE and second.type not in CODE)


words = st.text(st.sampled_from("ab 🙂e\u0301\n👨‍👩‍👧🇩🇪."), min_size=1, max_size=40)
marks = st.sampled_from(["**{}**", "_{}_", "`{}`", "```python\n{}\n```", "# {}", "- {}", "> {}", "~~{}~~", "||{}||"])
more = st.sampled_from(
    ["[{}](http://x)", "| {} | b |\n|-|-|\n| c | d |", "1. {}", "<{}>", "<b>{}</b>", "{}", "***{}***"]
)
blocks = st.builds(lambda mark, text, times: mark.format(text) * times, marks | more, words, st.integers(1, 40))
markdowns = st.builds("\n\n".join, st.lists(blocks, max_size=30))


@settings(max_examples=40)
@given(markdowns)
def test_whatever_the_markdown_its_messages_are_sendable(markdown: str) -> None:
    """F107."""
    drafts = RENDERER.render(markdown)
    assert drafts
    if markdown.strip():
        assert_sendable(drafts)
    assert_sendable([RENDERER.glimpse(markdown)])


@given(st.text(max_size=300))
def test_whatever_the_text_its_messages_are_sendable(text: str) -> None:
    for draft in (*RENDERER.render(text), RENDERER.glimpse(text)):
        assert draft.text
        assert width(draft.text) <= UNITS


@given(st.text(st.sampled_from("ab \n🙂e\u0301"), max_size=300), st.integers(8, 60))
def test_the_parts_of_a_text_joined_are_the_text(text: str, units: int) -> None:
    """F42."""
    drafts = split(text, [], units)
    joined = "".join(draft.text for draft in drafts)
    assert joined.lstrip() == (text.lstrip() if text.strip() else "")
    assert all(width(draft.text.rstrip()) <= units for draft in drafts)


graphemes = st.sampled_from(["a", "é", "e\u0301", "🙂", "👨‍👩‍👧‍👦", "🇩🇪", "👍🏽", "क्षि", "\r\n"])


@given(st.lists(graphemes, min_size=1, max_size=60).map("".join), st.integers(16, 40))
def test_no_character_is_cut_in_two(text: str, units: int) -> None:
    cuts = list(itertools.accumulate(len(draft.text) for draft in split(text, [], units)))
    borders = {match.end() for match in regex.finditer(r"\X", text)}
    assert set(cuts) <= borders


spans = st.lists(
    st.builds(
        Entity, st.sampled_from(["bold", "italic", "code", "pre", "text_link"]), st.integers(0, 40), st.integers(1, 40)
    ),
    max_size=12,
)


@given(spans)
def test_entities_are_made_such_as_telegram_takes_them(found: list[Entity]) -> None:
    kept = normalised(found)
    assert set(kept) <= set(found)
    assert_sendable([Draft("x" * 80, kept)])
    assert normalised(kept) == kept
    if found:
        assert kept


@given(st.text(st.sampled_from("ab 🙂\n"), min_size=1, max_size=200), spans, st.integers(8, 60))
def test_every_piece_of_an_entity_stands_on_the_same_words_as_before(
    text: str, found: list[Entity], units: int
) -> None:
    limit = width(text)
    entities = normalised([entity for entity in found if entity.offset + entity.length <= limit])
    drafts = split(text, entities, units)
    if not text.strip():
        return
    for kind in ("bold", "italic", "code", "pre", "text_link"):
        before = "".join(span(text, e) for e in entities if e.type == kind)
        after = "".join(span(draft.text, e) for draft in drafts for e in draft.entities if e.type == kind)
        assert Counter("".join(after.split())) == Counter("".join(before.split()))


def test_a_text_of_53_000_characters_loses_none() -> None:
    """F42."""
    text = "\n\n".join(f"Paragraph {number}." + " Many words and one 🙂 more." * 20 for number in range(100))
    assert len(text) > 53_000
    drafts = RENDERER.render(text)
    assert_sendable(drafts)
    assert "".join(draft.text for draft in drafts) == text
    assert all(draft.text.endswith("\n\n") for draft in drafts[:-1])


def test_a_code_block_that_is_cut_goes_on_as_code_of_its_language() -> None:
    """F107."""
    code = "\n".join(f"print({number})  # a line of code" for number in range(400))
    drafts = RENDERER.render(f"Look:\n\n```python\n{code}\n```\n\nDone.")
    assert len(drafts) > 2
    blocks = [entity for draft in drafts for entity in draft.entities]
    assert {(block.type, block.value) for block in blocks} == {("pre", "python")}
    inside = "\n".join(span(draft.text, entity) for draft in drafts for entity in draft.entities)
    assert inside.split() == code.split()
    assert all(draft.text.endswith("\n") for draft in drafts[:-1])


@pytest.mark.parametrize(
    ("text", "units", "parts"),
    [
        pytest.param("", 10, [], id="nothing"),
        pytest.param(" \n ", 10, [], id="blanks"),
        pytest.param("short", 10, ["short"], id="fits"),
        pytest.param("one\n\ntwo three", 11, ["one\n\ntwo ", "three"], id="a paragraph too early"),
        pytest.param("one two\n\nthree", 12, ["one two\n\n", "three"], id="paragraph"),
        pytest.param("one two\nthree", 12, ["one two\n", "three"], id="line"),
        pytest.param("one two three", 12, ["one two ", "three"], id="space"),
        pytest.param("a" * 25, 10, ["a" * 10, "a" * 10, "a" * 5], id="no space"),
        pytest.param("🙂" * 6, 5, ["🙂🙂", "🙂🙂", "🙂🙂"], id="pairs stay whole"),
        pytest.param("abcdefgh      ", 8, ["abcdefgh      "], id="blanks go to the part before"),
    ],
)
def test_where_texts_are_cut(text: str, units: int, parts: list[str]) -> None:
    assert [draft.text for draft in split(text, [], units)] == parts


def test_a_part_holds_a_hundred_entities_at_most() -> None:
    entities = [Entity("bold", 2 * number, 1) for number in range(250)]
    drafts = split("a " * 250, entities)
    assert [len(draft.entities) for draft in drafts] == [100, 100, 50]
    assert "".join(draft.text for draft in drafts) == "a " * 250


def test_tens_of_thousands_of_entities_take_no_time_to_speak_of() -> None:
    entities = tuple(Entity("bold", 2 * number, 1) for number in range(50_000))
    assert normalised(entities) == entities


def test_a_hundred_and_one_entities_on_one_word_lose_the_last() -> None:
    drafts = split("word", [Entity("bold", 0, 4)] * 101)
    assert [draft.text for draft in drafts] == ["word"]
