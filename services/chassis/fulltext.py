"""Full text on both stores: FTS5 on SQLite, tsvector on PostgreSQL, found by the same words.

Words count without case and accents, and by their beginnings. PostgreSQL does not weigh a word by how rare it is, so
that there the shortest ones, which begin so many others, count as they stand.
"""

import unicodedata
from collections.abc import Iterable
from typing import Literal

PREFIX = 3
"""Letters of a word from which on PostgreSQL finds what begins with it."""


def _plain(letter: str) -> str:
    return "".join(mark for mark in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(mark))


_ACCENTED = [letter for letter in map(chr, range(0xC0, 0x250)) if letter.islower() and len(_plain(letter)) == 1]
_FROM = "".join(letter for letter in _ACCENTED if _plain(letter) != letter)
_TO = "".join(_plain(letter) for letter in _FROM)

WORDS_OF = (
    "CREATE FUNCTION words_of(text text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS"
    f" $$ SELECT to_tsvector('simple', translate(lower(left(text, 250000)), '{_FROM}', '{_TO}')) $$"
)
"""PostgreSQL's function that indexes rest on. What is longer is found by its beginning: a tsvector holds 1 MB."""


def any_of(words: Iterable[str], dialect: Literal["sqlite", "postgresql"]) -> str:
    """The search for texts with any of these words; each is a quoted beginning, never syntax."""
    if dialect == "sqlite":
        return " OR ".join(f'"{word}"*' for word in words)
    return " | ".join(f"'{_fold(word)}'{':*' if len(word) >= PREFIX else ''}" for word in words)


def _fold(word: str) -> str:
    return word.lower().translate(str.maketrans(_FROM, _TO))
