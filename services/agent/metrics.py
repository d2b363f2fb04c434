"""What operators see of the agent: how turns end, how soon people see a first word, what it costs."""

import time
from collections.abc import Callable

from prometheus_client import Counter, Gauge, Histogram

from services.agent.model import Usage
from services.chassis.errors import ValorError

LIVE = Gauge("agent_live_turns", "Turns under way.")
TURNS = Counter("agent_turns", "Turns ended: answered, cancelled, or the reason of the failure.", ["outcome"])
FIRST_TEXT = Histogram(
    "agent_first_text_seconds",
    "From the start of a turn to the first word of the model.",
    buckets=(0.01, 0.03, 0.1, 0.3, 0.5, 1, 2, 3, 5, 10, 30, 100),
)
TOKENS = Counter("agent_tokens", "Tokens that models read and wrote.", ["model", "direction"])
COST = Counter("agent_cost_dollars", "What models were paid, US dollars.", ["model"])
TOOL_CALLS = Counter("agent_tool_calls", "Tool calls by name and outcome.", ["name", "outcome"])
MODEL_LIMITED = Gauge(
    "agent_model_limited_seconds", "How long the model's provider still takes no more requests; 0: it does."
)

LIMITS = {"MODEL_RATE_LIMITED", "MODEL_OVERLOADED"}
"""Failures by which a provider says that it takes no more for now."""

PAUSE = 30.0
"""Seconds, where it does not say for how long."""


class Limit:
    """Until when the model's provider takes no more requests, as this process heard."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._until = clock, 0.0

    def note(self, error: ValorError) -> None:
        """The model failed."""
        if error.reason in LIMITS:
            seconds = PAUSE if error.retry_after is None else error.retry_after
            self._until = max(self._until, self._clock() + seconds)

    def left(self) -> float:
        """Seconds."""
        return max(0.0, self._until - self._clock())


LIMIT = Limit()
MODEL_LIMITED.set_function(LIMIT.left)


def count(model: str, usage: Usage) -> None:
    """Count what a response cost."""
    TOKENS.labels(model, "input").inc(usage.input_tokens)
    TOKENS.labels(model, "output").inc(usage.output_tokens)
    COST.labels(model).inc(usage.cost / 1e6)
