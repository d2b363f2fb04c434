"""Messages for these tests, with the entities that Telegram would find."""

from typing import Any

from services.pipeline.model import Account, Address, ChatType, Entity, Message, Role, Sender, Turn
from services.pipeline.units import width

ACCOUNT = Account("telegram", 42, "Valor_bot")


def entity(kind: str, text: str, word: str, value: str = "") -> Entity:
    """The entity of `word`, where it stands in `text`."""
    return Entity(kind, width(text[: text.index(word)]), width(word), value)


def said(text: str, *words: tuple[str, str], chat: ChatType = ChatType.SUPERGROUP, **fields: Any) -> Message:
    """A message; `words` are the kind and the text of its entities."""
    fields = {
        "account": ACCOUNT,
        "address": Address(-100),
        "message_id": 1,
        "sender": Sender(7, "Ada Lovelace"),
        "entities": tuple(entity(kind, text, word) for kind, word in words),
        **fields,
    }
    return Message(chat_type=chat, text=text, **fields)


def turn(turn_id: int = 1, fence: int = 1, chat: ChatType = ChatType.PRIVATE, text: str = "hello") -> Turn:
    """A turn that was claimed."""
    message = said(text, chat=chat)
    return Turn(turn_id, fence, 0, message, "7", Role.MEMBER, 0.0)
