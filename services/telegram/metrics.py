"""What operators see of the account."""

from prometheus_client import Counter, Gauge, Histogram

CONNECTED = Gauge("telegram_connected", "1 while the account is logged in and answers.")
UPDATE_AGE = Gauge("telegram_verified_time_seconds", "When the account's box was last read to its end, epoch seconds.")
PENDING = Gauge("telegram_pending_parts", "Parts that were handed out and not yet delivered.")
SUBMITTED = Counter("telegram_submitted_messages", "Messages that the pipeline keeps.")
BURIED = Counter("telegram_dead_letters", "Messages that can never be handed over.")
GAPS = Counter("telegram_update_gaps", "Times that pushes were missing.")
TOO_LONG = Counter("telegram_difference_too_long", "Times that Telegram could not tell what happened since.")
RECONNECTS = Counter("telegram_reconnects", "Times that the connection was made anew.")
CALLS = Counter("telegram_calls", "Calls to Telegram, by outcome.", ["method", "outcome"])
CALL_SECONDS = Histogram(
    "telegram_call_seconds", "Duration of calls to Telegram.", ["method"], buckets=(0.005, 0.02, 0.1, 0.5, 1, 5, 10)
)
FLOOD_WAIT = Gauge("telegram_flood_wait_seconds", "The longest flood wait that is not over.")
DELIVERED = Counter("telegram_delivered_parts", "Parts delivered, by kind and outcome.", ["kind", "outcome"])
DROPPED = Counter("telegram_dropped_frames", "Fleeting frames that were dropped to make room.")

OWNER = Gauge("telegram_owner", "1 in the process that speaks for the account, 0 in a standby.")
