"""The house as monitor sees it: its score and each part, what scales it, and whether its alerts get out."""

from common import called, calls, process
from grafana import Dashboard, Panel, Row, falling, figure, rate, rising

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
        figure(
            "Alerts that fire",
            "Monitor's own, which reach people on a way that needs nothing of the rest of the house.",
            "max(count by (instance) (monitor_firing_alerts{HERE} == 1)) or vector(0)",
            steps=rising(1, 3),
        ),
        Panel(
            "Score over time",
            "As each replica of monitor measures it.",
            [("monitor_health_score{HERE}", "{{instance}}")],
            steps=falling(85, 50),
            most=100,
        ),
        Panel(
            "Parts",
            "The score of each part. What is low is what costs.",
            [("min by (check) (monitor_check_score{HERE})", "{{check}}")],
            steps=falling(85, 50),
            most=100,
        ),
    ],
)

PARTS = Row(
    "What it sees",
    [
        Panel(
            "Services that take calls",
            "1: at least one of its replicas does.",
            [("min by (target) (monitor_target_up{HERE})", "{{target}}")],
            "bool_yes_no",
            most=1,
        ),
        Panel(
            "Replicas",
            "Those that were found, and those of them that are well.",
            [
                ("max by (service) (monitor_replicas{HERE})", "{{service}}"),
                ("min by (service) (monitor_well_replicas{HERE})", "{{service}}, well"),
            ],
        ),
        Panel(
            "The queue",
            "As the pipeline told monitor: what waits, could begin, runs, has no receipt, and was given up.",
            [
                ("max(monitor_waiting_turns{HERE})", "waiting"),
                ("max(monitor_claimable_turns{HERE})", "claimable"),
                ("max(monitor_running_turns{HERE})", "running"),
                ("max(monitor_undelivered_parts{HERE})", "undelivered"),
                ("max(monitor_dead_letters{HERE})", "dead letters"),
            ],
        ),
        Panel(
            "What people wait for",
            "The ages of the oldest turn that could begin and of the oldest part without a receipt; the first word"
            " of the model; and how long the model's provider and Telegram still want a pause.",
            [
                ("max(monitor_oldest_waiting_seconds{HERE})", "oldest turn"),
                ("max(monitor_oldest_undelivered_seconds{HERE})", "oldest part"),
                ("max(monitor_first_text_seconds{HERE})", "first word"),
                ("max(monitor_model_limited_seconds{HERE})", "model's pause"),
                ("max(monitor_flood_wait_seconds{HERE})", "Telegram's pause"),
            ],
            "s",
        ),
        Panel(
            "Memory of processes",
            "By the services that run in them.",
            [("max by (process, address) (monitor_process_resident_bytes{HERE})", "{{process}} {{address}}")],
            "bytes",
            stacked=True,
        ),
        Panel(
            "Processor and sessions",
            "Cores that each process uses, and turns or calls that it has under way.",
            [
                ("max by (process, address) (monitor_process_cpu_cores{HERE})", "{{process}} {{address}} cores"),
                ("max by (process, address) (monitor_process_sessions{HERE})", "{{process}} {{address}} sessions"),
            ],
        ),
        Panel(
            "Memory ladder",
            "What each process ought to do about its memory, as monitor sees it, and what it does: 0 nothing, 1 clean,"
            " 2 take no new work, 3 end and be started anew.",
            [
                ("max by (process, address) (monitor_process_step{HERE})", "{{process}} {{address}}"),
                ("max(process_memory_step{HERE})", "monitor itself"),
            ],
            steps=rising(1, 2),
        ),
        Panel(
            "Memory that is left",
            "On the machine, or in monitor's container.",
            [("min by (instance) (monitor_memory_available_bytes{HERE})", "{{instance}}")],
            "bytes",
        ),
        called(),
    ],
)

SCALING = Row(
    "Scaling",
    [
        Panel(
            "Replicas that there ought to be",
            "What monitor tells the autoscaler, by service, beside those that there are.",
            [
                ("max by (service) (monitor_desired_replicas{HERE})", "{{service}} ought to"),
                ("max by (service) (monitor_replicas{HERE})", "{{service}} has"),
            ],
            width=12,
        ),
        Panel(
            "Held",
            "Services that more replicas would not help, and why: the model or Telegram is the limit.",
            [("max by (service, reason) (monitor_scale_held{HERE})", "{{service}} {{reason}}")],
            "bool_yes_no",
            width=12,
        ),
    ],
)

ALERTS = Row(
    "Monitor's own alerts",
    [
        Panel(
            "Which fire",
            "By name and severity.",
            [("max by (alert, severity) (monitor_firing_alerts{HERE})", "{{alert}} {{severity}}")],
            "bool_yes_no",
        ),
        Panel(
            "Messages",
            "What became of attempts to tell people, by channel.",
            [rate("monitor_alert_messages_total", "channel, outcome")],
            "cps",
        ),
        Panel(
            "Channels",
            "1: the last attempt worked. And what a channel has not taken yet.",
            [
                ("min by (channel) (monitor_alert_channel_up{HERE})", "{{channel}} works"),
                ("max by (channel) (monitor_pending_alert_messages{HERE})", "{{channel}} waits"),
            ],
        ),
    ],
)

DASHBOARD = Dashboard(
    "monitor",
    "Valor / monitor",
    "The house as monitor sees it: its score and each part, what scales it, and whether its alerts get out.",
    [HEALTH, PARTS, SCALING, ALERTS, calls("monitor"), process("monitor")],
    service="monitor",
)
