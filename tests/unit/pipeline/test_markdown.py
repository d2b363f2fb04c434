"""Markdown as people see it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.pipeline.adapters import markdown as adapter
from services.pipeline.adapters.markdown import MarkdownRenderer
from services.pipeline.model import Draft, Entity
from services.pipeline.split import UNITS
from services.pipeline.units import span, width

RENDERER = MarkdownRenderer()


def kinds(draft: Draft) -> set[tuple[str, str, str]]:
    return {(entity.type, span(draft.text, entity), entity.value) for entity in draft.entities}


@pytest.mark.parametrize(
    ("markdown", "text", "entities"),
    [
        ("plain", "plain", set()),
        ("**bold** 🙂 _it_", "bold 🙂 it", {("bold", "bold", ""), ("italic", "it", "")}),
        ("🙂 `code`", "🙂 code", {("code", "code", "")}),
        ("```py\nx = 1\n```", "x = 1", {("pre", "x = 1", "py")}),
        ("```\nx = 1", "x = 1", {("pre", "x = 1", "")}),
        ("[here](https://example.org)", "here", {("text_link", "here", "https://example.org")}),
        ("<https://example.org>", "https://example.org", {("text_link", "https://example.org", "https://example.org")}),
        ("[here](<https://example.org/a b>)", "here", {("text_link", "here", "https://example.org/a b")}),
        ("# Title\n\ntext", "Title\n\ntext", {("bold", "Title", ""), ("underline", "Title", "")}),
        ("- one\n- two", "• one\n• two", set()),
        ("1. one\n2. two", "1. one\n2. two", set()),
        ("> said", "said", {("blockquote", "said", "")}),
        ("||secret||", "secret", {("spoiler", "secret", "")}),
        ("|a|b|\n|-|-|\n|1|2|", "a | b\n--+--\n1 | 2", {("pre", "a | b\n--+--\n1 | 2", "")}),
        ("`a **b** c`", "a **b** c", {("code", "a **b** c", "")}),
        ("**a `b` c**", "a b c", {("bold", "a b c", "")}),
        ("use <your-token> here", "use <your-token> here", set()),
        ("List<String> and a < b > c", "List<String> and a < b > c", set()),
        ("`List<String>`", "List<String>", {("code", "List<String>", "")}),
        ("```c<t\n<div>\n```", "<div>", {("pre", "<div>", "c<t")}),
        ("<div>\n**kept**\n</div>", "<div>\nkept\n</div>", {("bold", "kept", "")}),
        ("<!-- kept -->", "<!-- kept -->", set()),
        ("a&lt;b &amp; c", "a<b & c", set()),
        ("snake_case_name and 2 * 3 * 4", "snake_case_name and 2 * 3 * 4", set()),
        ("**", "**", set()),
        ("`", "`", set()),
    ],
)
def test_rendering(markdown: str, text: str, entities: set[tuple[str, str, str]]) -> None:
    """F96, F107."""
    (draft,) = RENDERER.render(markdown)
    assert (draft.text, kinds(draft)) == (text, entities)


@pytest.mark.parametrize("markdown", ["", " ", "\n\n\t"])
def test_nothing_is_still_a_message(markdown: str) -> None:
    assert RENDERER.render(markdown) == [Draft("…")]
    assert RENDERER.glimpse(markdown) == Draft("…")


@pytest.mark.parametrize("markdown", ["[]()", "[x]: http://y", "&nbsp;", "<br>", "---", "***", "\u200b", "\\", "![]()"])
def test_markdown_of_nothing_to_see_is_still_a_message(markdown: str) -> None:
    (draft,) = RENDERER.render(markdown)
    assert draft.text.strip()


pieces = st.lists(st.from_regex(r"[a-z]{1,8}|<[a-z/!]{1,8}>|[a-z]<[a-z]>", fullmatch=True), min_size=1, max_size=40)


@given(pieces, st.sampled_from([" ", "\n", "\n\n"]))
def test_no_word_is_lost_for_its_angle_brackets(words: list[str], between: str) -> None:
    """F96."""
    (draft,) = RENDERER.render(between.join(words))
    assert draft.text.split() == words


@pytest.mark.parametrize("library", ["breaks", "shows nothing"])
def test_what_the_library_cannot_read_is_shown_as_it_was_written(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """F32. A filter may change a text, and never drop it."""

    def convert(*_: object, **__: object) -> tuple[str, list[object]]:
        if library == "breaks":
            raise RecursionError
        return "", []

    monkeypatch.setattr(adapter, "convert", convert)
    text = "**bold** word " * 1000
    assert "".join(draft.text for draft in RENDERER.render(text)) == text.strip()


@given(st.lists(st.sampled_from("*_`#>|-[]()<>~\\ \nab1.🙂"), max_size=200).map("".join))
def test_text_that_is_still_being_written_can_always_be_shown(markdown: str) -> None:
    for end in range(0, len(markdown), 7):
        draft = RENDERER.glimpse(markdown[:end])
        assert draft.text
        assert width(draft.text) <= UNITS


def test_of_a_long_text_the_end_is_glimpsed() -> None:
    markdown = "\n\n".join(f"**Paragraph {number}** " + "word " * 100 for number in range(40))
    draft = RENDERER.glimpse(markdown)
    assert "Paragraph 39" in draft.text
    assert width(draft.text) <= UNITS
    assert Entity("bold", draft.text.index("Paragraph 39"), len("Paragraph 39")) in draft.entities
