"""The house as monitor sees it: its score, and each part."""

from common import called, calls, process
from grafana import Dashboard, Panel, Row, falling, figure

HEALTH = Row(
    "Health",
    [
        figure(
            "Score",
            "0 to 100, by the table in services/monitor/score.py: what is broken costs its points.",
            "min(monitor_health_score{HERE})",
            steps=falling(85, 50),
            most=100,
        ),
        Panel(
            "Score over time",
            "As each replica of monitor measures it.",
            [("monitor_health_score{HERE}", "{{instance}}")],
            steps=falling(85, 50),
            most=100,
            width=10,
        ),
        Panel(
            "Parts",
            "The score of each part. What is low is what costs.",
            [("min by (check) (monitor_check_score{HERE})", "{{check}}")],
            steps=falling(85, 50),
            most=100,
            width=10,
        ),
    ],
)

PARTS = Row(
    "What it sees",
    [
        Panel(
            "Services that take calls",
            "1: it does.",
            [("min by (target) (monitor_target_up{HERE})", "{{target}}")],
            "bool_yes_no",
            most=1,
        ),
        Panel(
            "The queue",
            "As the pipeline told monitor: what waits, runs and has no receipt, and what was given up.",
            [
                ("max(monitor_waiting_turns{HERE})", "waiting"),
                ("max(monitor_running_turns{HERE})", "running"),
                ("max(monitor_undelivered_parts{HERE})", "undelivered"),
                ("max(monitor_dead_letters{HERE})", "dead letters"),
            ],
        ),
        Panel(
            "Oldest that waits",
            "The age that the autoscaler follows.",
            [("max(monitor_oldest_waiting_seconds{HERE})", "oldest")],
            "s",
        ),
        Panel(
            "Memory that is left",
            "On the machine, or in the container.",
            [("min by (instance) (monitor_memory_available_bytes{HERE})", "{{instance}}")],
            "bytes",
        ),
        Panel(
            "Memory of processes",
            "By the services that run in them.",
            [("max by (process) (monitor_process_resident_bytes{HERE})", "{{process}}")],
            "bytes",
            stacked=True,
        ),
        called(),
    ],
)

DASHBOARD = Dashboard(
    "monitor",
    "Valor / monitor",
    "The house as monitor sees it: its score, and each part.",
    [HEALTH, PARTS, calls("monitor"), process("monitor")],
    service="monitor",
)
