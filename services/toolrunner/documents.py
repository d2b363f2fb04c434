"""Documents in plain words: how a text falls into sections, and how a question finds them."""

import re
from dataclasses import dataclass

HEADING = re.compile(r" {0,3}#{1,6}\s+(.+?)[\s#]*$")
FENCE = re.compile(r" {0,3}(```|~~~)")
WORD = re.compile(r"[^\W_]+")

MAX_WORDS = 32
"""Words of a question that count; more make the search slow and no better."""


@dataclass(frozen=True)
class Section:
    """A heading and the text up to the next one; the heading is empty before the first."""

    heading: str
    body: str


def sections(text: str) -> list[Section]:
    """A Markdown or plain text, cut at its headings. A heading inside a code fence is code."""
    found: list[tuple[str, list[str]]] = [("", [])]
    fence = ""
    for line in text.splitlines():
        if mark := FENCE.match(line):
            fence = "" if mark[1] == fence else fence or mark[1]
        heading = None if fence else HEADING.match(line)
        if heading:
            found.append((heading[1], []))
        else:
            found[-1][1].append(line)
    cut = [Section(heading, "\n".join(lines).strip()) for heading, lines in found]
    return [section for section in cut if section.heading or section.body]


def words(question: str) -> list[str]:
    """The words to look for, each once."""
    return list(dict.fromkeys(WORD.findall(question.lower())))[:MAX_WORDS]
