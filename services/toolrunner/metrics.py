"""What toolrunner counts."""

from prometheus_client import Counter, Gauge, Histogram

from services.chassis.metrics import prepare

CALLS = Counter("toolrunner_calls", "Tool calls that ran, by what came of them.", ["tool", "outcome"])
SECONDS = Histogram(
    "toolrunner_call_seconds",
    "How long tools ran.",
    ["tool"],
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100),
)
RUNNING = Gauge("toolrunner_running", "Tool calls that run now.")
WAITING = Gauge("toolrunner_waiting_calls", "Tool calls that wait for one of the places that there are at once.")
REPEATS = Counter(
    "toolrunner_repeats", "Repeated calls, by answer: joined a running one, replayed, or unknown.", ["answer"]
)
LEFT_BEHIND = Counter("toolrunner_calls_left_behind", "Calls of a process that died, found at a start.")
SANDBOXES = Gauge("toolrunner_busy_sandboxes", "Sandboxes that run code now.")
SANDBOX_WAIT = Histogram(
    "toolrunner_sandbox_wait_seconds",
    "How long code waited for a sandbox.",
    buckets=(0.001, 0.01, 0.1, 0.3, 1, 3, 10),
)
BROKEN_SANDBOXES = Counter("toolrunner_broken_sandboxes", "Sandboxes that code broke, or that had to be killed.")
DOCUMENTS = Gauge("toolrunner_documents", "Documents that can be searched.")

prepare(REPEATS, ("joined", "replayed", "unknown"))
