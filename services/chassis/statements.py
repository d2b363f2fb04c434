"""Our statements in psycopg's words: `:name` becomes `%(name)s`."""

import re
from functools import lru_cache

_PIECE = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|::|(?<![\w:]):(?P<name>[a-z_]\w*)|%", re.IGNORECASE)


@lru_cache(maxsize=1024)
def for_psycopg(sql: str) -> str:
    """The statement as psycopg takes it; literals, quoted names and casts stay, every `%` is doubled."""
    return _PIECE.sub(_replace, sql)


def _replace(piece: re.Match[str]) -> str:
    name = piece["name"]
    return piece[0].replace("%", "%%") if name is None else f"%({name})s"
