"""What every table has: the database, the clock, and the pace of people."""

import time
from collections.abc import Callable

from services.chassis.database import Database
from services.pipeline.gate import Pace, Room

ROOM = Room()


class Table:
    """A part of the store."""

    def __init__(
        self, database: Database, pace: Pace, clock: Callable[[], float] = time.time, room: Room = ROOM
    ) -> None:
        self._database, self._pace, self._clock, self._room = database, pace, clock, room
