"""The account: is it ours, is it read, and does what is to be sent arrive?"""

from common import called, database, process
from grafana import Dashboard, Panel, Row, exactly, figure, quantile, rate, rising

ACCOUNT = Row(
    "The account",
    [
        figure(
            "Owners",
            "Processes that speak for the account: exactly one. The others stand by and connect to nothing.",
            "sum(telegram_owner{HERE})",
            steps=exactly(1),
        ),
        figure(
            "Logged in",
            "1 while the owner is logged in and takes in what people write.",
            "max(telegram_connected{HERE})",
            steps=exactly(1),
        ),
        figure(
            "Read to the end",
            "How long ago. Every 45 s at the latest, even when nothing happens.",
            "time() - max(telegram_verified_timestamp_seconds{HERE})",
            unit="s",
            steps=rising(90, 150),
        ),
        figure(
            "Flood wait",
            "How long Telegram still wants us to wait, in the chat where that is longest. It is honoured to its end.",
            "max(telegram_flood_wait_seconds{HERE})",
            unit="s",
            steps=rising(30, 300),
        ),
        figure(
            "Not taken in",
            "Age of the oldest message that was read and that the pipeline does not keep yet.",
            "max(telegram_oldest_unsubmitted_seconds{HERE})",
            unit="s",
            steps=rising(10, 60),
        ),
        figure(
            "On their way",
            "Parts of answers that Telegram has not confirmed yet.",
            "sum(telegram_pending_parts{HERE})",
            steps=rising(50, 500),
        ),
        Panel(
            "Whose it is",
            "1 in the process that speaks for the account. A change is a takeover: within 15 s of the owner's death.",
            [("telegram_owner{HERE}", "{{instance}}")],
            "bool_yes_no",
            most=1,
        ),
        Panel(
            "Leases and logins",
            "Takeovers; leases that an owner could not renew in time; logins that Telegram ended; lost connections.",
            [
                ("sum(increase(telegram_takeovers_total{HERE}[$__rate_interval]))", "takeovers"),
                ("sum(increase(telegram_lost_leases_total{HERE}[$__rate_interval]))", "lost leases"),
                ("sum(increase(telegram_lost_logins_total{HERE}[$__rate_interval]))", "lost logins"),
                ("sum(increase(telegram_reconnects_total{HERE}[$__rate_interval]))", "reconnects"),
            ],
        ),
    ],
)

IN = Row(
    "What people write",
    [
        Panel(
            "Taken in",
            "Messages that the pipeline keeps now, a second; and those that can never be handed over (dead letters).",
            [
                ("sum(rate(telegram_submitted_messages_total{HERE}[$__rate_interval]))", "kept"),
                ("sum(rate(telegram_dead_letters_total{HERE}[$__rate_interval]))", "buried"),
            ],
            "cps",
        ),
        Panel(
            "Not taken in yet",
            "How many messages and deletions wait for the pipeline.",
            [("sum(telegram_unsubmitted_messages{HERE})", "waiting")],
        ),
        Panel(
            "Lost pushes",
            "Times that pushes were missing, which a reading repairs, and times that Telegram could not tell what had"
            " happened since, after which messages may be missing.",
            [
                ("sum(increase(telegram_update_gaps_total{HERE}[$__rate_interval]))", "gaps"),
                ("sum(increase(telegram_difference_too_long_total{HERE}[$__rate_interval]))", "too long"),
            ],
        ),
    ],
)

OUT = Row(
    "What is sent",
    [
        Panel(
            "Parts",
            "Parts of answers, previews and reactions, by what Telegram said.",
            [rate("telegram_delivered_parts_total", "kind, outcome")],
            "cps",
            stacked=True,
        ),
        Panel(
            "Calls that wait for a place",
            "Many at once are under way; finals go first. Frames of growing answers are dropped rather than late.",
            [
                ("sum(telegram_queued_calls{HERE})", "waiting"),
                ("sum(rate(telegram_dropped_frames_total{HERE}[$__rate_interval]))", "frames dropped a second"),
            ],
        ),
        called(),
    ],
)

CALLS = Row(
    "Calls to Telegram",
    [
        Panel(
            "Calls", "How often each method of Telegram's is called.", [rate("telegram_calls_total", "method")], "reqps"
        ),
        Panel(
            "How they end",
            "flood_wait: Telegram wants a pause. away: no answer in time, or a fault of Telegram's. refused: never.",
            [rate("telegram_calls_total", "outcome")],
            "reqps",
            stacked=True,
        ),
        Panel(
            "Duration",
            "What nineteen calls in twenty take at most, by method.",
            [(quantile(0.95, "telegram_call_seconds", "method"), "{{method}}")],
            "s",
        ),
    ],
)

DASHBOARD = Dashboard(
    "telegram",
    "Valor / telegram",
    "The account: is it ours, is it read, and does what is to be sent arrive?",
    [ACCOUNT, IN, OUT, CALLS, database("telegram"), process("telegram")],
    service="telegram",
)
