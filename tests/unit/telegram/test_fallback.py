"""What is sent instead of what Telegram refuses. F87."""

from dataclasses import replace

import pytest

from services.telegram.fallback import fallback
from services.telegram.model import Part, PartKind

PART = Part("1", "1", -100, 7, PartKind.TEXT, "42", (), 9, 5, 0, possibly_sent=False)
CLOSED = "(The topic is closed, so I answer here.)"
DELETED = "(The topic was deleted, so I answer here.)"


@pytest.mark.parametrize(
    ("part", "reason", "expected"),
    [
        (PART, "MESSAGE_ID_INVALID", replace(PART, reply_to=0)),
        (replace(PART, reply_to=0), "MESSAGE_ID_INVALID", None),
        (PART, "TOPIC_CLOSED", replace(PART, topic_id=0, reply_to=0, text=f"42\n\n{CLOSED}")),
        (PART, "TOPIC_DELETED", replace(PART, topic_id=0, reply_to=0, text=f"42\n\n{DELETED}")),
        (replace(PART, text="😀" * 2048), "TOPIC_CLOSED", replace(PART, topic_id=0, reply_to=0, text="😀" * 2048)),
        (replace(PART, topic_id=1), "TOPIC_CLOSED", None),  # General itself is closed
        (
            replace(PART, topic_id=1, chat_id=8),
            "TOPIC_CLOSED",
            replace(PART, chat_id=8, topic_id=0, reply_to=0, text=f"42\n\n{CLOSED}"),
        ),
        (replace(PART, topic_id=0), "TOPIC_DELETED", None),
        (PART, "USER_IS_BLOCKED", None),
    ],
)
def test_the_next_best(part: Part, reason: str, expected: Part | None) -> None:
    assert fallback(part, reason) == expected
