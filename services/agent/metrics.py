"""What operators see of the agent: how turns end, how soon people see a first word, what it costs."""

from prometheus_client import Counter, Gauge, Histogram

from services.agent.model import Usage

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


def count(model: str, usage: Usage) -> None:
    """Count what a response cost."""
    TOKENS.labels(model, "input").inc(usage.input_tokens)
    TOKENS.labels(model, "output").inc(usage.output_tokens)
    COST.labels(model).inc(usage.cost / 1e6)
