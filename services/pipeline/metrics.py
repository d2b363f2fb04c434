"""What operators see of the pipeline; the oldest waiting message first."""

from prometheus_client import Counter, Gauge, Histogram

from services.pipeline.model import Queue

OLDEST_WAITING = Gauge("pipeline_oldest_waiting_seconds", "Age of the oldest turn that could be worked on.")
WAITING = Gauge("pipeline_waiting_turns", "Turns that wait.")
CLAIMABLE = Gauge("pipeline_claimable_turns", "Turns that could be worked on, one a lane at most.")
RUNNING = Gauge("pipeline_running_turns", "Turns that run.")
LIVE = Gauge("pipeline_live_turns", "Those of them that this process runs.")
UNDELIVERED = Gauge("pipeline_undelivered_parts", "Parts without a receipt.")
OLDEST_UNDELIVERED = Gauge("pipeline_oldest_undelivered_seconds", "Age of the oldest part without a receipt.")
DEAD = Gauge("pipeline_dead_letters", "Turns, parts and updates that were given up and that nobody dealt with.")
DROPPED = Gauge("pipeline_dropped_letters", "Dead letters that were dropped, ever.")
LETTERS_ENDED = Counter("pipeline_ended_letters", "Replays and drops that operators asked for.", ["outcome"])
SUBMITTED = Counter("pipeline_submitted_messages", "Messages submitted, by what became of them.", ["disposition"])
ENDED = Counter("pipeline_ended_runs", "Runs ended, by outcome.", ["outcome"])
FAILED = Counter("pipeline_failed_turns", "Turns given up, by reason.", ["reason"])
BUDGET_REFUSED = Counter("pipeline_refused_calls", "Model calls that no budget was left for.", ["scope", "window"])
ANSWER_SECONDS = Histogram(
    "pipeline_answer_seconds",
    "From accepting a message to its written answer.",
    buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300),
)
DELIVERED = Counter("pipeline_delivered_parts", "Parts settled, by outcome.", ["outcome"])
WAITING_PROMISES = Gauge("pipeline_waiting_promises", "Promises that wait for their time or for another promise.")
OLDEST_DUE_PROMISE = Gauge("pipeline_oldest_due_promise_seconds", "Since when the oldest promise is due that waits.")
ENDED_PROMISES = Counter("pipeline_ended_promises", "Runs of promises ended, by outcome.", ["outcome"])


def show(queue: Queue) -> None:
    """Show how much waits in the whole house."""
    OLDEST_WAITING.set(queue.oldest_waiting)
    WAITING.set(queue.waiting)
    CLAIMABLE.set(queue.claimable)
    RUNNING.set(queue.running)
    UNDELIVERED.set(queue.undelivered)
    OLDEST_UNDELIVERED.set(queue.oldest_undelivered)
    DEAD.set(queue.dead)
    DROPPED.set(queue.dropped)
