"""The model: does it answer, how fast, and what does it cost?"""

from common import called, calls, process
from grafana import RATE, Dashboard, Panel, Row, figure, quantile, quantiles, rate, rising

TURNS = Row(
    "Turns",
    [
        figure("Live turns", "Turns under way, in all replicas.", "sum(agent_live_turns{HERE})"),
        figure(
            "Model calls that fail",
            "The part of all model calls that the model failed.",
            f'sum(rate(agent_model_calls_total{{HERE, outcome!~"ok|cancelled"}}[{RATE}]))'
            f" / sum(rate(agent_model_calls_total{{HERE}}[{RATE}]))",
            unit="percentunit",
            steps=rising(0.05, 0.25),
        ),
        figure(
            "First word",
            "Half of all people see it within this time.",
            quantile(0.5, "agent_first_text_seconds"),
            unit="s",
            steps=rising(5, 10),
        ),
        figure(
            "Model's pause",
            "How long the model's provider still takes no more requests.",
            "max(agent_model_limited_seconds{HERE})",
            unit="s",
            steps=rising(1, 60),
        ),
        figure(
            "Dollars an hour",
            "What models are paid.",
            f"sum(rate(agent_cost_dollars_total{{HERE}}[{RATE}])) * 3600",
            unit="currencyUSD",
        ),
        Panel(
            "How turns end",
            "Attempts at turns: answered, cancelled (stop, or handed over), or the reason of the failure.",
            [rate("agent_turns_total", "outcome")],
            "cps",
            stacked=True,
        ),
        Panel(
            "Live turns",
            "Turns under way in each replica.",
            [("agent_live_turns{HERE}", "{{instance}}")],
        ),
    ],
)

MODEL = Row(
    "The model",
    [
        Panel(
            "Model calls",
            "By how they end. model_rate_limited: the provider takes no more for now. model_refused_key,"
            " model_no_credit and model_unknown need somebody to look at the settings or the provider's bill.",
            [rate("agent_model_calls_total", "model, outcome")],
            "reqps",
            stacked=True,
        ),
        Panel(
            "Duration of a call",
            "What model calls take, to the last word.",
            [
                (quantile(share, "agent_model_seconds", "model"), f"{{{{model}}}} p{share * 100:g}")
                for share in (0.5, 0.95)
            ],
            "s",
        ),
        Panel(
            "First word",
            "From the start of a turn to the first word of the model: what people wait for.",
            quantiles("agent_first_text_seconds", 0.5, 0.95, 0.99),
            "s",
            steps=rising(5, 10),
        ),
        Panel(
            "Tokens",
            "Read (input) and written (output), a second.",
            [rate("agent_tokens_total", "model, direction")],
        ),
        Panel(
            "Dollars an hour",
            "What each model is paid.",
            [(f"sum by (model) (rate(agent_cost_dollars_total{{HERE}}[{RATE}])) * 3600", "{{model}}")],
            "currencyUSD",
        ),
        Panel(
            "Tool calls",
            "What the model asks for. failed: the model was told so, and may try otherwise.",
            [rate("agent_tool_calls_total", "name, outcome")],
            "cps",
        ),
    ],
)

DASHBOARD = Dashboard(
    "agent",
    "Valor / agent",
    "The model: does it answer, how fast, and what does it cost?",
    [TURNS, MODEL, Row("Others", [called()]), calls("agent"), process("agent")],
    service="agent",
)
