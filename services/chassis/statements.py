"""Our statements in PostgreSQL's words: `:name` becomes `$1`."""

import re
from functools import lru_cache

_PIECE = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|::|(?<![\w:]):(?P<name>[a-z_]\w*)", re.IGNORECASE)


@lru_cache(maxsize=1024)
def numbered(sql: str) -> tuple[bytes, tuple[str, ...]]:
    """The statement as PostgreSQL takes it, and its parameters in order; literals, quoted names and casts stay."""
    names: dict[str, str] = {}

    def replace(piece: re.Match[str]) -> str:
        name = piece["name"]
        return piece[0] if name is None else names.setdefault(name, f"${len(names) + 1}")

    return _PIECE.sub(replace, sql).encode(), tuple(names)
