"""How messages end for those who wrote them, and what was done for one. No I/O."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What a person knows at the end."""

    ANSWERED = "answered"
    TOLD = "told"
    # There is no answer, and nobody could tell why.
    UNHEARD = "unheard"
    # The same, because they blocked us, or left.
    UNWANTED = "unwanted"
    # What an operator let try again ended well; the first end was counted.
    REPLAYED = "replayed"


class LetterKind(StrEnum):
    """What was given up: a question, parts of an answer, an update of a channel."""

    TURN = "turn"
    PARTS = "parts"
    UPDATE = "update"


@dataclass(frozen=True, slots=True)
class Settled:
    """A turn of whose answer nothing is on its way any more: what came of it, and after how many seconds."""

    outcome: Outcome
    seconds: float
    """Since it was accepted."""
    overhead: float | None = None
    """Since it could be worked on, without those that the model took; None where nobody knows."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The outcome of a part, and what ended with it."""

    error: str
    seconds: float
    """Since the part was written."""
    settled: tuple[Settled, ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """What was done for a question: the turn that answers it, and the trace through everything that took part."""

    turn_id: int
    accept_time: float
    trace_id: str
    """Empty: the turn is of an earlier version, which kept none."""
