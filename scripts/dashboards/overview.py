"""The first page: are people served, and if not, where does it stop?"""

from common import SERVICE
from grafana import RANGE, RATE, Dashboard, Panel, Row, exactly, falling, figure, quantile, quantiles, rate, rising

HEARD = 'pipeline_delivery_seconds_bucket{HERE, outcome=~"answered|told", le="900.0"}'
ENDED = 'pipeline_delivery_seconds_count{HERE, outcome=~"answered|told|unheard"}'
QUICK = 'pipeline_overhead_seconds_bucket{HERE, le="2.0"}'
OVERHEAD = "pipeline_overhead_seconds"
LATE_LOOPS = quantile(0.99, "valor_event_loop_delay_seconds", "namespace, instance")
NAMESPACE = 'namespace=~"$namespace"'

PROMISES = Row(
    "What is promised to people (docs/slo.md)",
    [
        figure(
            "Answered, or told why",
            "The part of all messages whose writer got an answer, or a word why there is none, within 15 minutes."
            " Promised: 99.9 %.",
            f"sum(increase({HEARD}[{RANGE}])) / sum(increase({ENDED}[{RANGE}]))",
            unit="percentunit",
            steps=falling(0.9995, 0.999),
            decimals=2,
        ),
        figure(
            "Within 2 s beyond the model",
            "The part of all answers that came within 2 seconds of the house's own time: without what the model took."
            " Promised: 99 %.",
            f"sum(increase({QUICK}[{RANGE}])) / sum(increase({OVERHEAD}_count{{HERE}}[{RANGE}]))",
            unit="percentunit",
            steps=falling(0.995, 0.99),
            decimals=2,
        ),
        figure(
            "Budget burns: unheard",
            "How fast the error budget of the first promise is used, over the last hour. 1: all of it would be gone"
            " after 30 days; 14.4: after two days, which wakes somebody.",
            f"max(valor:unheard:ratio_rate1h{{{NAMESPACE}}}) / 0.001",
            steps=rising(1, 14.4),
            decimals=1,
        ),
        figure(
            "Budget burns: slow",
            "The same for the second promise.",
            f"max(valor:slow:ratio_rate1h{{{NAMESPACE}}}) / 0.01",
            steps=rising(1, 14.4),
            decimals=1,
        ),
        figure(
            "Alerts",
            "How many alerts of Valor fire now.",
            f'count(ALERTS{{{NAMESPACE}, alertstate="firing", alertname=~"Valor.+"}}) or vector(0)',
            steps=rising(1, 3),
        ),
        figure(
            "Health",
            "The house's own score, 0 to 100, measured by monitor.",
            "min(monitor_health_score{HERE})",
            steps=falling(85, 50),
        ),
    ],
)

WAITING = Row(
    "Are people waiting?",
    [
        figure(
            "Not taken in",
            "Age of the oldest message that was read from Telegram and that the pipeline does not keep yet.",
            "max(telegram_oldest_unsubmitted_seconds{HERE})",
            unit="s",
            steps=rising(10, 60),
        ),
        figure(
            "Not begun",
            "Age of the oldest turn that could be worked on, and is not.",
            "max(pipeline_oldest_waiting_seconds{HERE})",
            unit="s",
            steps=rising(5, 30),
        ),
        figure(
            "Not delivered",
            "Age of the oldest part of an answer that has no receipt from Telegram.",
            "max(pipeline_oldest_undelivered_seconds{HERE})",
            unit="s",
            steps=rising(30, 120),
        ),
        figure(
            "Owner",
            "How many processes speak for the account and are logged in. It has to be exactly one.",
            "sum(telegram_owner{HERE} * telegram_connected{HERE}) or vector(0)",
            steps=exactly(1),
        ),
        figure(
            "Telegram was read",
            "Since when the account was not read to its end. It is read every 45 s, even when nothing happens.",
            "time() - max(telegram_verified_timestamp_seconds{HERE})",
            unit="s",
            steps=rising(90, 150),
        ),
        figure(
            "Dead letters",
            "What was given up and nobody dealt with yet: `valor dead list`.",
            "max(pipeline_dead_letters{HERE})",
            steps=rising(1, 10),
        ),
    ],
)

