"""What operators see of the agent: how turns end, how soon people see a first word, what it costs."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram

from services.agent.model import Usage
from services.chassis.errors import ValorError
from services.chassis.metrics import prepare

LIVE = Gauge("agent_live_turns", "Turns under way.")
TURNS = Counter("agent_turns", "Turns ended: answered, cancelled, or the reason of the failure.", ["outcome"])
FIRST_TEXT = Histogram(
    "agent_first_text_seconds",
    "From the start of a turn to the first word of the model.",
    buckets=(0.01, 0.03, 0.1, 0.3, 0.5, 1, 2, 3, 5, 10, 30, 100),
)
MODEL_CALLS = Counter(
    "agent_model_calls", "Model calls ended: ok, cancelled, or why they failed.", ["model", "outcome"]
)
MODEL_SECONDS = Histogram(
    "agent_model_seconds",
    "Duration of model calls, to the last word or the failure.",
    ["model"],
    buckets=(0.1, 0.3, 0.5, 1, 2, 3, 5, 10, 20, 30, 60, 100, 300),
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

LONGEST_PAUSE = 90.0
"""Seconds, whatever it says: the pipeline asks again after 60, so a limit that still holds has been heard of anew."""


class Limit:
    """Until when the model's provider takes no more requests, as this process heard."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._until = clock, 0.0

    def note(self, error: ValorError) -> None:
        """The model failed."""
        if error.reason in LIMITS:
            seconds = PAUSE if error.retry_after is None else error.retry_after
            self._until = max(self._until, self._clock() + min(seconds, LONGEST_PAUSE))

    def left(self) -> float:
        """Seconds."""
        return max(0.0, self._until - self._clock())


LIMIT = Limit()
MODEL_LIMITED.set_function(LIMIT.left)


OUTCOMES = (
    "ok",
    "cancelled",
    "model_rate_limited",
    "model_overloaded",
    "model_unreachable",
    "model_timeout",
    "model_refused_key",
    "model_no_credit",
    "model_unknown",
    "model_context_exceeded",
    "model_refused_request",
    "internal",
)
"""How a model call may end."""


def announce(model: str) -> None:
    """This process asks a model of this name."""
    prepare(MODEL_CALLS, (model,), OUTCOMES)
    prepare(TOKENS, (model,), ("input", "output"))
    prepare(COST, (model,))


_offered: set[str] = set()


def offer(tools: Iterable[str]) -> None:
    """The model may call these tools."""
    new = set(tools) - _offered
    if new:
        _offered.update(new)
        prepare(TOOL_CALLS, new, ("ok", "failed"))


@contextmanager
def model_call(model: str) -> Iterator[None]:
    """Measure a model call, and count how it ends."""
    outcome, began = "internal", time.perf_counter()
    try:
        yield
        outcome = "ok"
    except asyncio.CancelledError:
        outcome = "cancelled"
        raise
    except ValorError as error:
        outcome = error.reason.lower()
        raise
    finally:
        MODEL_CALLS.labels(model, outcome).inc()
        MODEL_SECONDS.labels(model).observe(time.perf_counter() - began)


def count(model: str, usage: Usage) -> None:
    """Count what a response cost."""
    TOKENS.labels(model, "input").inc(usage.input_tokens)
    TOKENS.labels(model, "output").inc(usage.output_tokens)
    COST.labels(model).inc(usage.cost / 1e6)


offer(["unknown"])
prepare(TURNS, ("answered", *OUTCOMES[1:]))
