"""The offline model in a running agent."""

from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from tests.integration.agent.scene import Toolrunner, agent


async def run_python(arguments: dict[str, Any]) -> str:
    return {"17 * 23": "Value: 391", "2 + 2": "Value: 4"}[arguments["code"]]


async def current_time(arguments: dict[str, Any]) -> str:
    return f"Monday, 02 November 2026, 14:05:06 in {arguments['timezone']} (CET); 2026-11-02T14:05:06+01:00"


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is 17 * 23?", "17 * 23 = 391"),
        (
            "what is 2+2 and what time is it in Rome?",
            "2+2 = 4\n\nIt is Monday, 02 November 2026, 14:05:06 in Rome (CET).",
        ),
        ("what did I say about figs?", "In this chat:\n\n- Ada: I like figs."),
        ("react with 👍", "Done: 👍"),
        ("react with ✅", "That did not work: That is no reaction here."),
        (
            "how do I make a backup?",
            "For this I need the tool search_knowledge, which is not available here at the moment.",
        ),
        ("repeat: one two three", "one two three"),
    ],
)
async def test_it_answers_with_what_tools_and_chat_know(tmp_path: Path, question: str, expected: str) -> None:
    toolrunner = Toolrunner(run_python=run_python, current_time=current_time)
    async with toolrunner.serving() as address, agent(tmp_path, address) as it, it.turn(question) as turn:
        turn.host = {"search_history": '[{"speaker": "Ada", "text": "I like figs."}]', "react": '{"result": "done"}'}
        output = await turn.output()
        assert output.text.startswith(expected)
        assert turn.shown == output.text
        assert output.model == "offline"


async def test_a_second_attempt_takes_up_the_first_ones_tools(tmp_path: Path) -> None:
    toolrunner = Toolrunner(run_python=run_python)
    async with toolrunner.serving() as address, agent(tmp_path, address) as it:
        async with it.turn("What is 17 * 23?") as turn:
            await turn.until("step")
        output = await it.output("What is 17 * 23?", checkpoints=turn.checkpoints)
        assert output.text == "17 * 23 = 391"


async def test_turns_and_tools_are_counted(tmp_path: Path) -> None:
    def counts() -> list[float]:
        samples = [
            ("agent_turns_total", {"outcome": "answered"}),
            ("agent_tool_calls_total", {"name": "run_python", "outcome": "ok"}),
            ("agent_first_text_seconds_count", {}),
        ]
        return [REGISTRY.get_sample_value(name, labels) or 0 for name, labels in samples]

    before = counts()
    toolrunner = Toolrunner(run_python=run_python)
    async with toolrunner.serving() as address, agent(tmp_path, address) as it:
        await it.output("What is 17 * 23?")
    assert counts() == [count + 1 for count in before]
    assert REGISTRY.get_sample_value("agent_live_turns") == 0
