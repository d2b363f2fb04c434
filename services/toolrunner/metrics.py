"""What toolrunner counts."""

from prometheus_client import Counter, Gauge, Histogram

CALLS = Counter("toolrunner_calls", "Tool calls that ran, by what came of them.", ["tool", "outcome"])
SECONDS = Histogram(
    "toolrunner_call_seconds",
    "How long tools ran.",
    ["tool"],
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100),
)
RUNNING = Gauge("toolrunner_running", "Tool calls that run now.")
REPEATS = Counter(
    "toolrunner_repeats", "Repeated calls, by answer: joined a running one, replayed, or unknown.", ["answer"]
)
