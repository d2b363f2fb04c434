"""What is sent instead of a message that Telegram refuses: without its reply, or beside its topic."""

from dataclasses import replace

from services.telegram.model import Part, topic_to_name

GONE_REPLY = frozenset({"MESSAGE_ID_INVALID", "REPLY_MESSAGE_ID_INVALID"})
"""The message that is replied to, or the preview, was deleted."""

TOPIC = {
    "TOPIC_DELETED": "(The topic was deleted, so I answer here.)",
    "TOPIC_CLOSED": "(The topic is closed, so I answer here.)",
}
"""Why nothing can be said in a topic any more, and how that is told."""

LONGEST = 4096
"""UTF-16 units of a message."""


def fallback(part: Part, reason: str) -> Part | None:
    """The message to try next; None where nothing would help. Its random id stays: the first one was never taken."""
    if part.reply_to and reason in GONE_REPLY:
        return replace(part, reply_to=0)
    if topic_to_name(part.chat_id, part.topic_id) and reason in TOPIC:
        return replace(part, topic_id=0, reply_to=0, text=_told(part.text, TOPIC[reason]))
    return None


def _told(text: str, note: str) -> str:
    told = f"{text}\n\n{note}"
    return told if len(told.encode("utf-16-le")) // 2 <= LONGEST else text
