"""Texts in UTF-16 code units."""

from hypothesis import given
from hypothesis import strategies as st

from services.pipeline.model import Entity
from services.pipeline.units import span, width

anything = st.text(st.characters(exclude_categories=()))
"""Half characters (surrogates) too."""


@given(anything)
def test_width_is_the_number_of_utf_16_units(text: str) -> None:
    assert width(text) == sum(2 if ord(letter) > 0xFFFF else 1 for letter in text)


@given(st.text(), st.text(), st.text())
def test_a_span_is_what_the_entity_stands_on(before: str, word: str, after: str) -> None:
    assert span(before + word + after, Entity("bold", width(before), width(word))) == word


@given(anything, st.integers(-(2**31), 2**31 - 1), st.integers(-(2**31), 2**31 - 1))
def test_a_span_is_never_more_than_the_text(text: str, offset: int, length: int) -> None:
    found = span(text, Entity("bold", offset, length))
    assert width(found) <= max(0, min(length, width(text)))
    assert set(found) <= set(text)


def test_half_a_character_is_left_out() -> None:
    assert span("🙂ab", Entity("bold", 1, 2)) == "a"
    assert span("a🙂", Entity("bold", 0, 2)) == "a"
