"""What people are told of budgets. Pure functions."""

from collections.abc import Sequence

from services.pipeline.budget import Amount, Limit, Scope, Standing, Unit, Window, next_start
from services.pipeline.ports import Used


def shown(value: int, unit: Unit) -> str:
    """An amount for people; dollars and cents, and all digits where there is no whole cent."""
    if unit is Unit.TOKENS:
        return f"{value:,} tokens"
    digits = 2 if value >= 10_000 or not value else 6
    return f"${value / 1_000_000:,.{digits}f}"


def _of(value: int, limit: Limit) -> str:
    part = f"{value:,}" if limit.unit is Unit.TOKENS else shown(value, limit.unit)
    return f"{part} of {shown(limit.value, limit.unit)}"


WHOSE = {Scope.PERSON: "Your budget", Scope.CHAT: "The budget of this chat", Scope.TOTAL: "My whole budget"}
WHEN = {Window.DAY: "today", Window.MONTH: "this month"}


def spent_words(standing: Standing, now: float) -> str:
    """What a person is told whose call may not begin any more."""
    limit = standing.limit
    begins = next_start(limit.window, now)
    return (
        f"{WHOSE[limit.scope]} for {WHEN[limit.window]} is spent: {_of(standing.used, limit)}. "
        f"It begins again on {begins.day} {begins:%B} at 00:00 UTC. /usage shows more."
    )


def usage_words(used: Sequence[Used], limits: Sequence[Limit], now: float) -> str:
    """What /usage shows: a line a budget, and when the windows end."""
    lines = [_line(scope, window, amount, limits) for scope, window, amount in used]
    month = next_start(Window.MONTH, now)
    return "\n".join(lines) + f"\n\nDays begin at 00:00 UTC, the next month on {month.day} {month:%B}."


OF = {Scope.PERSON: "You", Scope.CHAT: "This chat", Scope.TOTAL: "Everybody"}


def _line(scope: Scope, window: Window, amount: Amount, limits: Sequence[Limit]) -> str:
    said = f"- {OF[scope]}, {WHEN[window]}: {shown(amount.tokens, Unit.TOKENS)}, {shown(amount.cost, Unit.USD)}"
    for limit in limits:
        if (limit.scope, limit.window) == (scope, window):
            left = max(0, limit.value - amount.of(limit.unit))
            said += f"; {_of(left, limit)} remain"
    return said
