"""The offline model: rules that take a message apart, pick tools, and phrase what they return.

It is no language model and says so. It invents nothing: every fact in an answer comes from a tool or from this chat.
"""

import re
from collections.abc import Iterable, Sequence

from services.agent.model import Result, Turn
from services.agent.rules import ASKED, LOOKED_UP, SELF, SOCIAL, Part, Say, Use

PARTS = 5
"""Things that one answer covers."""

UNKNOWN = f"{SELF} None of my rules fits this. Say “help” to see what I can do."
REST = "The rest of your message fits none of my rules."

VERBATIM = re.compile(
    r"(?:please )?(?:repeat|echo|say)(?: after me| this)?(?:\s*:\s*|\s+(?!(?:that|it|again|my)\b))(?P<text>.+)",
    re.IGNORECASE | re.DOTALL,
)
POLITE = re.compile(
    r"(?:(?:hey|hi|hello|ok|okay|so|and|then|also|well|now|thanks|please|valor|@\w+)[\s,:!]+|"
    r"(?:can|could|would|will) you (?:please )?|"
    r"(?:please )?(?:tell me(?! about)|do you know|i wonder|i want to know|i would like to know)[\s,:]+)+",
    re.IGNORECASE,
)
TAIL = re.compile(r"(?:[\s,]*\b(?:please|valor|right now|now))*[\s.?!…]*$", re.IGNORECASE)
SENTENCE = re.compile(r"(?<=[.?!;])\s+|\s*\n+\s*")
JOIN = re.compile(r",? (?:and then|and also|and|then) |, ", re.IGNORECASE)


def plan(turn: Turn) -> list[Part]:
    """What to say and which tools to use for a message, in its order."""
    words = turn.question.text.strip()
    if verbatim := VERBATIM.fullmatch(words):
        return [Say(verbatim["text"])]
    found = [part for sentence in SENTENCE.split(words) if sentence for part in _sentence(sentence, turn)]
    understood = [part for part in found if part is not None]
    asked = [part for part in understood if not (isinstance(part, Say) and part.social)]
    if not asked:
        return understood[:1] or [Say(UNKNOWN)]
    left_out = None in found or len(asked) > PARTS
    return [*asked[:PARTS], *([Say(REST)] if left_out else [])]


def answer(parts: Sequence[Part], results: Iterable[Result]) -> str:
    """The answer, once the tools have given their results, in the order of the parts that use them."""
    given = iter(results)
    return "\n\n".join(part.text if isinstance(part, Say) else _told(part, next(given)) for part in parts)


def _told(part: Use, result: Result) -> str:
    return f"That did not work: {result.text}" if result.failed else part.phrase(result.text)


def _sentence(sentence: str, turn: Turn) -> list[Part | None]:
    """The parts of a sentence; None stands for what no rule fits."""
    text = " ".join(TAIL.sub("", sentence).split())
    if part := SOCIAL.part(text, turn) or ASKED.part(_bare(text), turn):
        return [part]
    pieces = [_piece(piece, turn) for piece in JOIN.split(_bare(text))]
    return pieces if len(pieces) > 1 and all(pieces) else [LOOKED_UP.part(_bare(text), turn)]


def _piece(text: str, turn: Turn) -> Part | None:
    return ASKED.part(_bare(text), turn) or LOOKED_UP.part(_bare(text), turn)


def _bare(text: str) -> str:
    """Without the words that are only polite."""
    return text[polite.end() :] if (polite := POLITE.match(text)) else text
