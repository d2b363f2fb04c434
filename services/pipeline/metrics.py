"""What operators see of the pipeline; the oldest waiting message first."""

from prometheus_client import Counter, Gauge, Histogram

from services.chassis.metrics import prepare
from services.pipeline import failures
from services.pipeline.budget import Scope, Window
from services.pipeline.model import Disposition, Queue
from services.pipeline.outcome import Outcome, Receipt
from services.pipeline.promises import PromiseState

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
WAIT_SECONDS = Histogram(
    "pipeline_wait_seconds",
    "From the moment a turn could be worked on to the moment somebody did.",
    buckets=(0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300),
)
CAPACITY = Gauge("pipeline_capacity_turns", "Turns that this process runs at once at most.")
TAKEN_OVER = Counter("pipeline_taken_over_runs", "Runs of dead processes that this one let wait again.")
LEASES_LOST = Counter("pipeline_lost_leases", "Runs that this process had to leave because their lease was over.")
FOLLOWERS = Gauge("pipeline_followers", "Channels that take from this process what is to be sent.")
ENDED = Counter("pipeline_ended_runs", "Runs ended, by outcome.", ["outcome"])
FAILED_ATTEMPTS = Counter("pipeline_failed_attempts", "Attempts at the agent that failed, by reason.", ["reason"])
FAILED = Counter("pipeline_failed_turns", "Turns given up, by reason.", ["reason"])
BUDGET_USED = Gauge("pipeline_budget_used_ratio", "The part of the whole house's budget that is used.", ["window"])
BUDGET_REFUSED = Counter("pipeline_refused_calls", "Model calls that no budget was left for.", ["scope", "window"])
ANSWER_SECONDS = Histogram(
    "pipeline_answer_seconds",
    "From accepting a message to its written answer.",
    buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300),
)
DELIVERED = Counter("pipeline_delivered_parts", "Parts settled, by outcome.", ["outcome"])
PART_SECONDS = Histogram(
    "pipeline_part_seconds",
    "From writing a part to its receipt.",
    buckets=(0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300),
)
DELIVERY_SECONDS = Histogram(
    "pipeline_delivery_seconds",
    "From accepting a message to the last receipt of its answer, or of the word why there is none.",
    ["outcome"],
    buckets=(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 900),
)
"""One observation a message that asked for something: what is promised to people is counted here (docs/slo.md)."""
OVERHEAD_SECONDS = Histogram(
    "pipeline_overhead_seconds",
    "From the moment an answer could be worked on to its last receipt, without the time that the model took.",
    buckets=(0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30, 60, 300),
)
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


def count(receipt: Receipt) -> None:
    """Count the outcome of a part, and those of the turns that it ended."""
    DELIVERED.labels("undeliverable" if receipt.error else "received").inc()
    PART_SECONDS.observe(receipt.seconds)
    for settled in receipt.settled:
        DELIVERY_SECONDS.labels(settled.outcome).observe(settled.seconds)
        if settled.overhead is not None:
            OVERHEAD_SECONDS.observe(settled.overhead)


prepare(DELIVERY_SECONDS, Outcome)
prepare(DELIVERED, ("received", "undeliverable"))
prepare(SUBMITTED, Disposition)
prepare(ENDED, ("answered", "failed", "reworded", "denied", "lost", "handed_over"))
prepare(FAILED, (*failures.WORDS, "INTERNAL", "CRASH_LOOP"))
prepare(BUDGET_REFUSED, Scope, Window)
prepare(LETTERS_ENDED, ("replayed", "dropped"))
prepare(ENDED_PROMISES, PromiseState)
