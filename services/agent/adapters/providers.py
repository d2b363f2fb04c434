"""The model that the settings name. Its SDK is imported only if it is chosen: each costs 25 to 40 MB."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from pydantic_ai.exceptions import UserError
from pydantic_ai.models import Model, infer_model
from pydantic_ai.settings import ModelSettings

from services.agent import prompt
from services.agent.adapters import http, offline, prices
from services.agent.adapters.talk import PydanticModel
from services.agent.settings import KEYS, OFFLINE, Settings
from services.chassis.errors import SettingsError


@asynccontextmanager
async def open_model(settings: Settings) -> AsyncIterator[PydanticModel]:
    """The model, until the block ends.

    Raises:
        SettingsError: There is no such model, or what it needs is missing.
    """
    async with http.client(settings.silence_timeout) as client, _model(settings, client) as model:
        yield PydanticModel(
            provider=model,
            persona=prompt.persona(settings.persona),
            settings=_model_settings(settings),
            answer_timeout=settings.answer_timeout,
            prices=prices.price_list(settings),
        )


def _model(settings: Settings, client: httpx2.AsyncClient) -> Model:
    options: dict[str, Any] = {
        "api_key": settings.key.get_secret_value() if settings.key is not None else "none",
        "base_url": settings.model_url or None,  # None: the provider's own
        "timeout": client.timeout,
        "max_retries": 0,  # the pipeline repeats turns
        "http_client": client,
    }
    name = settings.model.partition(":")[2]
    match settings.provider:
        case "offline":
            return offline.model()
        case "anthropic":
            return _anthropic(name, options)
        case "openai" | "openai-chat" as protocol:
            return _openai(name, options, chat=protocol == "openai-chat")
        case _:
            return _other(settings.model)


def _anthropic(name: str, options: dict[str, Any]) -> Model:
    from anthropic import AsyncAnthropic  # noqa: PLC0415
    from pydantic_ai.models.anthropic import AnthropicModel  # noqa: PLC0415
    from pydantic_ai.providers.anthropic import AnthropicProvider  # noqa: PLC0415

    return AnthropicModel(name, provider=AnthropicProvider(anthropic_client=AsyncAnthropic(**options)))


def _openai(name: str, options: dict[str, Any], *, chat: bool) -> Model:
    from openai import AsyncOpenAI  # noqa: PLC0415
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel  # noqa: PLC0415
    from pydantic_ai.profiles.openai import OpenAIModelProfile  # noqa: PLC0415
    from pydantic_ai.providers.openai import OpenAIProvider  # noqa: PLC0415

    provider = OpenAIProvider(openai_client=AsyncOpenAI(**options))
    if not chat:
        return OpenAIResponsesModel(name, provider=provider)
    # Without it, an answer that was cut off would pass for a whole one.
    profile = OpenAIModelProfile(openai_chat_streaming_requires_finish_reason=True)
    return OpenAIChatModel(name, provider=provider, profile=profile)


def _other(model: str) -> Model:
    try:
        return infer_model(model)
    except ImportError as error:
        package = re.search(r"`([\w-]+)` package", str(error))
        needed = f"the package {package[1]}" if package else "a package"
        raise SettingsError(f"VALOR_MODEL is wrong: {model} needs {needed} in Valor's environment.") from error
    except (UserError, ValueError) as error:
        raise SettingsError(f"VALOR_MODEL is wrong: {str(error).splitlines()[0].rstrip('.')}.") from error


def _model_settings(settings: Settings) -> ModelSettings:
    chosen = ModelSettings(max_tokens=settings.max_tokens)
    if settings.provider not in {OFFLINE, *KEYS}:
        chosen |= ModelSettings(max_retries=0, timeout=settings.silence_timeout)
    return chosen
