"""What bots may write: length, entities, pace."""

from collections.abc import Sequence
from typing import Any

from telethon.tl import types as t

from services.testdc import entities as text_rules
from services.testdc.api.peers import find_user
from services.testdc.api.registry import Call, Unsupported
from services.testdc.model import Account, Entity, Group, Peer, bad


def read_entities(call: Call, sent: Sequence[Any] | None) -> list[Entity]:
    """The entities of a request in our form; those beyond the limit are dropped in silence."""
    return [_read(call, entity) for entity in (sent or ())[: call.world.limits.entities]]


def _read(call: Call, entity: Any) -> Entity:
    if isinstance(entity, t.InputMessageEntityMentionName):
        user = find_user(call, entity.user_id)
        return {"type": "MentionName", "offset": entity.offset, "length": entity.length, "user_id": user.id}
    fields = {name: value for name, value in entity.to_dict().items() if value is not None}
    kind = fields.pop("_").removeprefix("MessageEntity")
    if kind not in text_rules.TYPES:
        raise Unsupported(f"the entity {kind}")
    return {"type": kind, **fields}


def check_text(call: Call, text: str, entities: Sequence[Entity], *, may_be_empty: bool = False) -> None:
    """MESSAGE_EMPTY, MESSAGE_TOO_LONG or ENTITY_BOUNDS_INVALID when a bot may not write this."""
    if not text.strip() and not may_be_empty:
        raise bad("MESSAGE_EMPTY")
    if text_rules.units(text) > call.world.limits.text:
        raise bad("MESSAGE_TOO_LONG")
    text_rules.check_bounds(text, entities)


def check_reachable(call: Call, chat: Peer) -> None:
    """USER_IS_BOT or USER_IS_BLOCKED when a bot cannot write to this chat."""
    if isinstance(chat, Account):
        if chat.bot and call.me.bot:
            raise bad("USER_IS_BOT")
        if call.world.people.is_blocked(chat.id, call.me.id):
            raise bad("USER_IS_BLOCKED")


def check_send_pace(call: Call, chat: Peer) -> None:
    """FLOOD_WAIT_X or SLOWMODE_WAIT_X when the bot sends too fast."""
    limits, rates = call.world.limits, call.world.rates
    if limits.slowmode and isinstance(chat, Group) and chat.kind == "supergroup":
        rates.take(("slowmode", call.me.id, chat.id), (1, limits.slowmode), "SLOWMODE_WAIT")
    rates.take(("chat", call.me.id, chat.id), limits.per_chat)
    rates.take(("overall", call.me.id), limits.overall)
