"""The offline model as pydantic-ai sees it: a function from messages to a streamed response."""

import json
from collections.abc import AsyncIterator, Sequence
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
    parts = [_possible(part, offered) for part in offline.plan(_turn(messages))]
    uses = [part for part in parts if isinstance(part, Use)]
    results = _results(messages[-1])
    if uses and not results:
        yield {
            index: DeltaToolCall(use.tool, json.dumps(use.arguments), tool_call_id=f"offline_{index}")
            for index, use in enumerate(uses)
        }
        return
    text = offline.answer(parts, results)
    for start in range(0, len(text), CHUNK):
        yield text[start : start + CHUNK]


def _possible(part: Part, offered: set[str]) -> Part:
    if isinstance(part, Use) and part.tool not in offered:
        return Say(f"For this I need the tool {part.tool}, which is not available here at the moment.")
    return part


def _turn(messages: Sequence[ModelMessage]) -> Turn:
    """The turn that the talk left beside its question."""
    return cast("Turn", next(message.metadata["turn"] for message in messages if message.metadata))


def _results(message: ModelMessage) -> list[Result]:
    if not isinstance(message, ModelRequest):
        return []
    returns = [part for part in message.parts if isinstance(part, ToolReturnPart)]
    return [Result(str(part.content), part.outcome != "success") for part in returns]
