"""What every table has: the database, the clock, and the pace of people."""

import time
from collections.abc import Callable

from services.chassis.database import Database
from services.pipeline.gate import Pace, Room

ROOM = Room()

LEASE = 8.0
"""Seconds after the last sign of life of a process until its turns are handed over."""


class Table:
    """A part of the store."""

    def __init__(
        self,
        database: Database,
        pace: Pace,
        clock: Callable[[], float] = time.time,
        *,
        room: Room = ROOM,
        lease: float = LEASE,
    ) -> None:
        self._database, self._pace, self._clock = database, pace, clock
        self._room, self._lease = room, lease
