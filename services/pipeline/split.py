"""Cuts a text with entities into messages that Telegram takes."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

import regex

from services.pipeline.model import Draft, Entity
from services.pipeline.units import width

UNITS = 4096
"""UTF-16 code units of a message; safe whichever unit Telegram counts in."""

ENTITIES = 100
"""Telegram silently drops what comes after the hundredth."""

CODE = frozenset({"pre", "code"})


def split(text: str, entities: Sequence[Entity], units: int = UNITS) -> list[Draft]:
    """The parts, in order; their texts joined are the text, and every entity lies in its part.

    Cut at a paragraph, else a line, else a space, else between characters. A code block that is cut goes on in the next
    part with its language.
    """
    offsets = [0, *accumulate(2 if ord(letter) > 0xFFFF else 1 for letter in text)]
    parts, start = [], 0
    while start < len(text):
        end = _end(text, offsets, start, units)
        end = _within_entity_limit(offsets, entities, start, end)
        parts.append(Draft(text[start:end], _inside(text, offsets, entities, start, end)))
        start = end
    return _joined_blanks(parts)


def _end(text: str, offsets: list[int], start: int, units: int) -> int:
    """Where the part that begins at `start` ends."""
    if offsets[-1] - offsets[start] <= units:
        return len(text)
    last = bisect_right(offsets, offsets[start] + units) - 1
    for mark in ("\n\n", "\n", " "):
        cut = text.rfind(mark, start, last)
        if cut > start + (last - start) // 2 or (mark == " " and cut > start):
            return cut + len(mark)
    return _between_characters(text, start, last)


def _between_characters(text: str, start: int, last: int) -> int:
    """The last border of a whole character (grapheme) at or before `last`."""
    window = max(start, last - 64)
    borders = [window + match.end() for match in regex.finditer(r"\X", text[window : last + 64])]
    fitting = [border for border in borders if start < border <= last]
    return fitting[-1] if fitting else last


def _within_entity_limit(offsets: list[int], entities: Sequence[Entity], start: int, end: int) -> int:
    inside = sorted(e.offset for e in entities if e.offset < offsets[end] and e.offset + e.length > offsets[start])
    cut = bisect_left(offsets, inside[ENTITIES]) if len(inside) > ENTITIES else end
    return cut if cut > start else end


def _inside(text: str, offsets: list[int], entities: Sequence[Entity], start: int, end: int) -> tuple[Entity, ...]:
    """What of the entities lies in a part; Telegram takes none that reaches into the blanks which it trims."""
    part = text[start:end]
    begins, ends = offsets[end - len(part.lstrip())], offsets[start + len(part.rstrip())]
    clipped = []
    for entity in entities:
        first, last = max(entity.offset, begins), min(entity.offset + entity.length, ends)
        if first < last:
            clipped.append(replace(entity, offset=first - offsets[start], length=last - first))
    return tuple(clipped)


def _joined_blanks(parts: list[Draft]) -> list[Draft]:
    """Telegram refuses a message of blanks alone: they go to the part before."""
    joined: list[Draft] = []
    for part in parts:
        if joined and not part.text.strip() and width(joined[-1].text) + width(part.text) <= UNITS:
            joined[-1] = Draft(joined[-1].text + part.text, joined[-1].entities)
        elif part.text.strip():
            joined.append(part)
    return joined


def normalised(entities: Sequence[Entity]) -> tuple[Entity, ...]:
    """Entities that Telegram takes as they are: none crosses another, and code holds and is held by nothing else."""
    kept: list[Entity] = []
    around: list[Entity] = []
    for entity in sorted(entities, key=lambda e: (e.offset, -e.length, e.type not in CODE)):
        around = [other for other in around if other.offset + other.length > entity.offset]
        if entity.length > 0 and not any(_clash(other, entity) for other in around):
            kept.append(entity)
            around.append(entity)
    return tuple(kept)


def _clash(first: Entity, second: Entity) -> bool:
    """`second` begins in `first`, which is longer or equal, and must not."""
    crossing = second.offset + second.length > first.offset + first.length
    return crossing or first.type in CODE or second.type in CODE
