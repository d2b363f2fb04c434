"""Amounts, windows, and whether one more call fits."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.pipeline import budget
from services.pipeline.budget import (
    OVERHEAD,
    Amount,
    Limit,
    Price,
    Refusal,
    Scope,
    Standing,
    Unit,
    Window,
    decide,
    likely_cost,
    parse,
)
from services.pipeline.budget_words import shown, spent_words, usage_words

DAY = Limit(Scope.PERSON, Window.DAY, Unit.USD, 100)
MONTH = Limit(Scope.TOTAL, Window.MONTH, Unit.TOKENS, 50)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("2 USD", (Unit.USD, 2_000_000)),
        ("0.5usd", (Unit.USD, 500_000)),
        ("0 USD", (Unit.USD, 0)),
        ("0.000001 USD", (Unit.USD, 1)),
        ("200000 tokens", (Unit.TOKENS, 200_000)),
        (" 7  Tokens ", (Unit.TOKENS, 7)),
        ("none", None),
        ("None ", None),
    ],
)
def test_amounts_are_read(text: str, amount: tuple[Unit, int] | None) -> None:
    assert parse(text) == amount


@pytest.mark.parametrize(
    "text", ["", "2", "USD", "2 EUR", "-1 USD", "1.5 tokens", "1e9 USD", "2 USD a day", "٣ USD", "∞"]
)
def test_what_is_no_amount_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="no amount such as `2 USD`, `200000 tokens` or `none`"):
        parse(text)


@pytest.mark.parametrize(
    ("now", "day", "month", "next_day", "next_month"),
    [
        ("2026-01-31T23:59:59", "2026-01-31", "2026-01-01", "2026-02-01", "2026-02-01"),
        ("2026-02-01T00:00:00", "2026-02-01", "2026-02-01", "2026-02-02", "2026-03-01"),
        ("2024-02-29T12:00:00", "2024-02-29", "2024-02-01", "2024-03-01", "2024-03-01"),
        ("2026-12-31T06:00:00", "2026-12-31", "2026-12-01", "2027-01-01", "2027-01-01"),
    ],
)
def test_windows_begin_at_midnight_utc(now: str, day: str, month: str, next_day: str, next_month: str) -> None:
    seconds = at(now)
    assert budget.day_of(seconds) == budget.first_day(Window.DAY, day) == day
    assert budget.first_day(Window.MONTH, day) == month
    assert budget.next_start(Window.DAY, seconds) == datetime.fromisoformat(next_day).replace(tzinfo=UTC)
    assert budget.next_start(Window.MONTH, seconds) == datetime.fromisoformat(next_month).replace(tzinfo=UTC)


CASES = [
    pytest.param([], None, id="no limits"),
    pytest.param([(DAY, 99, 0)], None, id="the last call may pass the limit"),
    pytest.param([(DAY, 100, 0)], (DAY, False), id="spent"),
    pytest.param([(DAY, 101, 0)], (DAY, False), id="more than spent"),
    pytest.param([(DAY, 50, 49)], None, id="another call is under way and leaves room"),
    pytest.param([(DAY, 50, 50)], (DAY, True), id="a call under way may take the rest"),
    pytest.param([(DAY, 0, 100), (MONTH, 50, 0)], (MONTH, False), id="spent is told before full"),
    pytest.param([(MONTH, 0, 49), (DAY, 0, 0)], None, id="every limit has room"),
]


@pytest.mark.parametrize(("standings", "refused"), CASES)
def test_a_call_begins_while_something_is_left_of_every_limit(
    standings: list[tuple[Limit, int, int]], refused: tuple[Limit, bool] | None
) -> None:
    made = [Standing(limit, Amount(used, used), Amount(held, held)) for limit, used, held in standings]
    refusal = decide(made)
    assert (refusal and (refusal.standing.limit, refusal.passing)) == refused


CALLS = st.lists(st.tuples(st.integers(1, 40), st.floats(0, 1), st.integers(0, 3)), max_size=60)


@given(CALLS, st.integers(0, 200))
def test_a_limit_is_passed_by_one_call_at_most_however_many_run_at_once(
    calls: list[tuple[int, float, int]], value: int
) -> None:
    """F101. Calls begin as they fit, cost at most what was reserved, and end in any order."""
    limit = Limit(Scope.TOTAL, Window.DAY, Unit.USD, value)
    settled, running, paid, largest = 0, list[tuple[int, int]](), 0, 0
    for reserve, share, ends in calls:
        standing = Standing(limit, Amount(cost=settled), Amount(cost=sum(held for held, _ in running)))
        refusal = decide([standing])
        assert (refusal is None) == (settled + sum(held for held, _ in running) < value)
        assert refusal is None or refusal.passing == (settled < value)
        if refusal is None:
            running.append((reserve, int(reserve * share)))
            largest = max(largest, reserve)
        for _ in range(min(ends, len(running))):
            _, cost = running.pop(0)
            settled, paid = settled + cost, paid + cost
    for _, cost in running:
        settled, paid = settled + cost, paid + cost
    assert settled == paid
    assert settled < value + largest or not settled


@given(st.integers(0, 10**6), st.integers(0, 10**8), st.integers(0, 10**8), st.integers(1, 10**5))
def test_what_is_reserved_grows_with_the_text_and_is_never_nothing(
    size: int, read: int, written: int, longest: int
) -> None:
    price = Price(read, written, longest)
    less, more = likely_cost(size, price), likely_cost(size + 2, price)
    assert more.tokens == less.tokens + 1 == OVERHEAD + size // 2 + longest + 1
    assert less.cost <= more.cost
    assert price.free or less.cost > 0


@given(st.lists(st.integers(0, 10**12), min_size=2, max_size=2).map(sorted))
def test_more_is_never_shown_as_less(amounts: list[int]) -> None:
    numbers = [float(shown(amount, Unit.USD).removeprefix("$").replace(",", "")) for amount in amounts]
    assert all(one <= another for one, another in pairwise(numbers))


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, Unit.USD, "$0.00"),
        (7, Unit.USD, "$0.000007"),
        (1_234, Unit.USD, "$0.001234"),
        (1_234_560_000, Unit.USD, "$1,234.56"),
        (1_234, Unit.TOKENS, "1,234 tokens"),
    ],
)
def test_amounts_are_shown_to_people(value: int, unit: Unit, text: str) -> None:
    assert shown(value, unit) == text


NOON = at("2026-07-03T12:00:00")


@pytest.mark.parametrize(
    ("limit", "used", "words"),
    [
        (
            Limit(Scope.PERSON, Window.DAY, Unit.USD, 2_000_000),
            2_010_000,
            "Your budget for today is spent: $2.01 of $2.00. It begins again on 4 July at 00:00 UTC.",
        ),
        (
            Limit(Scope.CHAT, Window.MONTH, Unit.TOKENS, 8),
            9,
            "The budget of this chat for this month is spent: 9 of 8 tokens. It begins again on 1 August at 00:00 UTC.",
        ),
        (
            Limit(Scope.TOTAL, Window.DAY, Unit.USD, 0),
            0,
            "My whole budget for today is spent: $0.00 of $0.00. It begins again on 4 July at 00:00 UTC.",
        ),
    ],
)
def test_who_has_nothing_left_is_told_what_is_spent_and_when_it_begins_again(
    limit: Limit, used: int, words: str
) -> None:
    refusal = Refusal(Standing(limit, Amount(used, used)), passing=False)
    assert spent_words(refusal.standing, NOON) == f"{words} /usage shows more."


def test_usage_shows_what_was_used_and_what_remains() -> None:
    used = [
        (Scope.PERSON, Window.DAY, Amount(1_200, 20_000)),
        (Scope.PERSON, Window.MONTH, Amount(9_000, 3_000_000)),
        (Scope.TOTAL, Window.MONTH, Amount(0, 0)),
    ]
    limits = [
        Limit(Scope.PERSON, Window.DAY, Unit.USD, 2_000_000),
        Limit(Scope.PERSON, Window.MONTH, Unit.TOKENS, 8_000),
        Limit(Scope.CHAT, Window.DAY, Unit.USD, 1),
    ]
    assert usage_words(used, limits, NOON).splitlines() == [
        "- You, today: 1,200 tokens, $0.02; $1.98 of $2.00 remain",
        "- You, this month: 9,000 tokens, $3.00; 0 of 8,000 tokens remain",
        "- Everybody, this month: 0 tokens, $0.00",
        "",
        "Days begin at 00:00 UTC, the next month on 1 August.",
    ]
