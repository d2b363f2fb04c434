"""Rules of message text: its length in UTF-16 units, the bounds of entities, and what the server marks by itself."""

import re
from collections.abc import Iterator, Sequence

from services.testdc.model import Account, Entity, bad

_TYPES = """
Mention Hashtag BotCommand Url Email Bold Italic Code Pre TextUrl MentionName Phone Cashtag Underline Strike BankCard
Spoiler CustomEmoji Blockquote
"""
TYPES = frozenset(_TYPES.split())
"""TL names of the entities that the sandbox knows, without MessageEntity."""

_MARKS = {
    "Mention": re.compile(r"(?<!\w)@\w{4,32}\b"),
    "BotCommand": re.compile(r"(?<![\w/])/\w{1,64}(?:@\w{4,32})?\b"),
    "Url": re.compile(r"(?<!\w)https?://\S+"),
}


def units(text: str) -> int:
    """Length in UTF-16 units, in which Telegram counts."""
    return len(text.encode("utf-16-le")) // 2


def check_bounds(text: str, entities: Sequence[Entity]) -> None:
    """ENTITY_BOUNDS_INVALID when one is empty, leaves the text, or begins or ends inside a surrogate pair."""
    encoded = text.encode("utf-16-le")
    for entity in entities:
        start, end = entity["offset"], entity["offset"] + entity["length"]
        if not 0 <= start < end <= len(encoded) // 2 or _splits_pair(encoded, start) or _splits_pair(encoded, end):
            raise bad("ENTITY_BOUNDS_INVALID")


def _splits_pair(encoded: bytes, offset: int) -> bool:
    """Whether the unit at this offset is the second half of a pair."""
    unit = encoded[2 * offset : 2 * offset + 2]
    return len(unit) == 2 and 0xDC <= unit[1] <= 0xDF


def marked(text: str, entities: Sequence[Entity]) -> list[Entity]:
    """The entities and those that the server finds itself: mentions, commands and links outside of them."""
    found = list(entities)
    for kind, pattern in _MARKS.items():
        for start, end in _spans(text, pattern):
            if all(end <= e["offset"] or start >= e["offset"] + e["length"] for e in found):
                found.append({"type": kind, "offset": start, "length": end - start})
    return sorted(found, key=lambda e: (e["offset"], -e["length"]))


def _spans(text: str, pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    for match in pattern.finditer(text):
        start = units(text[: match.start()])
        yield start, start + units(match[0])


def mentions(text: str, entities: Sequence[Entity], account: Account) -> bool:
    """Whether the text names this account, by username or by a link to it."""
    return any(_mentions(text, entity, account) for entity in entities)


def _mentions(text: str, entity: Entity, account: Account) -> bool:
    if entity["type"] == "MentionName":
        return bool(entity["user_id"] == account.id)
    if entity["type"] != "Mention" or not account.username:
        return False
    encoded = text.encode("utf-16-le")
    start, end = 2 * entity["offset"], 2 * (entity["offset"] + entity["length"])
    return encoded[start:end].decode("utf-16-le").lower() == f"@{account.username.lower()}"
