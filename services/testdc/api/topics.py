"""Topics of forums, and of private chats with bots: begin, close, delete, list."""

from collections.abc import Sequence
from typing import Any

from telethon.tl import functions as f
from telethon.tl import types as t

from services.testdc.api import render
from services.testdc.api.peers import find_peer
from services.testdc.api.places import find_topic
from services.testdc.api.registry import Call, answers, only
from services.testdc.model import Event, Group, Peer, Post, bad
from services.testdc.topics import GENERAL


@answers(f.messages.CreateForumTopicRequest)
def begin_topic(call: Call, request: Any) -> Any:
    """A new topic: its service message, whose id the topic goes by."""
    only(request, "peer", "title", "icon_color", "random_id")
    post = call.world.begin_topic(call.me, find_peer(call, request.peer), request.title)
    return _told(call, post)


def _told(call: Call, post: Post) -> Any:
    box = post.box_of(call.me.id)
    event = Event(box, call.world.boxes.state(box).pts, "new", post, post.message_id(call.me.id))
    what = [t.UpdateMessageID(event.message_id, post.random_id), render.update(call.world, call.me, event)]
    return render.updates(call.world, call.me, what, [event])


@answers(f.messages.EditForumTopicRequest)
def close_topic(call: Call, request: Any) -> Any:
    """Close it, or open it again."""
    only(request, "peer", "topic_id", "closed")
    if request.closed is None:
        raise bad("TOPIC_NOT_MODIFIED")
    topic = find_topic(call, find_peer(call, request.peer), request.topic_id)
    call.world.close_topic(call.me, topic, closed=request.closed)
    return render.updates(call.world, call.me, [], [])


@answers(f.messages.DeleteTopicHistoryRequest)
def delete_topic(call: Call, request: Any) -> Any:
    """The topic and all that was said in it."""
    chat = find_peer(call, request.peer)
    topic = find_topic(call, chat, request.top_msg_id)
    box, count = topic.box_of(call.me.id), len(call.world.posts.in_topic(topic.id))
    call.world.delete_topic(call.me, topic)
    return t.messages.AffectedHistory(call.world.boxes.state(box).pts, count, offset=0)


@answers(f.messages.GetForumTopicsRequest)
def get_topics(call: Call, request: Any) -> Any:
    """The topics behind `offset_topic`: newest first, General last."""
    chat = find_peer(call, request.peer)
    first = call.world.posts.topics(call.me.id, chat.id)[::-1]
    numbers = [*(post.message_id(call.me.id) for post in first), *_general(chat)]
    if request.offset_topic in numbers:
        numbers = numbers[numbers.index(request.offset_topic) + 1 :]
    return _topics(call, chat, numbers[: request.limit])


@answers(f.messages.GetForumTopicsByIDRequest)
def get_topics_by_id(call: Call, request: Any) -> Any:
    """Topics in the order asked for; a deleted one where there is none."""
    return _topics(call, find_peer(call, request.peer), request.topics)


def _general(chat: Peer) -> list[int]:
    return [GENERAL] if isinstance(chat, Group) and chat.forum else []


def _topics(call: Call, chat: Peer, numbers: Sequence[int]) -> Any:
    first = {post.message_id(call.me.id): post for post in call.world.posts.topics(call.me.id, chat.id)}
    shown, last = list[Any](), list[Post]()
    for number in numbers:
        topic = first.get(number)
        if topic is None and number not in _general(chat):
            shown.append(t.ForumTopicDeleted(number))
            continue
        posts = call.world.posts.in_topic(topic.id) if topic else _in_general(call, chat)
        top = posts[-1].message_id(call.me.id) if posts else GENERAL
        shown.append(_topic(call, chat, topic, top_message=top))
        last += posts[-1:]
    messages = [render.message(call.world, call.me, post) for post in last]
    events = [Event(0, 0, "new", post, 0) for post in [*first.values(), *last]]
    users, chats = render.cast(call.world, call.me, events)
    pts = call.world.boxes.state(chat.id if chat.id < 0 else call.me.id).pts
    return t.messages.ForumTopics(len(shown), shown, messages, chats, users, pts, order_by_create_date=True)


def _in_general(call: Call, chat: Peer) -> list[Post]:
    return [post for post in call.world.posts.visible(call.me.id, chat.id, -1) if post.topic is None]


def _topic(call: Call, chat: Peer, first: Post | None, *, top_message: int) -> Any:
    """A topic by its first message; without one it is General, which the group itself made."""
    return t.ForumTopic(
        id=first.message_id(call.me.id) if first else GENERAL,
        date=render.utc(first.date if first else getattr(chat, "created", 0)),
        peer=render.peer(chat),
        title=first.text if first else "General",
        icon_color=render.ICON_COLOR,
        top_message=top_message,
        read_inbox_max_id=0,
        read_outbox_max_id=0,
        unread_count=0,
        unread_mentions_count=0,
        unread_reactions_count=0,
        unread_poll_votes_count=0,
        from_id=t.PeerUser(first.sender) if first else render.peer(chat),
        notify_settings=t.PeerNotifySettings(),
        my=bool(first and first.sender == call.me.id) or None,
        closed=bool(first and call.world.topics.is_closed(first)) or None,
    )
