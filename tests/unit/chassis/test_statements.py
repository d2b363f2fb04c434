"""Our statements in psycopg's words."""

import pytest

from services.chassis.statements import for_psycopg


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("SELECT 1", "SELECT 1"),
        ("WHERE id = :id AND n=:n", "WHERE id = %(id)s AND n=%(n)s"),
        ("VALUES (:a,:b)", "VALUES (%(a)s,%(b)s)"),
        ("SELECT :id::text", "SELECT %(id)s::text"),
        ("SELECT '10:30'::time", "SELECT '10:30'::time"),
        ("SELECT ':no' || ':no it''s :no' || :yes", "SELECT ':no' || ':no it''s :no' || %(yes)s"),
        ('SELECT ":no" FROM t', 'SELECT ":no" FROM t'),
        ("WHERE a LIKE '50%' AND b % 2 = :odd", "WHERE a LIKE '50%%' AND b %% 2 = %(odd)s"),
        ("SELECT x[1:2]", "SELECT x[1:2]"),
        ("''':word'':*'", "''':word'':*'"),
    ],
)
def test_names_become_placeholders_and_nothing_else_changes(ours: str, theirs: str) -> None:
    assert for_psycopg(ours) == theirs
