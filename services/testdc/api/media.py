"""Minimal media objects: enough for a client to see what kind a message is; there is nothing to download."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from telethon.tl import types as t

from services.testdc.api.login import DC_ID
from services.testdc.model import MediaKind, Post

_SIZE = 10_000


def render(post: Post) -> Any:
    """The media of a post, or None."""
    return _KINDS[post.media](post) if post.media else None


def _photo(post: Post) -> Any:
    date = datetime.fromtimestamp(int(post.date), UTC)
    return t.MessageMediaPhoto(photo=t.Photo(post.id, post.id, b"", date, [t.PhotoSize("x", 800, 600, _SIZE)], DC_ID))


def _document(mime_type: str, *attributes: Any, voice: bool | None = None) -> Callable[[Post], Any]:
    def make(post: Post) -> Any:
        date = datetime.fromtimestamp(int(post.date), UTC)
        document = t.Document(post.id, post.id, b"", date, mime_type, _SIZE, DC_ID, list(attributes))
        return t.MessageMediaDocument(document=document, voice=voice)

    return make


_KINDS: dict[MediaKind, Callable[[Post], Any]] = {
    "photo": _photo,
    "voice": _document("audio/ogg", t.DocumentAttributeAudio(duration=3, voice=True), voice=True),
    "document": _document("text/plain", t.DocumentAttributeFilename("notes.txt")),
    "sticker": _document("image/webp", t.DocumentAttributeSticker("👍", t.InputStickerSetEmpty())),
}
