"""The conversations: what waits, what runs, how it ends, what was given up."""

from common import called, calls, database, process
from grafana import Dashboard, Panel, Row, figure, quantiles, rate, rising

QUEUE = Row(
    "The queue",
    [
        figure(
            "Oldest that waits",
            "Age of the oldest turn that could be worked on: since its chat was free for it.",
            "max(pipeline_oldest_waiting_seconds{HERE})",
            unit="s",
            steps=rising(5, 30),
        ),
        figure(
            "Oldest without receipt",
            "Age of the oldest part that Telegram has not confirmed.",
            "max(pipeline_oldest_undelivered_seconds{HERE})",
            unit="s",
            steps=rising(30, 120),
        ),
        figure("Waiting", "Turns that wait, in the whole house.", "max(pipeline_waiting_turns{HERE})"),
        figure("Running", "Turns that run, in the whole house.", "max(pipeline_running_turns{HERE})"),
        figure(
            "Parts without receipt",
            "Parts that Telegram has not confirmed, in the whole house.",
            "max(pipeline_undelivered_parts{HERE})",
        ),
        figure(
            "Followed by",
            "Channels that take what is to be sent: one, whichever replica it has chosen. None: nothing is sent.",
            "sum(pipeline_followers{HERE})",
            steps=((None, "red"), (1, "green")),
        ),
        Panel(
            "Turns",
            "How many wait, and how many of them could begin: of each chat and topic in which nothing runs the first.",
            [
                ("max(pipeline_waiting_turns{HERE})", "waiting"),
                ("max(pipeline_claimable_turns{HERE})", "claimable"),
                ("max(pipeline_running_turns{HERE})", "running"),
            ],
        ),
        Panel(
            "Until somebody works on it",
            "From the moment a turn could be worked on to the moment that somebody did.",
            quantiles("pipeline_wait_seconds", 0.5, 0.95, 0.99),
            "s",
            steps=rising(1, 5),
        ),
        Panel(
            "Messages",
            "What comes in, by what becomes of it.",
            [rate("pipeline_submitted_messages_total", "disposition")],
            "cps",
            stacked=True,
        ),
    ],
)

RUNS = Row(
    "Runs",
    [
        Panel(
            "Runs that each replica holds",
            "By their leases. A replica without any, while others have many, claims nothing.",
            [("pipeline_live_turns{HERE}", "{{instance}}")],
        ),
        Panel(
            "How runs end",
            "answered and failed are ends; reworded, lost and handed_over are taken up again.",
            [rate("pipeline_ended_runs_total", "outcome")],
            "cps",
            stacked=True,
        ),
        Panel(
            "Leases",
            "Runs taken over from dead processes, and runs that a replica had to leave because it was too slow.",
            [
                ("sum(increase(pipeline_taken_over_runs_total{HERE}[$__rate_interval]))", "taken over"),
                ("sum(increase(pipeline_lost_leases_total{HERE}[$__rate_interval]))", "lost"),
            ],
        ),
        Panel(
            "Attempts that failed",
            "Attempts at the agent, by reason. MODEL_… are the model's and use up a turn's attempts; all others are"
            " tried again until the turn's time is over.",
            [rate("pipeline_failed_attempts_total", "reason")],
            "cps",
        ),
        Panel(
            "To the written answer",
            "From accepting a message to its written answer, not yet sent.",
            quantiles("pipeline_answer_seconds", 0.5, 0.95),
            "s",
        ),
        Panel(
            "Turns given up",
            "By reason; the writer was told.",
            [rate("pipeline_failed_turns_total", "reason")],
            "cps",
        ),
    ],
)

DELIVERY = Row(
    "Delivery",
    [
        Panel(
            "How messages end",
            "By what their writers know: answered, told why not, unheard, unwanted (they blocked us), replayed.",
            [rate("pipeline_delivery_seconds_count", "outcome")],
            "cps",
            stacked=True,
        ),
        Panel(
            "From message to receipt",
            "The whole way of answers, the model's time included.",
            quantiles("pipeline_delivery_seconds", 0.5, 0.95, 0.99, where=', outcome="answered"'),
            "s",
        ),
        Panel(
            "From writing a part to its receipt",
            "What sending takes: Telegram's time, its flood waits, and our own queue.",
            quantiles("pipeline_part_seconds", 0.5, 0.95, 0.99),
            "s",
            steps=rising(2, 10),
        ),
        Panel(
            "Parts",
            "By outcome. Undeliverable: Telegram refused for good.",
            [rate("pipeline_delivered_parts_total", "outcome")],
            "cps",
        ),
        Panel(
            "Dead letters",
            "Those that nobody dealt with; those that were dropped, ever; replays and drops of operators just now.",
            [
                ("max(pipeline_dead_letters{HERE})", "open"),
                ("max(pipeline_dropped_letters{HERE})", "dropped"),
                (
                    "sum by (outcome) (increase(pipeline_ended_letters_total{HERE}[$__rate_interval]))",
                    "{{outcome}} now",
                ),
            ],
        ),
        called(),
    ],
)

LATER = Row(
    "Promises and budgets",
    [
        Panel(
            "Promises",
            "Those that wait for their time or for another promise.",
            [("max(pipeline_waiting_promises{HERE})", "waiting")],
        ),
        Panel(
            "Oldest promise that is due",
            "Since when it is due and has not begun.",
            [("max(pipeline_oldest_due_promise_seconds{HERE})", "due")],
            "s",
            steps=rising(10, 60),
        ),
        Panel(
            "Promises that ended",
            "Runs of promises, by outcome.",
            [rate("pipeline_ended_promises_total", "outcome")],
            "cps",
        ),
        Panel(
            "The house's budget",
            "The part of it that is used, of the day and of the month.",
            [("max by (window) (pipeline_budget_used_ratio{HERE})", "{{window}}")],
            "percentunit",
            steps=rising(0.8, 1),
        ),
        Panel(
            "Refused for budget",
            "Model calls that no budget was left for, by whose budget it was.",
            [rate("pipeline_refused_calls_total", "scope, window")],
            "cps",
        ),
        Panel(
            "Room for turns",
            "The part of it that is taken, by replica.",
            [("pipeline_live_turns{HERE} / pipeline_capacity_turns{HERE}", "{{instance}}")],
            "percentunit",
            steps=rising(0.7, 0.9),
        ),
    ],
)

DASHBOARD = Dashboard(
    "pipeline",
    "Valor / pipeline",
    "The conversations: what waits, what runs, how it ends, what was given up.",
    [QUEUE, RUNS, DELIVERY, LATER, calls("pipeline"), database("pipeline"), process("pipeline")],
    service="pipeline",
)
