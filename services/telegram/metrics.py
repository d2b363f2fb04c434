"""What operators see of the account; the oldest message that is not taken in yet first."""

from prometheus_client import Counter, Gauge, Histogram

from services.chassis.metrics import prepare
from services.telegram.model import PartKind

OLDEST_UNSUBMITTED = Gauge(
    "telegram_oldest_unsubmitted_seconds",
    "Age of the oldest message that was read and that the pipeline does not keep.",
)
UNSUBMITTED = Gauge("telegram_unsubmitted_messages", "Messages and deletions that the pipeline does not keep yet.")
OWNER = Gauge("telegram_owner", "1 in the process that speaks for the account, 0 in a standby.")
TAKEOVERS = Counter("telegram_takeovers", "Times that this process began to speak for the account.")
LEASES_LOST = Counter("telegram_lost_leases", "Times that it had to stop, because it could not renew its lease.")
CONNECTED = Gauge("telegram_connected", "1 while the account is logged in and answers.")
LOGGED_OUT = Counter("telegram_lost_logins", "Times that Telegram ended the account's login.")
RECONNECTS = Counter("telegram_reconnects", "Times that the connection was made anew.")
VERIFIED = Gauge(
    "telegram_verified_timestamp_seconds", "When the account's box was last read to its end; 0: not by this process."
)
GAPS = Counter("telegram_update_gaps", "Times that pushes were missing.")
TOO_LONG = Counter("telegram_difference_too_long", "Times that Telegram could not tell what happened since.")
SUBMITTED = Counter("telegram_submitted_messages", "Messages that the pipeline keeps.")
BURIED = Counter("telegram_dead_letters", "Messages that can never be handed over.")
CALLS = Counter("telegram_calls", "Calls to Telegram, by outcome.", ["method", "outcome"])
CALL_SECONDS = Histogram(
    "telegram_call_seconds", "Duration of calls to Telegram.", ["method"], buckets=(0.005, 0.02, 0.1, 0.5, 1, 5, 10)
)
FLOOD_WAIT = Gauge("telegram_flood_wait_seconds", "The longest flood wait that is not over.")
QUEUED = Gauge("telegram_queued_calls", "Calls that wait for one of the places that there are at once.")
PENDING = Gauge("telegram_pending_parts", "Parts that were handed out and not yet delivered.")
DELIVERED = Counter("telegram_delivered_parts", "Parts delivered, by kind and outcome.", ["kind", "outcome"])
DROPPED = Counter("telegram_dropped_frames", "Fleeting frames that were dropped to make room.")

prepare(DELIVERED, PartKind, ("received", "refused"))
