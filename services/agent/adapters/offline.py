"""The offline model as pydantic-ai sees it: a function from messages to a streamed response."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import cast

from pydantic_ai.messages import ModelMessage, ModelRequest, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel

from services.agent import offline
from services.agent.model import Result, Turn
from services.agent.rules import Part, Say, Use

CHUNK = 48
"""Characters that are sent at once."""


def model() -> FunctionModel:
    """The offline model."""
    return FunctionModel(stream_function=_respond, model_name="offline")


async def _respond(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
    offered = {tool.name for tool in info.function_tools}
    parts = [_possible(part, offered) for turn in _turns(messages) for part in offline.plan(turn)]
    uses = [part for part in parts if isinstance(part, Use)]
    results = _results(messages)
    if uses[len(results) :]:  # what was said meanwhile may need more than what was asked first
        yield {
            index: DeltaToolCall(use.tool, json.dumps(use.arguments), tool_call_id=f"offline_{len(results) + index}")
            for index, use in enumerate(uses[len(results) :])
        }
        return
    text = offline.answer(parts, results)
    for start in range(0, len(text), CHUNK):
        yield text[start : start + CHUNK]


def _possible(part: Part, offered: set[str]) -> Part:
    if isinstance(part, Use) and part.tool not in offered:
        return Say(f"For this I need the tool {part.tool}, which is not available here at the moment.")
    return part


def _turns(messages: Sequence[ModelMessage]) -> list[Turn]:
    """The turn that the talk left beside its question, and one like it for each thing that was said meanwhile."""
    notes = [message.metadata for message in messages if message.metadata]
    turn = cast("Turn", next(note["turn"] for note in notes if "turn" in note))
    added = [note["steer"] for note in notes if "steer" in note]
    return [turn, *(replace(turn, question=replace(turn.question, text=text)) for text in added)]


def _results(messages: Sequence[ModelMessage]) -> list[Result]:
    """What the tools of this turn have given so far, in the order in which they were asked for."""
    parts = [part for message in messages if isinstance(message, ModelRequest) for part in message.parts]
    returns = [part for part in parts if isinstance(part, ToolReturnPart)]
    return [Result(str(part.content), part.outcome != "success") for part in returns]
