"""What the conversation is asked for, and what it answers."""

import json

import pytest

from services.agent import host_tools
from services.agent.model import Call, Result


@pytest.mark.parametrize(
    ("name", "arguments", "asked"),
    [
        ("react", {"emoji": "👍"}, True),
        ("react", {"emoji": "❤️"}, True),
        ("react", {"emoji": "❤\u200d🔥"}, True),
        ("react", {"emoji": "✅"}, False),
        ("react", {"emoji": "👍👍"}, False),
        ("react", {}, False),
        ("search_history", {"query": "figs"}, True),
        ("search_history", {"query": 7}, False),
        ("search_history", {}, False),
        ("make_promise", {"what": "count"}, True),
        ("make_promise", {"what": " "}, False),
        ("make_promise", {"when": "now"}, False),
    ],
)
def test_only_what_can_be_done_is_asked_for(name: str, arguments: dict[str, object], asked: bool) -> None:
    assert (host_tools.refusal(Call(0, name, json.dumps(arguments))) == "") is asked


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("[]", Result("[]")),
        ('{"result": "done"}', Result('{"result": "done"}')),
        ('{"error": "no"}', Result('{"error": "no"}', failed=True)),
        ("no json", Result("The chat gave an answer that cannot be read.", failed=True)),
    ],
)
def test_the_answer_is_read(content: str, expected: Result) -> None:
    assert host_tools.result(content) == expected
