"""The model of a run: adds numbers with a tool, says words, and notices when it is asked for a finished step again."""

import json
import random
import re
from dataclasses import dataclass, field
from typing import Any

from tests.support.model_server import Reply, Request

ASKED = re.compile(r"what is (?P<sum>\d+ \+ \d+)\?|say (?P<word>\w+)")


@dataclass
class Model:
    """A script for the model server."""

    chance: random.Random
    repeated: list[str] = field(default_factory=list)
    """Sums whose tool was called for again although its result had been told."""
    _told: set[str] = field(default_factory=set)

    def reply(self, request: Request) -> Reply:
        """The answer to a request, sooner or later and in more or fewer pieces."""
        chunks, delay = self.chance.randint(1, 8), self.chance.uniform(0, 0.4)
        question, result = _question(request), _result(request)
        if question is None or question["sum"] is None:
            return Reply(question["word"] if question else "I do not know.", chunks=chunks, delay=delay)
        expression = question["sum"]
        if result is None:
            if expression in self._told:
                self.repeated.append(expression)
            return Reply(calls=(("run_python", {"code": expression}),), chunks=chunks, delay=delay)
        self._told.add(expression)
        return Reply(f"{expression} = {result}", chunks=chunks, delay=delay)


def _question(request: Request) -> re.Match[str] | None:
    """What the person asked: the last question of the last text; what it replies to is quoted before it."""
    texts = [text for message in request["messages"] if message["role"] == "user" for text in _texts(message)]
    return list(ASKED.finditer(texts[-1]))[-1] if texts and ASKED.search(texts[-1]) else None


def _texts(message: dict[str, Any]) -> list[str]:
    content = message["content"]
    if isinstance(content, str):
        return [content]
    return [block["text"] for block in content if block["type"] == "text"]


def _result(request: Request) -> str | None:
    """The result that the last message brings, if it brings one."""
    content = request["messages"][-1]["content"]
    blocks = [] if isinstance(content, str) else [block for block in content if block["type"] == "tool_result"]
    return re.sub(r"^Value: ", "", _plain(blocks[-1]["content"])) if blocks else None


def _plain(content: Any) -> str:
    return content if isinstance(content, str) else "".join(block.get("text", json.dumps(block)) for block in content)
