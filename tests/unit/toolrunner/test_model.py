"""Who may call, what a repeat is told, and how results are shown."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.errors import Denied, InvalidArgument, WrongState
from services.toolrunner.model import (
    LOST,
    MAX_TEXT,
    Call,
    Category,
    Key,
    Outcome,
    Record,
    Scope,
    State,
    answer,
    args_hash,
    shown,
)

CALL = Call(Key("turn", 1, 0), "search", "hash")
RESULT, FAILURE = Outcome("found"), Outcome("no", Category.EXECUTION)


def _record(state: State, outcome: Outcome = RESULT, *, side_effects: bool = False) -> Record:
    return Record(1, CALL, side_effects, state, outcome, 1.0, None)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        pytest.param(_record(State.ENDED), RESULT, id="ended: the recorded result"),
        pytest.param(_record(State.ENDED, FAILURE), FAILURE, id="ended badly: the recorded failure"),
        pytest.param(_record(State.ENDED, side_effects=True), RESULT, id="ended with side effects: the result"),
        pytest.param(_record(State.STARTED), None, id="end unseen, pure: run again"),
        pytest.param(_record(State.UNKNOWN), None, id="given up, pure: run again"),
        pytest.param(_record(State.STARTED, side_effects=True), LOST, id="end unseen, side effects: never again"),
        pytest.param(_record(State.UNKNOWN, side_effects=True), LOST, id="given up, side effects: never again"),
    ],
)
def test_what_a_repeat_is_told(record: Record, expected: Outcome | None) -> None:
    assert answer(record, CALL) == expected


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("other", [Call(CALL.key, "other", "hash"), Call(CALL.key, "search", "other")])
def test_another_call_under_the_same_key_is_refused(state: State, other: Call) -> None:
    with pytest.raises(WrongState) as error:
        answer(_record(state), other)
    assert error.value.reason == "CALL_DIFFERS"


@pytest.mark.parametrize(
    ("key", "field"), [(("", 0, 0), "scope.turn_id"), (("t", -1, 0), "step"), (("t", 0, -1), "index")]
)
def test_a_bad_key_is_refused_by_name(key: tuple[str, int, int], field: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        Key(*key)
    assert error.value.field == field


@pytest.mark.parametrize("rights", [frozenset(), frozenset({""}), frozenset({"Tools"}), frozenset({"tool"})])
def test_what_is_not_named_is_denied(rights: frozenset[str]) -> None:
    with pytest.raises(Denied) as error:
        Scope("turn", rights, 10.0).demand("tools")
    assert error.value.reason == "RIGHT_MISSING"


def test_a_scope_ends_at_its_time() -> None:
    scope = Scope("turn", frozenset({"tools"}), 10.0)
    scope.check(9.9)
    with pytest.raises(Denied) as error:
        scope.check(10.0)
    assert error.value.reason == "SCOPE_EXPIRED"


WORDS = st.text(max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=4,
)


@given(st.dictionaries(WORDS, JSON, max_size=4))
def test_order_and_spaces_of_arguments_do_not_matter(arguments: dict[str, object]) -> None:
    turned = dict(reversed(arguments.items()))
    assert args_hash(json.dumps(arguments)) == args_hash(json.dumps(turned, indent=3, ensure_ascii=False))


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "1" * 5_000, "\ud800"])
def test_what_is_no_json_has_a_hash_too(text: str) -> None:
    assert args_hash(text) == args_hash(text) != args_hash("{}")


@given(st.text(st.characters(), max_size=50), st.integers(0, 3))
def test_what_is_shown_is_bounded_and_fit_for_any_store(text: str, times: int) -> None:
    text += "x" * (MAX_TEXT * times)
    result = shown(text)
    assert len(result) < MAX_TEXT + 100
    assert "\0" not in result
    assert result.encode().decode() == result
    assert ("cut" in result) == (len(text) > MAX_TEXT)


def test_a_cut_says_how_much_there_was() -> None:
    assert shown("x" * 30_000).endswith("x\n… cut, 30000 characters in all")
