"""Moves the cursors in the tables: over what the pipeline keeps, however much further was read.

So reading need not wait for one person's messages that the pipeline has no room for. What was read and is not kept lies
beyond its cursor, and the next life reads it again.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from itertools import takewhile
from typing import NamedTuple

from services.telegram.model import Cursor
from services.telegram.ports import Store

Done = asyncio.Future[None]


class _Piece(NamedTuple):
    end: Cursor
    open: Sequence[Done]


class Progress:
    """What was read of each box and lies beyond its cursor."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pieces: defaultdict[int, list[_Piece]] = defaultdict(list)

    async def note(self, box: int, end: Cursor, contents: Sequence[Done]) -> None:
        """A box was read up to `end`; `contents` are done when the pipeline keeps them. Moves all cursors that may."""
        pieces, still_open = self._pieces[box], [one for one in contents if not _is_kept(one)]
        if pieces and not still_open:
            pieces[-1] = _Piece(end, pieces[-1].open)
        else:
            pieces.append(_Piece(end, still_open))
        for number in sorted(self._pieces, reverse=True):  # the account's last: it passes what named a supergroup
            await self._move(number)

    async def _move(self, box: int) -> None:
        pieces = self._pieces[box]
        kept = list(takewhile(lambda piece: all(map(_is_kept, piece.open)), pieces))
        if kept:
            await self._store.advance(box, kept[-1].end)
            del pieces[: len(kept)]
        if not pieces:
            del self._pieces[box]


def _is_kept(one: Done) -> bool:
    return one.done() and not one.cancelled() and one.exception() is None
