"""Tool calls in plain words: who may call, what came of a call, and what a repeat of it means."""

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from services.chassis.errors import Denied, InvalidArgument, WrongState

MAX_TEXT = 20_000
"""Characters of a result that the model is shown: about 5,000 tokens, more than a turn can bear twice."""


class Category(StrEnum):
    """Why a tool gave no result."""

    CONFIGURATION = "configuration"
    VALIDATION = "validation"
    EXECUTION = "execution"
    INTEGRATION = "integration"
    OUTCOME_UNKNOWN = "outcome_unknown"


class State(StrEnum):
    """What the ledger knows of a call."""

    STARTED = "started"
    ENDED = "ended"
    UNKNOWN = "unknown"
    """It was started, and nobody saw its end."""


class ToolFailed(Exception):
    """A tool gives no result. The message is for the model: plain, without internals."""

    def __init__(self, category: Category, message: str) -> None:
        super().__init__(message)
        self.category, self.message = category, message


@dataclass(frozen=True)
class Outcome:
    """What the model is told: a result, or with a category why there is none."""

    text: str
    category: Category | None = None


LOST = Outcome(
    "This call was started before, and nobody saw its end. It may have acted. It is not run again.",
    Category.OUTCOME_UNKNOWN,
)

ELSEWHERE = Outcome("Another process runs this call right now.")


@dataclass(frozen=True)
class Scope:
    """For which turn and with which rights somebody calls; taken from bytes that the pipeline signed."""

    turn_id: str
    rights: frozenset[str]
    expires: float

    def check(self, now: float) -> None:
        """Refuse a scope whose turn is over.

        Raises:
            Denied: It has expired (SCOPE_EXPIRED).
        """
        if self.expires <= now:
            raise Denied("The scope of this turn has expired.", reason="SCOPE_EXPIRED")

    def demand(self, right: str) -> None:
        """Refuse what is not allowed by name.

        Raises:
            Denied: The scope lacks the right (RIGHT_MISSING).
        """
        if right not in self.rights:
            raise Denied(f"This needs the right {right!r}, which the scope does not give.", reason="RIGHT_MISSING")


@dataclass(frozen=True)
class Key:
    """The name of a call: which of the calls of which model step of a turn it is."""

    turn_id: str
    step: int
    index: int

    def __post_init__(self) -> None:
        if not self.turn_id:
            raise InvalidArgument("The scope names no turn.", field="scope.turn_id")
        for name, number in (("step", self.step), ("index", self.index)):
            if number < 0:
                raise InvalidArgument(f"{name} is negative.", field=name)


@dataclass(frozen=True)
class Call:
    """What is asked for. Two calls under one key must be equal."""

    key: Key
    tool: str
    args_hash: str

    def demand_same(self, tool: str, args_hash: str) -> None:
        """Refuse another call under the same key.

        Raises:
            WrongState: It is another one (CALL_DIFFERS).
        """
        if (self.tool, self.args_hash) != (tool, args_hash):
            raise WrongState("Another call was made under this turn, step and index.", reason="CALL_DIFFERS")


@dataclass(frozen=True)
class Record:
    """A call as the ledger has it. Times are epoch seconds; `end_time` is None until it ended."""

    row_id: int
    call: Call
    side_effects: bool
    state: State
    outcome: Outcome
    start_time: float
    end_time: float | None


@dataclass(frozen=True)
class Ran:
    """What a piece of Python did: its printed output, and the last expression's value or the error."""

    printed: str = ""
    value: str = ""
    error: str = ""


@dataclass(frozen=True)
class Passage:
    """A place in a document where something was found."""

    document: str
    section: str
    snippet: str


def answer(record: Record, call: Call) -> Outcome | None:
    """What a repeat of a recorded call that nobody runs now is told; None: run it.

    Raises:
        WrongState: The repeat is another call.
    """
    record.call.demand_same(call.tool, call.args_hash)
    if record.state is State.ENDED:
        return record.outcome
    return LOST if record.side_effects else None


def args_hash(arguments: str) -> str:
    """The same for arguments that differ in order and spaces alone; what is no JSON counts as it stands."""
    with suppress(ValueError, RecursionError):  # the tool's schema refuses it in the next step
        arguments = json.dumps(json.loads(arguments), sort_keys=True)
    return hashlib.sha256(arguments.encode(errors="replace")).hexdigest()


def shown(text: str) -> str:
    """A tool's text as the model gets it: bounded, and fit for any store (no NUL, no half characters)."""
    clean = text[:MAX_TEXT].encode(errors="replace").decode().replace("\0", "\ufffd")
    return clean if len(text) <= MAX_TEXT else f"{clean}\n… cut, {len(text)} characters in all"
