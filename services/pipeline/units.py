"""Texts measured as Telegram does: in UTF-16 code units."""

from services.pipeline.model import Entity


def width(text: str) -> int:
    """Length in UTF-16 code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def span(text: str, entity: Entity) -> str:
    """The words an entity stands on; what lies outside of the text, or cuts a character, is left out."""
    units = text.encode("utf-16-le", "surrogatepass")
    start, end = max(0, entity.offset), max(0, entity.offset + entity.length)
    return units[2 * start : 2 * end].decode("utf-16-le", "ignore")
