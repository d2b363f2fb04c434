"""Markdown → text and entities, by telegramify-markdown."""

from telegramify_markdown import MessageEntity, RenderConfig, convert

from services.pipeline.model import Draft, Entity
from services.pipeline.split import UNITS, normalised, split
from services.pipeline.units import width


class MarkdownRenderer:
    """`ports.Renderer`. The library's settings are our own: its default puts pictures before headings."""

    def __init__(self) -> None:
        self._config = RenderConfig.isolated()
        symbols = self._config.markdown_symbol
        symbols.heading_level_1 = symbols.heading_level_2 = symbols.heading_level_3 = symbols.heading_level_4 = ""
        symbols.unordered_list_item = "•"

    def render(self, markdown: str) -> list[Draft]:
        """The messages of an answer, in order; at least one."""
        text, entities = self._convert(markdown)
        return split(text, entities) or [Draft(markdown.strip()[:UNITS] or "…")]

    def glimpse(self, markdown: str) -> Draft:
        """The end of a text that is still being written, as one message."""
        text, entities = self._convert(markdown)
        if width(text) <= UNITS:
            return Draft(text or "…", entities)
        return split(text, entities)[-1]

    def _convert(self, markdown: str) -> tuple[str, tuple[Entity, ...]]:
        text, entities = convert(markdown.strip(), config=self._config)
        stripped = text.rstrip()
        limit = width(stripped)
        kept = (_entity(entity, limit) for entity in entities)
        return stripped, normalised([entity for entity in kept if entity.length > 0])


def _entity(entity: MessageEntity, limit: int) -> Entity:
    value = entity.url or entity.language or entity.custom_emoji_id or ""
    return Entity(entity.type, entity.offset, min(entity.length, limit - entity.offset), value)
