"""The same words on both stores."""

import pytest

from services.chassis.fulltext import any_of


@pytest.mark.parametrize(
    ("words", "sqlite", "postgresql"),
    [
        ([], "", ""),
        (["deploy"], '"deploy"*', "'deploy':*"),
        (["Café", "Łódź"], '"Café"* OR "Łódź"*', "'cafe':* | 'łodz':*"),
        (["and", "or"], '"and"* OR "or"*', "'and':* | 'or'"),
    ],
)
def test_words_become_a_search(words: list[str], sqlite: str, postgresql: str) -> None:
    assert any_of(words, "sqlite") == sqlite
    assert any_of(words, "postgresql") == postgresql
