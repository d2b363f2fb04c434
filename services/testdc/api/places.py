"""Where in a chat a request is about: the topic, and the message that is replied to."""

from typing import Any

from services.testdc.api.registry import Call, only
from services.testdc.model import Peer, Post, bad, box_of
from services.testdc.topics import GENERAL


def find_post(call: Call, chat: Peer, message_id: int) -> Post | None:
    """The message with this id in the chat as the caller sees it; None when there is none or it was deleted."""
    post = call.world.posts.at(box_of(chat.id, call.me.id), message_id)
    return post if post and not post.deleted and post.chat_for(call.me.id) == chat.id else None


def must_find_post(call: Call, chat: Peer, message_id: int) -> Post:
    """The same; MESSAGE_ID_INVALID instead of None."""
    post = find_post(call, chat, message_id)
    if post is None:
        raise bad("MESSAGE_ID_INVALID")
    return post


def find_topic(call: Call, chat: Peer, message_id: int) -> Post:
    """The first message of a topic, which may be deleted; TOPIC_ID_INVALID when it is no topic's.

    General is none: a request about it names no topic (tdlib/telegram-bot-api#447).
    """
    post = call.world.posts.at(box_of(chat.id, call.me.id), message_id)
    if post is None or not post.begins_topic or post.chat_for(call.me.id) != chat.id:
        raise bad("TOPIC_ID_INVALID")
    return post


def read_place(call: Call, chat: Peer, reply_to: Any) -> tuple[Post | None, Post | None]:
    """The topic that an InputReplyTo leads to, and the message it replies to; a reply goes where its message is."""
    if reply_to is None:
        return None, None
    only(reply_to, "reply_to_msg_id", "top_msg_id")
    message_id, top_id = reply_to.reply_to_msg_id, reply_to.top_msg_id
    if top_id:
        topic: Post | None = find_topic(call, chat, top_id)
    else:
        topic = _topic_at(call, chat, message_id)
    if topic and message_id == topic.message_id(call.me.id):
        return topic, None
    replied = _replied(call, chat, message_id)
    return topic or call.world.topics.of(replied), replied


def _topic_at(call: Call, chat: Peer, message_id: int) -> Post | None:
    """The topic that this message began; TOPIC_ID_INVALID for General."""
    if message_id == GENERAL and getattr(chat, "forum", False) and chat.id < 0:
        raise bad("TOPIC_ID_INVALID")
    post = call.world.posts.at(box_of(chat.id, call.me.id), message_id)
    return post if post and post.begins_topic and post.chat_for(call.me.id) == chat.id else None


def _replied(call: Call, chat: Peer, message_id: int) -> Post | None:
    post = find_post(call, chat, message_id)
    if post is None and call.world.limits.reply_to_deleted == "refused":
        raise bad("MESSAGE_ID_INVALID")
    return post
