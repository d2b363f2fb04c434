"""What the agent is told of the conversation: the newest messages that fit, oldest first."""

from collections.abc import Sequence
from dataclasses import replace

from services.pipeline.model import Said

MESSAGES = 40
"""Messages at most."""

CHARACTERS = 24_000
"""Characters at most, about 6,000 tokens."""

LONGEST = 4_000
"""Characters of one message; what is cut is marked, so that one long message does not starve the rest."""


def fit(history: Sequence[Said]) -> tuple[Said, ...]:
    """The newest messages within the bounds, in the order in which they were said."""
    kept: list[Said] = []
    room = CHARACTERS
    for said in reversed(history[-MESSAGES:]):
        short = shorten(said)
        if len(short.text) > room:
            break
        room -= len(short.text)
        kept.append(short)
    return tuple(reversed(kept))


def shorten(said: Said) -> Said:
    """The message, cut with a mark if it is too long."""
    if len(said.text) <= LONGEST:
        return said
    return replace(said, text=f"{said.text[:LONGEST]}… (cut, {len(said.text):,} characters in all)")
