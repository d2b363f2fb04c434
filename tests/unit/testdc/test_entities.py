import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.testdc.entities import check_bounds, marked, mentions, units
from services.testdc.model import Account, RpcFail

ANNA = Account(1, "Anna", "Anna_K", bot=False)


def bold(offset: int, length: int) -> dict[str, object]:
    return {"type": "Bold", "offset": offset, "length": length}


def test_length_is_counted_in_utf16_units() -> None:
    assert [units(text) for text in ("", "aé", "😀", "👨‍💻")] == [0, 2, 2, 5]


@pytest.mark.parametrize(("offset", "length"), [(0, 1), (0, 4), (1, 2), (3, 1)])
def test_entities_on_whole_characters_are_fine(offset: int, length: int) -> None:
    check_bounds("a😀b", [bold(offset, length)])


@pytest.mark.parametrize(("offset", "length"), [(0, 0), (-1, 2), (0, 5), (4, 1), (2, 1), (0, 2), (1, 1)])
def test_entities_outside_of_the_text_or_inside_a_pair_are_refused(offset: int, length: int) -> None:
    with pytest.raises(RpcFail, match="ENTITY_BOUNDS_INVALID"):
        check_bounds("a😀b", [bold(offset, length)])


def test_the_server_marks_mentions_commands_and_links() -> None:
    found = marked("😀 @Anna_K, see https://a.b/c /start mail@host.x", [])
    assert [(e["type"], e["offset"], e["length"]) for e in found] == [
        ("Mention", 3, 7),
        ("Url", 16, 13),
        ("BotCommand", 30, 6),
    ]


def test_the_server_marks_nothing_inside_given_entities() -> None:
    code = {"type": "Code", "offset": 0, "length": 7}
    assert marked("@anna_k @other", [code]) == [code, {"type": "Mention", "offset": 8, "length": 6}]


@given(st.lists(st.sampled_from(["@anna_k", "/go", "https://x.y", "😀", " ", "é", "(", "."]), max_size=12).map("".join))
def test_what_the_server_marks_is_always_within_bounds(text: str) -> None:
    check_bounds(text, marked(text, []))


def test_a_mention_names_by_username_in_any_case_or_by_id() -> None:
    text = "hi @ANNA_K"
    assert mentions(text, marked(text, []), ANNA)
    assert mentions("hi you", [{"type": "MentionName", "offset": 3, "length": 3, "user_id": 1}], ANNA)
    assert not mentions("hi @ANNA_KATE", marked("hi @ANNA_KATE", []), ANNA)
    assert not mentions("hi @ANNA_K", [], ANNA)
