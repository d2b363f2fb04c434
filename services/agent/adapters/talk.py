"""A turn's conversation with a model, through pydantic-ai.

The loop over model and tools is `run_turn`'s: a step has to be stored before its tools start, and be taken up again by
another process. So this uses pydantic-ai's direct requests, which also cost half of what a run of its agent does.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from pydantic import ValidationError
from pydantic_ai.direct import model_request_stream
from pydantic_ai.exceptions import UnexpectedModelBehavior
from pydantic_ai.messages import (
    InstructionPart,
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import Model as Provider
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from services.agent import prompt
from services.agent.adapters.failures import translated
from services.agent.adapters.prices import PriceList
from services.agent.model import About, Answer, Call, Result, Steer, Tool, Turn, Usage
from services.chassis.errors import InvalidArgument


@dataclass(frozen=True)
class PydanticModel:
    """The `ports.Model` on any model of pydantic-ai."""

    provider: Provider
    persona: str
    settings: ModelSettings
    answer_timeout: float
    """Seconds that one response may take."""
    prices: PriceList

    @property
    def about(self) -> About:
        """What is known of the model."""
        return About(self.prices.model, self.prices.price, self.settings.get("max_tokens", 0))

    def talk(self, turn: Turn) -> "PydanticTalk":
        """Begin, or go on where the checkpoints end."""
        instructions = prompt.instructions(self.persona, group=turn.group)
        talk = PydanticTalk(self, instructions, _opening(turn), group=turn.group)
        for number, checkpoint in enumerate(turn.checkpoints):
            talk.resume(_loaded(checkpoint, f"start.checkpoints[{number}]"))
        return talk


class PydanticTalk:
    """The `ports.Talk`: the messages so far, and the answers in them."""

    def __init__(self, model: PydanticModel, instructions: str, opening: list[ModelMessage], *, group: bool) -> None:
        self._group = group
        self.answers: list[Answer] = []
        self._model, self._instructions, self._messages = model, instructions, opening
        self._stored = len(opening)

    def resume(self, messages: Sequence[ModelMessage]) -> None:
        """Take up a step of an earlier attempt."""
        self._messages += messages
        self._stored = len(self._messages)
        self.answers += [self._answer(message) for message in messages if isinstance(message, ModelResponse)]

    async def ask(self, tools: Sequence[Tool], say: Callable[[str], None]) -> Answer:
        """The model's next response."""
        with translated():
            async with asyncio.timeout(self._model.answer_timeout):
                response = await self._request(_parameters(tuple(tools), self._instructions), say)
        answer = self._answer(response)
        if not answer.empty:
            self._messages.append(response)
            self.answers.append(answer)
        return answer

    async def _request(self, parameters: ModelRequestParameters, say: Callable[[str], None]) -> ModelResponse:
        async with model_request_stream(
            self._model.provider,
            self._messages,
            model_settings=self._model.settings,
            model_request_parameters=parameters,
        ) as stream:
            async for event in stream:
                if text := _text(event):
                    say(text)
        response = stream.get()
        if response.provider_name and (response.finish_reason is None or response.state == "incomplete"):
            raise UnexpectedModelBehavior("The stream ended before the response did.")
        return response

    def tell(self, results: Sequence[Result]) -> None:
        """The results of the last response's calls."""
        last = cast("ModelResponse", self._messages[-1])
        self._messages.append(
            ModelRequest(
                [
                    ToolReturnPart(
                        call.tool_name,
                        result.text,
                        call.tool_call_id,
                        outcome="failed" if result.failed else "success",
                    )
                    for call, result in zip(last.tool_calls, results, strict=True)
                ]
            )
        )

    def hear(self, steer: Steer) -> None:
        """Something was said meanwhile. The text as such stands beside it, for the offline model."""
        said = UserPromptPart(prompt.steer(steer, group=self._group))
        self._messages.append(ModelRequest([said], metadata={"steer": steer.said.text}))

    def checkpoint(self) -> bytes:
        """What was added since the last one."""
        added, self._stored = self._messages[self._stored :], len(self._messages)
        return ModelMessagesTypeAdapter.dump_json(added)

    def _answer(self, response: ModelResponse) -> Answer:
        calls = tuple(
            Call(index, call.tool_name, call.args if isinstance(call.args, str) else call.args_as_json_str())
            for index, call in enumerate(response.tool_calls)
        )
        spent = response.usage
        usage = Usage(1, spent.input_tokens, spent.output_tokens, len(calls), self._model.prices.cost(spent))
        return Answer(response.text or "", calls, usage, response.model_name or "")


def _opening(turn: Turn) -> list[ModelMessage]:
    messages: list[ModelMessage] = [
        ModelResponse([TextPart(block.text)]) if block.own else ModelRequest([UserPromptPart(block.text)])
        for block in prompt.blocks(turn)
    ]
    # For the offline model, which has rules for what was said and none for how it is shown to a language model.
    messages[-1].metadata = {"turn": turn}
    return messages


def _loaded(checkpoint: bytes, field: str) -> list[ModelMessage]:
    try:
        messages = ModelMessagesTypeAdapter.validate_json(checkpoint)
    except ValidationError as error:
        raise InvalidArgument(f"{field} is not a checkpoint of this agent.", field=field) from error
    if not messages or not isinstance(last := messages[-1], ModelResponse) or not last.tool_calls:
        raise InvalidArgument(f"{field} does not end with tool calls.", field=field)
    return messages


@lru_cache(maxsize=64)
def _parameters(tools: tuple[Tool, ...], instructions: str) -> ModelRequestParameters:
    definitions = [
        ToolDefinition(name=tool.name, description=tool.description, parameters_json_schema=tool.schema)
        for tool in tools
    ]
    return ModelRequestParameters(function_tools=definitions, instruction_parts=[InstructionPart(content=instructions)])


def _text(event: ModelResponseStreamEvent) -> str:
    match event:
        case PartStartEvent(part=TextPart(content=text)) | PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
            return text
        case _:
            return ""
