"""The model of a run: adds numbers with a tool, says words now or promises to, and notices repeated work."""

import json
import random
import re
from dataclasses import dataclass, field
from typing import Any

from services.agent.prompt import ADDED, REWORDED
from tests.support.model_server import Reply, Request

ASKED = re.compile(
    r"what is (?P<sum>\d+ \+ \d+)\?|promise to (?P<what>say \w+) (?P<when>in \d+ seconds)|say (?P<word>\w+)"
)


@dataclass
class Model:
    """A script for the model server."""

    chance: random.Random
    repeated: list[str] = field(default_factory=list)
    """Sums and promises whose tool was called for again although its result had been told."""
    _told: set[tuple[str, str]] = field(default_factory=set)
    """By the question that began the turn: where that changes or is taken back, what joined it is worked on anew."""

    def reply(self, request: Request) -> Reply:
        """The answer to a request, sooner or later and in more or fewer pieces: all that is asked, in one message."""
        chunks, delay = self.chance.randint(1, 8), self.chance.uniform(0, 0.4)
        asked, results = _asked(request), _results(request)
        began = asked[0][0] if asked else ""
        self._told |= {(began, told) for told in results}
        missing = [each for each in asked if _work(each) and _work(each) not in results]
        if missing:
            self.repeated += [_work(each) for each in missing if (began, _work(each)) in self._told]
            return Reply(calls=tuple(map(_call, missing)), chunks=chunks, delay=delay)
        said = [_said(each, results) for each in asked]
        return Reply("\n".join(said) or "I do not know.", chunks=chunks, delay=delay)


def _work(asked: re.Match[str]) -> str:
    """What a tool has to do for it; empty: nothing."""
    return asked["sum"] or asked["what"] or ""


def _call(asked: re.Match[str]) -> tuple[str, dict[str, str]]:
    if asked["sum"]:
        return "run_python", {"code": asked["sum"]}
    return "make_promise", {"what": asked["what"], "when": asked["when"]}


def _said(asked: re.Match[str], results: dict[str, str]) -> str:
    """The answer; the words that were promised are said when they are due, and not now."""
    if asked["what"]:
        return "I promise."
    return f"{asked['sum']} = {results[asked['sum']]}" if asked["sum"] else asked["word"]


def _asked(request: Request) -> list[re.Match[str]]:
    """What the person asked: the last question of the last text, and of each that joined it while it was worked on.

    What a question replies to, and what was said before it, stands above it in the same text.
    """
    texts = [text for message in request["messages"] if message["role"] == "user" for text in _texts(message)]
    first = max((number for number, text in enumerate(texts) if not text.startswith((ADDED, REWORDED))), default=0)
    found = [list(ASKED.finditer(text)) for text in texts[first:]]
    return [matches[-1] for matches in found if matches]


def _texts(message: dict[str, Any]) -> list[str]:
    content = message["content"]
    if isinstance(content, str):
        return [content]
    return [block["text"] for block in content if block["type"] == "text"]


def _results(request: Request) -> dict[str, str]:
    """What each sum and promise of this turn came to."""
    blocks = [block for message in request["messages"] for block in message["content"] if isinstance(block, dict)]
    work = {block["id"]: _asked_for(block["input"]) for block in blocks if block["type"] == "tool_use"}
    results = [block for block in blocks if block["type"] == "tool_result"]
    return {work[each["tool_use_id"]]: re.sub(r"^Value: ", "", _plain(each["content"])) for each in results}


def _asked_for(arguments: dict[str, str]) -> str:
    return arguments.get("code") or arguments["what"]


def _plain(content: Any) -> str:
    return content if isinstance(content, str) else "".join(block.get("text", json.dumps(block)) for block in content)
