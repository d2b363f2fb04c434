"""What people's clients ask for and bots may not: the history of a chat."""

from collections.abc import Sequence
from typing import Any

from telethon.tl import functions as f
from telethon.tl import types as t

from services.testdc.api import render
from services.testdc.api.peers import find_peer
from services.testdc.api.places import find_topic
from services.testdc.api.registry import Call, answers, only
from services.testdc.model import Event, Post, bad

MOST = 100


@answers(f.messages.GetHistoryRequest)
def get_history(call: Call, request: Any) -> Any:
    """The newest messages of a chat below an id, newest first."""
    only(request, "peer", "offset_id", "limit")
    return _page(call, request, None)


@answers(f.messages.GetRepliesRequest)
def get_topic_history(call: Call, request: Any) -> Any:
    """The same of a topic."""
    only(request, "peer", "msg_id", "offset_id", "limit")
    return _page(call, request, find_topic(call, find_peer(call, request.peer), request.msg_id))


def _page(call: Call, request: Any, topic: Post | None) -> Any:
    if call.me.bot:
        raise bad("BOT_METHOD_INVALID")
    chat = find_peer(call, request.peer)
    posts = call.world.posts.visible(call.me.id, chat.id, -1)
    found = [post for post in posts if topic is None or post.topic == topic.id]
    below = [post for post in found if not request.offset_id or post.message_id(call.me.id) < request.offset_id]
    return _messages(call, chat.id, below[::-1][: min(request.limit, MOST)], len(found))


def _messages(call: Call, chat: int, posts: Sequence[Post], count: int) -> Any:
    messages = [render.message(call.world, call.me, post) for post in posts]
    users, chats = render.cast(call.world, call.me, [Event(0, 0, "new", post, 0) for post in posts])
    if posts and posts[0].box_of(call.me.id) < 0:
        pts = call.world.boxes.state(chat).pts
        return t.messages.ChannelMessages(pts, count, messages, [], chats, users)
    return t.messages.MessagesSlice(count, messages, [], chats, users)
