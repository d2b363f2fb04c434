"""Does things in chats: sends, edits, reacts, shows drafts and typing."""

from collections.abc import Sequence
from typing import Any

from telethon import functions as f
from telethon import types as t

from services.telegram.adapters.client import Client
from services.telegram.adapters.store import SqlStore
from services.telegram.model import CHANNEL_BASE, Away, Draft, Entity, Part, Refused, Typing, topic_to_name

PLAIN = {
    "bold": t.MessageEntityBold,
    "italic": t.MessageEntityItalic,
    "underline": t.MessageEntityUnderline,
    "strikethrough": t.MessageEntityStrike,
    "spoiler": t.MessageEntitySpoiler,
    "code": t.MessageEntityCode,
    "blockquote": t.MessageEntityBlockquote,
    "mention": t.MessageEntityMention,
    "hashtag": t.MessageEntityHashtag,
    "bot_command": t.MessageEntityBotCommand,
    "url": t.MessageEntityUrl,
    "email": t.MessageEntityEmail,
}


class TelegramSender:
    """`ports.Sender` over Telethon."""

    def __init__(self, client: Client, store: SqlStore) -> None:
        self._client, self._store = client, store
        self._peers: dict[int, Any] = {}

    async def send(self, part: Part) -> int:
        """Send a message; the id it has in its chat."""
        request = f.messages.SendMessageRequest(
            await self._peer(part.chat_id),
            part.text,
            no_webpage=True,
            reply_to=reply_to(part),
            random_id=part.random_id,
            entities=entities(part.entities),
        )
        return message_id(await self._client.ask(request), part.random_id)

    async def edit(self, part: Part) -> int:
        """Turn the part's target into it; the target's id."""
        await self._edit(part.chat_id, part.target, part.text, part.entities)
        return part.target

    async def _edit(self, chat_id: int, target: int, text: str, spans: Sequence[Entity]) -> None:
        peer = await self._peer(chat_id)
        request = f.messages.EditMessageRequest(peer, target, no_webpage=True, message=text, entities=entities(spans))
        await self._change(request)

    async def _change(self, request: Any) -> None:
        try:
            await self._client.ask(request)
        except Refused as refusal:
            if refusal.reason != "MESSAGE_NOT_MODIFIED":  # it is so already: done
                raise

    async def react(self, part: Part) -> int:
        """Show the part's reaction on its target; the target's id."""
        wished = [t.ReactionEmoji(part.text)] if part.text else []
        peer = await self._peer(part.chat_id)
        await self._change(f.messages.SendReactionRequest(peer, part.target, reaction=wished))
        return part.target

    async def show(self, event: Draft | Typing) -> None:
        """Show something fleeting."""
        if isinstance(event, Draft) and event.target:
            await self._edit(event.chat_id, event.target, event.text, ())
            return
        action: Any = t.SendMessageTypingAction()
        if isinstance(event, Draft):
            text = t.TextWithEntities(event.text, [])
            action = t.SendMessageTextDraftAction(text, can_stop=True, random_id=event.draft_id)
        peer, topic = await self._peer(event.chat_id), topic_to_name(event.chat_id, event.topic_id)
        await self._client.ask(f.messages.SetTypingRequest(peer, action, top_msg_id=topic))

    async def _peer(self, chat_id: int) -> Any:
        if chat_id in self._peers:
            return self._peers[chat_id]
        access_hash = await self._store.access_hash(chat_id)
        peer = input_peer(chat_id, access_hash)
        if access_hash:  # else it may be learnt later
            if len(self._peers) >= PEERS:
                self._peers.clear()
            self._peers[chat_id] = peer
        return peer


PEERS = 10_000
"""Peers kept in memory; the table has all."""


def input_peer(chat_id: int, access_hash: int) -> Any:
    """How Telegram wants a chat to be named."""
    if chat_id > 0:
        return t.InputPeerUser(chat_id, access_hash)
    if chat_id > -CHANNEL_BASE:
        return t.InputPeerChat(-chat_id)
    return t.InputPeerChannel(-chat_id - CHANNEL_BASE, access_hash)


def reply_to(part: Part) -> Any:
    """What leads a message to its topic and to what it replies to."""
    topic = topic_to_name(part.chat_id, part.topic_id)
    if not topic and not part.reply_to:
        return None
    return t.InputReplyToMessage(part.reply_to or topic, top_msg_id=topic)


def entities(spans: Sequence[Entity]) -> list[Any]:
    """Entities as Telegram takes them; a kind that it does not take is left out."""
    return [made for made in map(_entity, spans) if made is not None]


def _entity(span: Entity) -> Any:
    if span.type in PLAIN:
        return PLAIN[span.type](span.offset, span.length)
    if span.type == "pre":
        return t.MessageEntityPre(span.offset, span.length, span.value)
    if span.type == "text_link":
        return t.MessageEntityTextUrl(span.offset, span.length, span.value)
    if span.type == "expandable_blockquote":
        return t.MessageEntityBlockquote(span.offset, span.length, collapsed=True)
    return None


def message_id(answer: Any, random_id: int) -> int:
    """The id of the message that a send made.

    Raises:
        Away: The answer does not tell; the difference will.
    """
    if isinstance(answer, t.UpdateShortSentMessage):
        return int(answer.id)
    for update in getattr(answer, "updates", ()):
        if isinstance(update, t.UpdateMessageID) and update.random_id == random_id:
            return int(update.id)
    raise Away("the answer names no message")
