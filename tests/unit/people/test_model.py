"""Who has which role, and pairing codes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.people.model import CODE_LENGTH, CODE_LETTERS, Identity, Role, Roster, code_hash, pairing_code

ROSTER = Roster(owners=frozenset({"7", "@ada"}), members=frozenset({"8", "@bob"}))


@pytest.mark.parametrize(
    ("identity", "granted", "expected"),
    [
        pytest.param(Identity("telegram", 7), Role.GUEST, Role.OWNER, id="owner by id"),
        pytest.param(Identity("telegram", 1, "Ada"), Role.GUEST, Role.OWNER, id="owner by name, any case"),
        pytest.param(Identity("telegram", 8), Role.GUEST, Role.MEMBER, id="allowed by id"),
        pytest.param(Identity("telegram", 2, "bob"), Role.GUEST, Role.MEMBER, id="allowed by name"),
        pytest.param(Identity("telegram", 3, "eve"), Role.GUEST, Role.GUEST, id="stranger"),
        pytest.param(Identity("telegram", 3, "eve"), Role.MEMBER, Role.MEMBER, id="paired"),
        pytest.param(Identity("telegram", 8), Role.OWNER, Role.OWNER, id="the list never takes away"),
        pytest.param(Identity("telegram", 9, ""), Role.GUEST, Role.GUEST, id="no name is no name"),
    ],
)
def test_role(identity: Identity, granted: Role, expected: Role) -> None:
    assert ROSTER.role(identity, granted) is expected


def test_nobody_is_let_in_by_an_empty_roster() -> None:
    assert Roster().role(Identity("telegram", 7, ""), Role.GUEST) is Role.GUEST


@given(st.text(min_size=1), st.text(min_size=1))
def test_code_is_a_function_of_the_request(one: str, other: str) -> None:
    code = pairing_code(b"secret", one)
    assert len(code) == CODE_LENGTH
    assert set(code) <= set(CODE_LETTERS)
    assert (code == pairing_code(b"secret", other)) == (one == other)
    assert code != pairing_code(b"another", one)


def test_a_code_may_be_typed_in_any_case_with_spaces_around() -> None:
    assert code_hash(" abcd2345 ") == code_hash("ABCD2345")
