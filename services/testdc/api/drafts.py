"""Typing, and the drafts by which a bot streams its answer (https://core.telegram.org/api/bots/ai)."""

from typing import Any

from telethon.tl import functions as f
from telethon.tl import types as t

from services.testdc.api.peers import find_peer
from services.testdc.api.places import find_topic
from services.testdc.api.registry import Call, Unsupported, answers, only
from services.testdc.api.texts import check_reachable, check_text, read_entities
from services.testdc.model import Account, Draft, Peer, Post, bad


@answers(f.messages.SetTypingRequest)
def set_typing(call: Call, request: Any) -> bool:
    """Show that one types, or the draft one is at, or stop a bot's draft; actions like recording count as typing."""
    only(request, "peer", "action", "top_msg_id")
    chat = find_peer(call, request.peer)
    check_reachable(call, chat)
    call.world.rates.take(("typing", call.me.id, chat.id), call.world.limits.per_typing)
    topic = find_topic(call, chat, request.top_msg_id) if request.top_msg_id else None
    call.world.topics.check(call.me, chat, topic)
    action = request.action
    if isinstance(action, t.SendMessageTextDraftAction):
        _draft(call, chat, action, topic)
    elif isinstance(action, t.SendMessageStopDraftAction):
        _stop(call, chat, action, topic)
    elif isinstance(action, t.InputSendMessageRichMessageDraftAction):
        raise Unsupported(f"messages.setTyping with {type(action).__name__}")
    elif isinstance(action, t.SendMessageCancelAction):
        call.world.signs.cancel(call.me, chat, topic)
    else:
        call.world.signs.type(call.me, chat, topic)
    return True


def _draft(call: Call, chat: Peer, action: Any, topic: Post | None) -> None:
    """TEXTDRAFT_PEER_INVALID outside private chats with people; an empty text stands for "Thinking…"."""
    if not isinstance(chat, Account):
        raise bad("TEXTDRAFT_PEER_INVALID")
    if not action.random_id:
        raise bad("RANDOM_ID_EMPTY")
    entities = read_entities(call, action.text.entities)
    check_text(call, action.text.text, entities, may_be_empty=True)
    draft = Draft(action.random_id, action.text.text, tuple(entities), bool(action.can_stop), bool(action.keep_on_stop))
    call.world.signs.draft(call.me, chat, draft, topic)


def _stop(call: Call, chat: Peer, action: Any, topic: Post | None) -> None:
    if not isinstance(chat, Account):
        raise bad("TEXTDRAFT_PEER_INVALID")
    call.world.signs.stop(call.me, chat, action.random_id, topic)
