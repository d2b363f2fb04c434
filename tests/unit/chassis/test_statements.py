"""Our statements in PostgreSQL's words."""

import pytest

from services.chassis.statements import numbered


@pytest.mark.parametrize(
    ("ours", "theirs", "names"),
    [
        ("SELECT 1", "SELECT 1", ()),
        ("WHERE id = :id AND n=:n", "WHERE id = $1 AND n=$2", ("id", "n")),
        ("VALUES (:a,:b)", "VALUES ($1,$2)", ("a", "b")),
        ("SET a = :a, c = :c WHERE b = :a", "SET a = $1, c = $2 WHERE b = $1", ("a", "c")),
        ("SELECT :id::text", "SELECT $1::text", ("id",)),
        ("SELECT '10:30'::time", "SELECT '10:30'::time", ()),
        ("SELECT ':no' || ':no it''s :no' || :yes", "SELECT ':no' || ':no it''s :no' || $1", ("yes",)),
        ('SELECT ":no" FROM t', 'SELECT ":no" FROM t', ()),
        ("WHERE a LIKE '50%' AND b % 2 = :odd", "WHERE a LIKE '50%' AND b % 2 = $1", ("odd",)),
        ("SELECT x[1:2]", "SELECT x[1:2]", ()),
        ("''':word'':*'", "''':word'':*'", ()),
    ],
)
def test_names_become_numbers_and_nothing_else_changes(ours: str, theirs: str, names: tuple[str, ...]) -> None:
    assert numbered(ours) == (theirs.encode(), names)