TIMES = Row(
    "How long it takes",
    [
        Panel(
            "From message to receipt",
            "From accepting a message to the last receipt of its answer: what people see, the model's time included.",
            quantiles("pipeline_delivery_seconds", 0.5, 0.95, 0.99, where=', outcome="answered"'),
            "s",
        ),
        Panel(
            "Beyond the model",
            "The same without the time that the model took, from the moment the answer could be worked on.",
            quantiles(OVERHEAD, 0.5, 0.95, 0.99),
            "s",
            steps=rising(1, 2),
        ),
        Panel(
            "First word of the model",
            "How soon people see that something is written.",
            quantiles("agent_first_text_seconds", 0.5, 0.95),
            "s",
            steps=rising(5, 10),
        ),
        Panel(
            "Oldest of all that waits",
            "At each of the three places where a message can wait. What rises steadily is stuck.",
            [
                ("max(telegram_oldest_unsubmitted_seconds{HERE})", "not taken in"),
                ("max(pipeline_oldest_waiting_seconds{HERE})", "not begun"),
                ("max(pipeline_oldest_undelivered_seconds{HERE})", "not delivered"),
            ],
            "s",
            steps=rising(30, 120),
        ),
        Panel(
            "How fast the budget of unheard people burns",
            "Over several windows: short ones react, long ones remember. 1 is what is planned.",
            [
                (f"max(valor:unheard:ratio_rate{window}{{{NAMESPACE}}}) / 0.001", window)
                for window in ("5m", "1h", "6h")
            ],
            steps=rising(1, 14.4),
        ),
        Panel(
            "How fast the budget of slow answers burns",
            "The same for answers that need more than 2 s beyond the model.",
            [(f"max(valor:slow:ratio_rate{window}{{{NAMESPACE}}}) / 0.01", window) for window in ("5m", "1h", "6h")],
            steps=rising(1, 14.4),
        ),
    ],
)

TRAFFIC = Row(
    "Traffic",
    [
        Panel(
            "Messages",
            "What comes in, by what becomes of it: queued is a question, context is kept and not answered.",
            [rate("pipeline_submitted_messages_total", "disposition")],
            "cps",
            stacked=True,
        ),
        Panel(
            "How they end",
            "By what their writers know at the end. Unheard is what must not happen.",
            [rate("pipeline_delivery_seconds_count", "outcome")],
            "cps",
            stacked=True,
        ),
        Panel(
            "Turns",
            "How many wait, could begin, and run, in the whole house.",
            [
                ("max(pipeline_waiting_turns{HERE})", "waiting"),
                ("max(pipeline_claimable_turns{HERE})", "claimable"),
                ("max(pipeline_running_turns{HERE})", "running"),
            ],
        ),
        Panel(
            "Turns given up",
            "By reason; each is a dead letter, and its writer was told.",
            [rate("pipeline_failed_turns_total", "reason")],
            "cps",
        ),
        Panel(
            "Model calls",
            "Calls to the model, by how they end.",
            [rate("agent_model_calls_total", "outcome")],
            "cps",
            stacked=True,
        ),
        Panel(
            "Tool calls",
            "By tool and what came of it.",
            [rate("agent_tool_calls_total", "name, outcome")],
            "cps",
        ),
    ],
)

MONEY = Row(
    "Money",
    [
        Panel(
            "Dollars an hour",
            "What models are paid, by model.",
            [(f"sum by (model) (rate(agent_cost_dollars_total{{HERE}}[{RATE}])) * 3600", "{{model}}")],
            "currencyUSD",
        ),
        Panel(
            "Tokens",
            "Read and written by models, a second.",
            [rate("agent_tokens_total", "model, direction")],
        ),
        Panel(
            "The house's budget",
            "The part of it that is used, of the day and of the month. At 100 % no model is asked any more.",
            [("max by (window) (pipeline_budget_used_ratio{HERE})", "{{window}}")],
            "percentunit",
            steps=rising(0.8, 1),
        ),
        Panel(
            "Refused for budget",
            "Questions whose writers were told that a budget is spent: a person's, a chat's, or the whole house's.",
            [rate("pipeline_refused_calls_total", "scope, window")],
            "cps",
        ),
    ],
)

SATURATION = Row(
    "Saturation",
    [
        Panel(
            "Processor",
            "Cores that each process uses. One is the most: a process has one event loop.",
            [(f"rate(process_cpu_seconds_total{{HERE}}[{RATE}]){SERVICE}", "{{service}} {{instance}}")],
            steps=rising(0.7, 0.9),
            decimals=2,
        ),
        Panel(
            "Memory",
            "Resident memory of each process.",
            [(f"process_resident_memory_bytes{{HERE}}{SERVICE}", "{{service}} {{instance}}")],
            "bytes",
        ),
        Panel(
            "Event loops",
            "How late the slowest process wakes up, of a hundred times the worst.",
            [(LATE_LOOPS + SERVICE, "{{service}} {{instance}}")],
            "s",
            steps=rising(0.1, 0.5),
        ),
        Panel(
            "Room for turns",
            "The part of the room for turns that is taken, over all replicas of the pipeline.",
            [("sum(pipeline_live_turns{HERE}) / sum(pipeline_capacity_turns{HERE})", "taken")],
            "percentunit",
            steps=rising(0.7, 0.9),
        ),
        Panel(
            "Databases",
            "Duration of nineteen writes in twenty, by service.",
            [(quantile(0.95, "valor_database_transaction_seconds", "service", ', kind="write"'), "{{service}}")],
            "s",
            steps=rising(0.1, 0.3),
        ),
        Panel(
            "Versions",
            "How many processes run which version of which service.",
            [("count by (service, version) (valor_build_info{HERE})", "{{service}} {{version}}")],
        ),
    ],
)

DASHBOARD = Dashboard(
    "overview",
    "Valor / Overview",
    "Are people served, and if not, where does it stop?",
    [PROMISES, WAITING, TIMES, TRAFFIC, MONEY, SATURATION],
)
