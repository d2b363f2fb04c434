"""Tools and the sandbox: what runs, what fails, what waits."""

from common import calls, database, process
from grafana import Dashboard, Panel, Row, figure, quantile, quantiles, rate, rising

TOOLS = Row(
    "Tools",
    [
        figure("Running", "Tool calls that run now.", "sum(toolrunner_running{HERE})"),
        figure(
            "Waiting",
            "Tool calls that wait for a place; TOOLRUNNER_CALLS says how many there are.",
            "sum(toolrunner_waiting_calls{HERE})",
            steps=rising(1, 20),
        ),
        figure("Busy sandboxes", "Sandboxes that run code now.", "sum(toolrunner_busy_sandboxes{HERE})"),
        figure("Documents", "Documents that can be searched.", "max(toolrunner_documents{HERE})"),
        Panel(
            "Calls",
            "By tool and what came of it. execution: the tool failed inside, or took too long; validation: the model's"
            " arguments were wrong.",
            [rate("toolrunner_calls_total", "tool, outcome")],
            "cps",
            stacked=True,
        ),
        Panel(
            "Duration",
            "What nineteen calls in twenty take at most, by tool.",
            [(quantile(0.95, "toolrunner_call_seconds", "tool"), "{{tool}}")],
            "s",
        ),
        Panel(
            "Calls that came again",
            "joined: it still ran. replayed: the ledger had the result. unknown: nobody saw how it ended, and the"
            " person is told so. And calls that a dead process left behind.",
            [
                rate("toolrunner_repeats_total", "answer"),
                ("sum(increase(toolrunner_calls_left_behind_total{HERE}[$__rate_interval]))", "left behind"),
            ],
            "cps",
        ),
    ],
)

SANDBOX = Row(
    "The sandbox",
    [
        Panel(
            "Sandboxes",
            "How many run code; TOOLRUNNER_WORKERS says how many there may be in a replica.",
            [("toolrunner_busy_sandboxes{HERE}", "{{instance}}")],
        ),
        Panel(
            "Waiting for a sandbox",
            "How long code waited until one was free.",
            quantiles("toolrunner_sandbox_wait_seconds", 0.5, 0.95),
            "s",
            steps=rising(0.3, 1),
        ),
        Panel(
            "Broken sandboxes",
            "Sandboxes that code broke, or that had to be killed. They harm nobody else, and are replaced.",
            [("sum(increase(toolrunner_broken_sandboxes_total{HERE}[$__rate_interval]))", "broken")],
        ),
    ],
)

DASHBOARD = Dashboard(
    "toolrunner",
    "Valor / toolrunner",
    "Tools and the sandbox: what runs, what fails, what waits.",
    [TOOLS, SANDBOX, calls("toolrunner"), database("toolrunner"), process("toolrunner")],
    service="toolrunner",
)
