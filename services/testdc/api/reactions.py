"""Reactions of bots."""

from typing import Any

from telethon.tl import functions as f
from telethon.tl import types as t

from services.testdc.api import render
from services.testdc.api.peers import find_peer
from services.testdc.api.places import must_find_post
from services.testdc.api.registry import Call, answers, only
from services.testdc.model import bad


@answers(f.messages.SendReactionRequest)
def send_reaction(call: Call, request: Any) -> Any:
    """Set the caller's reaction, or take it away; a bot may have one per message."""
    only(request, "peer", "msg_id", "reaction", "big", "add_to_recent")
    chat = find_peer(call, request.peer)
    post = must_find_post(call, chat, request.msg_id)
    wanted = [one for one in request.reaction or () if not isinstance(one, t.ReactionEmpty)]
    if len(wanted) > 1:
        raise bad("REACTIONS_TOO_MANY")
    if any(not isinstance(one, t.ReactionEmoji) for one in wanted):
        raise bad("REACTION_INVALID")
    post = call.world.react(call.me, post, *[one.emoticon for one in wanted])
    change = t.UpdateMessageReactions(render.peer(chat), request.msg_id, render.reactions(post))
    return render.updates(call.world, call.me, [change], [])
