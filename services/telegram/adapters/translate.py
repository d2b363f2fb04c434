"""Telegram's updates in our words. Pure: TL objects in, domain objects out."""

from collections.abc import Iterable, Mapping
from typing import Any

from telethon import types as t
from telethon.utils import get_peer_id

from services.telegram.model import ACCOUNT_BOX, GENERAL, Change, ChatType, Entity, Incoming, Poison, Push, Stop

ENTITIES: Mapping[type, str] = {
    t.MessageEntityMention: "mention",
    t.MessageEntityHashtag: "hashtag",
    t.MessageEntityBotCommand: "bot_command",
    t.MessageEntityUrl: "url",
    t.MessageEntityEmail: "email",
    t.MessageEntityBold: "bold",
    t.MessageEntityItalic: "italic",
    t.MessageEntityUnderline: "underline",
    t.MessageEntityStrike: "strikethrough",
    t.MessageEntitySpoiler: "spoiler",
    t.MessageEntityCode: "code",
    t.MessageEntityPre: "pre",
    t.MessageEntityTextUrl: "text_link",
    t.MessageEntityMentionName: "text_mention",
    t.MessageEntityBlockquote: "blockquote",
}
"""The Bot API's names of what text may carry; what is not named here is left out."""

KINDS: Mapping[type, str] = {
    t.MessageMediaPhoto: "photo",
    t.MessageMediaGeo: "location",
    t.MessageMediaGeoLive: "location",
    t.MessageMediaVenue: "location",
    t.MessageMediaContact: "contact",
    t.MessageMediaPoll: "poll",
    t.MessageMediaWebPage: "text",
}

ATTRIBUTES: Mapping[type, str] = {
    t.DocumentAttributeSticker: "sticker",
    t.DocumentAttributeAnimated: "animation",
    t.DocumentAttributeVideo: "video",
    t.DocumentAttributeAudio: "audio",
}


class People:
    """The users and chats that came along with some updates."""

    def __init__(self, users: Iterable[Any] = (), chats: Iterable[Any] = ()) -> None:
        self._known = {get_peer_id(one): one for one in [*users, *chats] if not isinstance(one, t.UserEmpty)}

    def get(self, chat_id: int) -> Any:
        """The user or chat, or None."""
        return self._known.get(chat_id)

    def access_hashes(self) -> dict[int, int]:
        """The keys that Telegram wants with these peers. Those of `min` peers are worth nothing."""
        return {
            number: one.access_hash
            for number, one in self._known.items()
            if getattr(one, "access_hash", None) and not getattr(one, "min", False)
        }


def push(updates: Any) -> tuple[Push, People]:
    """What a pushed object, or the answer to a call of ours, says of our boxes."""
    if isinstance(updates, t.Updates | t.UpdatesCombined):
        people = People(updates.users, updates.chats)
        return _pushed(updates.updates, people), people
    if isinstance(updates, t.UpdateShort):
        return _pushed([updates.update], People()), People()
    if isinstance(updates, t.UpdateShortSentMessage):
        return Push(changes=(Change(ACCOUNT_BOX, updates.pts, updates.pts_count),)), People()
    return Push(stale=True), People()  # updatesTooLong, and the short messages that leave out who wrote them


def _pushed(updates: Iterable[Any], people: People) -> Push:
    poison: list[Poison] = []
    changes = [change(update, people, poison) for update in updates]
    late = tuple(update.channel_id for update in updates if isinstance(update, t.UpdateChannelTooLong))
    taken = tuple(one for one in changes if one is not None)
    stops = tuple(stop for stop in map(_stop, updates) if stop is not None)
    return Push(changes=taken, stops=stops, stale_channels=late, poison=tuple(poison))


def _stop(update: Any) -> Stop | None:
    if isinstance(update, t.UpdateUserTyping) and isinstance(update.action, t.SendMessageStopDraftAction):
        return Stop(update.user_id, update.top_msg_id or 0, update.action.random_id)
    return None


def change(update: Any, people: People, poison: list[Poison]) -> Change | None:
    """One numbered update; None for what has no number."""
    pts, count = getattr(update, "pts", None), getattr(update, "pts_count", None)
    if pts is None or count is None:
        return None
    written, edited = written_in(update)
    if isinstance(update, t.UpdateDeleteMessages):
        return Change(ACCOUNT_BOX, pts, count, deleted=tuple(update.messages))
    if isinstance(update, t.UpdateDeleteChannelMessages):
        return Change(update.channel_id, pts, count, deleted=tuple(update.messages))
    box = getattr(update, "channel_id", ACCOUNT_BOX)
    if written is None:
        return Change(box, pts, count)
    if isinstance(update, t.UpdateNewChannelMessage | t.UpdateEditChannelMessage):
        box = getattr(written.peer_id, "channel_id", None)
        if box is None:
            return None  # a message that is gone, from nobody knows which supergroup
    return Change(box, pts, count, message=incoming(written, people, poison, edited=edited))


