"""Messages: send, edit, delete, look up. Where a person's client is used, what the person may do decides."""

from collections.abc import Sequence
from typing import Any

from telethon.tl import functions as f
from telethon.tl import types as t

from services.testdc.api import render
from services.testdc.api.peers import find_channel, find_peer
from services.testdc.api.places import must_find_post, read_place
from services.testdc.api.registry import Call, Unsupported, answers, only
from services.testdc.api.texts import check_reachable, check_send_pace, check_text, read_entities
from services.testdc.model import Account, Event, Peer, Post, RpcFail, bad

# Wishes about the presentation that change nothing here.
_COSMETIC = ("no_webpage", "silent", "background", "clear_draft", "noforwards", "invert_media")


@answers(f.messages.SendMessageRequest)
def send_message(call: Call, request: Any) -> Any:
    """A new message, or what `limits.random_ids` says for a random id that this chat had before."""
    only(request, "peer", "message", "random_id", "reply_to", "entities", *_COSMETIC)
    if not request.random_id:
        raise bad("RANDOM_ID_EMPTY")
    chat = find_peer(call, request.peer)
    if repeated := _repeated(call, chat, request.random_id):
        return repeated
    entities = read_entities(call, request.entities)
    check_text(call, request.message, entities)
    check_reachable(call, chat)
    topic, reply_to = read_place(call, chat, request.reply_to)
    call.world.topics.check(call.me, chat, topic)
    check_send_pace(call, chat)
    publish = call.world.publish if call.me.bot else call.world.say
    post = publish(
        call.me, chat, request.message, entities=entities, reply_to=reply_to, random_id=request.random_id, topic=topic
    )
    call.world.posts.remember(post)
    if not isinstance(chat, Account):
        return _sent(call, post, count=1)
    pts = call.world.boxes.state(call.me.id).pts
    shown = [render.entity_tl(entity) for entity in post.entities] or None
    return t.UpdateShortSentMessage(
        post.message_id(call.me.id), pts, 1, render.utc(post.date), out=True, entities=shown
    )


def _repeated(call: Call, chat: Peer, random_id: int) -> Any:
    """The answer to a random id used before; None when it is new or counts as new."""
    if (call.me.id, chat.id, random_id) in call.world.sending:
        raise RpcFail(500, "RANDOM_ID_DUPLICATE")
    first = call.world.posts.sent_with(call.me.id, chat.id, random_id)
    if first is None or call.world.limits.random_ids == "forgotten":
        return None
    if call.world.limits.random_ids == "duplicate":
        raise RpcFail(500, "RANDOM_ID_DUPLICATE")
    return _sent(call, first, count=0)


def _sent(call: Call, post: Post, *, count: int) -> Any:
    """The id that a random id got, and the message unless it is gone; a repetition counts 0 (api/updates)."""
    box, message_id = post.box_of(call.me.id), post.message_id(call.me.id)
    event = Event(box, call.world.boxes.state(box).pts, "new", post, message_id)
    what = [t.UpdateMessageID(message_id, post.random_id)]
    if not post.deleted:
        what.append(render.update(call.world, call.me, event, count=count))
    return render.updates(call.world, call.me, what, [event])


@answers(f.messages.EditMessageRequest)
def edit_message(call: Call, request: Any) -> Any:
    """Another text for an own message."""
    only(request, "peer", "id", "message", "entities", *_COSMETIC)
    chat = find_peer(call, request.peer)
    post = must_find_post(call, chat, request.id)
    text, entities = request.message or "", read_entities(call, request.entities)
    check_text(call, text, entities)
    call.world.rates.take(("edit", call.me.id, chat.id), call.world.limits.per_edit)
    edited = call.world.edit(call.me, post, text, entities=entities)
    box = edited.box_of(call.me.id)
    event = Event(box, call.world.boxes.state(box).pts, "edit", edited, edited.message_id(call.me.id))
    return render.updates(call.world, call.me, [render.update(call.world, call.me, event)], [event])


@answers(f.messages.DeleteMessagesRequest)
def delete_messages(call: Call, request: Any) -> Any:
    """Delete for everybody in private chats and basic groups; unknown ids are passed over."""
    if not request.revoke:
        raise Unsupported("messages.deleteMessages without revoke")
    return _delete(call, call.me.id, request.id)


@answers(f.channels.DeleteMessagesRequest)
def delete_channel_messages(call: Call, request: Any) -> Any:
    """Delete in a supergroup; unknown ids are passed over."""
    return _delete(call, find_channel(call, request.channel).id, request.id)


def _delete(call: Call, box: int, message_ids: Sequence[int]) -> Any:
    posts = [post for post in _posts_at(call, box, list(dict.fromkeys(message_ids))) if post]
    call.world.delete(call.me, *posts)
    return t.messages.AffectedMessages(call.world.boxes.state(box).pts, len(posts))


def _posts_at(call: Call, box: int, message_ids: Sequence[int]) -> list[Post | None]:
    posts = [call.world.posts.at(box, message_id) for message_id in message_ids]
    return [None if post is None or post.deleted else post for post in posts]


def _replied_by(call: Call, post: Post | None) -> Post | None:
    """What a message replies to; in a topic, if it is nothing else, the message that began the topic."""
    reply_to = post and (post.reply_to or post.topic)
    replied = call.world.posts.get(reply_to) if reply_to else None
    return None if replied is None or replied.deleted else replied


@answers(f.messages.GetMessagesRequest)
def get_messages(call: Call, request: Any) -> Any:
    """Messages of private chats and basic groups; an empty one where there is none."""
    messages, users, chats = _look_up(call, call.me.id, request.id)
    return t.messages.Messages(messages, [], chats, users)


@answers(f.channels.GetMessagesRequest)
def get_channel_messages(call: Call, request: Any) -> Any:
    """Messages of a supergroup; an empty one where there is none."""
    group = find_channel(call, request.channel)
    messages, users, chats = _look_up(call, group.id, request.id)
    pts = call.world.boxes.state(group.id).pts
    return t.messages.ChannelMessages(pts, len(messages), messages, [], chats, users)


def _look_up(call: Call, box: int, wanted: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]]:
    if any(not isinstance(one, t.InputMessageID | t.InputMessageReplyTo) for one in wanted):
        raise Unsupported("messages by anything but their id, or the id of a reply to them")
    posts = _posts_at(call, box, [one.id for one in wanted])
    posts = [
        _replied_by(call, post) if isinstance(one, t.InputMessageReplyTo) else post
        for one, post in zip(wanted, posts, strict=True)
    ]
    messages = [
        render.message(call.world, call.me, post) if post else t.MessageEmpty(one.id, peer_id=None)
        for one, post in zip(wanted, posts, strict=True)
    ]
    events = [Event(box, 0, "new", post, post.message_id(call.me.id)) for post in posts if post]
    return messages, *render.cast(call.world, call.me, events)
