"""Typing, and the drafts by which a bot streams its answer (https://core.telegram.org/api/bots/ai)."""

from typing import Any

from telethon.tl import functions as f
from telethon.tl import types as t

from services.testdc.api.peers import find_peer
from services.testdc.api.registry import Call, Unsupported, answers, only
from services.testdc.api.texts import check_reachable, check_text, read_entities
from services.testdc.model import Account, Peer, bad
from services.testdc.posts import dialog


@answers(f.messages.SetTypingRequest)
def set_typing(call: Call, request: Any) -> bool:
    """Show that the bot types, or the draft it is at; actions like recording count as typing."""
    only(request, "peer", "action")
    chat = find_peer(call, request.peer)
    check_reachable(call, chat)
    call.world.rates.take(("typing", call.me.id, chat.id), call.world.limits.per_typing)
    if isinstance(request.action, t.SendMessageTextDraftAction):
        _draft(call, chat, request.action)
    elif isinstance(request.action, t.InputSendMessageRichMessageDraftAction | t.SendMessageStopDraftAction):
        raise Unsupported(f"messages.setTyping with {type(request.action).__name__}")
    elif isinstance(request.action, t.SendMessageCancelAction):
        call.world.presence.clear(dialog(call.me.id, chat.id), call.me.id)
    else:
        call.world.type(call.me, chat)
    return True


def _draft(call: Call, chat: Peer, action: Any) -> None:
    """TEXTDRAFT_PEER_INVALID outside private chats with people; an empty text stands for "Thinking…"."""
    if not isinstance(chat, Account):
        raise bad("TEXTDRAFT_PEER_INVALID")
    if not action.random_id:
        raise bad("RANDOM_ID_EMPTY")
    entities = read_entities(call, action.text.entities)
    check_text(call, action.text.text, entities, may_be_empty=True)
    call.world.draft(call.me, chat, action.random_id, action.text.text, entities)