def written_in(update: Any) -> tuple[Any, bool]:
    """The message of an update that brings one, and whether it brings it as an edit."""
    if isinstance(update, t.UpdateNewMessage | t.UpdateNewChannelMessage):
        return update.message, False
    if isinstance(update, t.UpdateEditMessage | t.UpdateEditChannelMessage):
        return update.message, True
    return None, False


def incoming(message: Any, people: People, poison: list[Poison], *, edited: bool = False) -> Incoming | None:
    """A message of somebody else's; None for our own and for what nobody wrote (joins, pins).

    What cannot be translated goes to `poison`, whatever is wrong with it: one odd message must not block the account.
    """
    if not isinstance(message, t.Message) or message.out:
        return None
    try:
        return _incoming(message, people, edited=edited)
    except Exception as error:  # noqa: BLE001 (see above)
        poison.append(Poison(message.to_json(), repr(error)))
        return None


def _incoming(message: Any, people: People, *, edited: bool) -> Incoming:
    chat_id = get_peer_id(message.peer_id)
    user_id = get_peer_id(message.from_id) if message.from_id else chat_id
    writer, chat = people.get(user_id), people.get(chat_id)
    topic_id, reply_to = place(message.reply_to, forum=bool(getattr(chat, "forum", False)))
    return Incoming(
        chat_id=chat_id,
        chat_type=_chat_type(message.peer_id),
        message_id=message.id,
        user_id=user_id,
        text=message.message or "",
        chat_title=getattr(chat, "title", None) or "",
        name=_name(writer),
        username=getattr(writer, "username", None) or "",
        bot=bool(getattr(writer, "bot", False)),
        kind=_kind(message.media),
        entities=tuple(_entities(message.entities)),
        reply_to=reply_to,
        send_time=message.date.timestamp() if message.date else 0.0,
        edited=edited,
        topic_id=topic_id,
    )


def place(header: Any, *, forum: bool) -> tuple[int, int]:
    """The topic a message is in and the message it replies to, 0 for none.

    Only the flag makes a topic: a reply in General names the thread of replies that it is in. A message of a topic
    that replies to nothing replies, on paper, to the message that began the topic.
    """
    replied = getattr(header, "reply_to_msg_id", None) or 0
    if not getattr(header, "forum_topic", False):
        return (GENERAL if forum else 0), replied
    topic = header.reply_to_top_id or replied
    return topic, replied if replied != topic else 0


def deletions(updates: Iterable[Any]) -> tuple[int, ...]:
    """The ids that were deleted."""
    kinds = t.UpdateDeleteMessages | t.UpdateDeleteChannelMessages
    return tuple(number for update in updates if isinstance(update, kinds) for number in update.messages)


def sent(updates: Iterable[Any]) -> tuple[tuple[int, int], ...]:
    """Which random ids became which messages."""
    return tuple((update.random_id, update.id) for update in updates if isinstance(update, t.UpdateMessageID))


def _chat_type(peer: Any) -> ChatType:
    if isinstance(peer, t.PeerUser):
        return ChatType.PRIVATE
    return ChatType.GROUP if isinstance(peer, t.PeerChat) else ChatType.SUPERGROUP


def _name(writer: Any) -> str:
    names = [getattr(writer, field, None) for field in ("first_name", "last_name")]
    return " ".join(name for name in names if name) or getattr(writer, "title", None) or ""


def _kind(media: Any) -> str:
    if media is None:
        return "text"
    if isinstance(media, t.MessageMediaDocument):
        return _document(media)
    return KINDS.get(type(media), "other")


def _document(media: Any) -> str:
    if media.voice:
        return "voice"
    if media.round:
        return "video_note"
    attributes = getattr(media.document, "attributes", None) or ()
    found = {ATTRIBUTES[type(attribute)] for attribute in attributes if type(attribute) in ATTRIBUTES}
    if any(getattr(attribute, "voice", False) for attribute in attributes):
        return "voice"
    return next((kind for kind in ("sticker", "animation", "video", "audio") if kind in found), "document")


def _entities(entities: Iterable[Any] | None) -> Iterable[Entity]:
    for entity in entities or ():
        kind = ENTITIES.get(type(entity))
        if kind is not None:
            value = getattr(entity, "user_id", None) or getattr(entity, "url", None)
            value = value or getattr(entity, "language", None) or ""
            yield Entity(kind, entity.offset, entity.length, str(value))
