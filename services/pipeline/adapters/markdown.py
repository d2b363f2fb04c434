"""Markdown → text and entities, by telegramify-markdown."""

import re

from telegramify_markdown import MessageEntity, RenderConfig, convert

from services.chassis import logs
from services.pipeline.model import Draft, Entity
from services.pipeline.split import normalised, split

log = logs.get()

_TAG = re.compile(r"(?<!\]\()<(?!https?://)")
_HIDDEN = "\ufdd0"
"""Stands for "<", so that the library, which drops HTML, leaves "List<int>" and "<your name>" alone."""


class MarkdownRenderer:
    """`ports.Renderer`. The library's settings are our own: its default puts pictures before headings."""

    def __init__(self) -> None:
        self._config = RenderConfig.isolated()
        symbols = self._config.markdown_symbol
        symbols.heading_level_1 = symbols.heading_level_2 = symbols.heading_level_3 = symbols.heading_level_4 = ""
        symbols.unordered_list_item = "•"

    def render(self, markdown: str) -> list[Draft]:
        """The messages of an answer, in order; at least one."""
        return split(*self._convert(markdown)) or split(markdown.strip(), ()) or [Draft("…")]

    def glimpse(self, markdown: str) -> Draft:
        """The end of a text that is still being written, as one message."""
        return (split(*self._convert(markdown)) or [Draft("…")])[-1]

    def _convert(self, markdown: str) -> tuple[str, tuple[Entity, ...]]:
        try:
            text, entities = convert(_TAG.sub(_HIDDEN, markdown.strip()), config=self._config)
        except Exception:  # the library's edge: what it cannot read is shown as it was written, and never lost
            log.exception("markdown_broke")
            return markdown.strip(), ()
        return text.replace(_HIDDEN, "<").rstrip(), normalised([_entity(entity) for entity in entities])


def _entity(entity: MessageEntity) -> Entity:
    value = entity.url or entity.language or entity.custom_emoji_id or ""
    return Entity(entity.type, entity.offset, entity.length, value.replace(_HIDDEN, "<"))
