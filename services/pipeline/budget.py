"""Budgets: amounts, the days and months they are for, and whether one more model call fits. Pure functions.

A call is paid in three steps: its likely cost is reserved, it runs, and what it cost is settled. A call is let begin
while what was settled and what is reserved lie below every limit, so that a limit is passed by one call at most.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum


class Scope(StrEnum):
    """Whose budget it is: a person's, a chat's, or everybody's together."""

    PERSON = "person"
    CHAT = "chat"
    TOTAL = "total"


class Window(StrEnum):
    """What a budget is for; both begin at midnight UTC."""

    DAY = "day"
    MONTH = "month"


class Unit(StrEnum):
    """What a limit counts. Money is kept in millionths of a US dollar."""

    USD = "USD"
    TOKENS = "tokens"


@dataclass(frozen=True, slots=True)
class Amount:
    """Tokens, and what they cost in millionths of a US dollar."""

    tokens: int = 0
    cost: int = 0

    def of(self, unit: Unit) -> int:
        """This much of one unit."""
        return self.tokens if unit is Unit.TOKENS else self.cost


@dataclass(frozen=True, slots=True)
class Limit:
    """What may be used in a window by one person, in one chat, or by all."""

    scope: Scope
    window: Window
    unit: Unit
    value: int


@dataclass(frozen=True, slots=True)
class Price:
    """What the model costs: millionths of a US dollar for a million tokens, and tokens of one response at most."""

    input: int = 0
    output: int = 0
    longest: int = 0

    @property
    def free(self) -> bool:
        """The model costs nothing."""
        return not (self.input or self.output)


@dataclass(frozen=True, slots=True)
class Need:
    """A model call that is about to be made: its likely cost, and the limits that hold for it."""

    call: Amount
    limits: tuple[Limit, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """How much of a limit is settled, and how much reserved by calls under way."""

    limit: Limit
    settled: Amount
    reserved: Amount = Amount()

    @property
    def used(self) -> int:
        """What is settled, in the limit's unit."""
        return self.settled.of(self.limit.unit)

    @property
    def spent(self) -> bool:
        """Nothing is left."""
        return self.used >= self.limit.value

    @property
    def full(self) -> bool:
        """Nothing is left until a call under way is settled."""
        return self.used + self.reserved.of(self.limit.unit) >= self.limit.value


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call may not begin. `passing`: it may when a call under way has ended, else in the next window."""

    standing: Standing
    passing: bool


def decide(standings: Iterable[Standing]) -> Refusal | None:
    """Whether one more call may begin; a limit that is spent is told before one that is only full."""
    full = [standing for standing in standings if standing.full]
    spent = next((standing for standing in full if standing.spent), None)
    if spent is not None:
        return Refusal(spent, passing=False)
    return Refusal(full[0], passing=True) if full else None


BYTES_A_TOKEN = 2
"""Text has three or four bytes a token in most languages, and hardly ever less than two."""

OVERHEAD = 3_000
"""Tokens that the persona and the tools' descriptions take."""


def likely_cost(size: int, price: Price) -> Amount:
    """What a call costs that is told `size` bytes and answers at full length."""
    read, written = OVERHEAD + size // BYTES_A_TOKEN, price.longest
    return Amount(read + written, -(-(read * price.input + written * price.output) // 1_000_000))


def first_day(window: Window, day: str) -> str:
    """The first day of the window that a day lies in; days are written 2026-01-31."""
    return day if window is Window.DAY else f"{day[:7]}-01"


def day_of(now: float) -> str:
    """The day of epoch seconds, in UTC."""
    return datetime.fromtimestamp(now, UTC).date().isoformat()


def next_start(window: Window, now: float) -> datetime:
    """When the next window begins."""
    midnight = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if window is Window.DAY:
        return midnight + timedelta(days=1)
    return (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)


AMOUNT = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*(USD|tokens)", re.ASCII | re.IGNORECASE)
NONE = "none"


def parse(text: str) -> tuple[Unit, int] | None:
    """An amount as settings have it: `2 USD`, `200000 tokens`; `none` is None.

    Raises:
        ValueError: It is nothing of these; the sentence says so.
    """
    if text.strip().lower() == NONE:
        return None
    match = AMOUNT.fullmatch(text.strip())
    if match is None or (match[2].lower() == "tokens" and "." in match[1]):
        raise ValueError(f"{text!r} is no amount such as `2 USD`, `200000 tokens` or `{NONE}`")
    unit = Unit.TOKENS if match[2].lower() == "tokens" else Unit.USD
    return unit, int(match[1]) if unit is Unit.TOKENS else round(float(match[1]) * 1_000_000)
