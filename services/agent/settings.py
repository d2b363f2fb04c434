"""Settings of agent."""

import re
from pathlib import Path

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from services.agent.model import Price
from services.chassis.settings import ProcessSettings, shared

OFFLINE = "offline"

PRICE = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)/(\d{1,6}(?:\.\d{1,6})?)", re.ASCII)

KEYS = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY", "openai-chat": "OPENAI_API_KEY"}
"""The providers whose client is ours, and where their key is read from."""


class Settings(ProcessSettings):
    """Which model answers, as whom, and how long it may take."""

    model_config = SettingsConfigDict(env_prefix="AGENT_")

    model: str = Field(OFFLINE, validation_alias=shared("VALOR_MODEL"))
    """`offline`, or a name that pydantic-ai knows: `anthropic:…`, `openai:…` (Responses), `openai-chat:…`, …"""

    model_url: str = Field("", validation_alias=shared("VALOR_MODEL_URL"))
    """An own server that speaks the protocol of `model`'s provider, as its SDK takes it (OpenAI's ends in /v1)."""

    model_price: str = Field("", validation_alias=shared("VALOR_MODEL_PRICE"))
    """US dollars for a million tokens read and written, such as `3/15`; without it, what genai-prices knows."""

    anthropic_api_key: SecretStr | None = Field(None, validation_alias=shared("ANTHROPIC_API_KEY"))

    openai_api_key: SecretStr | None = Field(None, validation_alias=shared("OPENAI_API_KEY"))

    persona: Path | None = Field(None, validation_alias=shared("VALOR_PERSONA"))
    """A text file; without it the one that is shipped."""

    toolrunner: str = Field(validation_alias=shared("TOOLRUNNER_ADDRESS"))
    """Where the tools are."""

    tool_patience: float = Field(60.0, ge=0)
    """Seconds that a tool call waits for a toolrunner that is away; a new pod is there in less."""

    max_tokens: int = Field(4096, ge=1)
    """Tokens of one response; about 3,000 words, far above the length of a chat message."""

    answer_timeout: float = Field(300.0, gt=0)
    """Seconds that one response may take."""

    silence_timeout: float = Field(60.0, gt=0)
    """Seconds without a byte from the model; servers that are busy send a sign of life more often."""

    @property
    def provider(self) -> str:
        """The part of the model's name before the colon."""
        return self.model.partition(":")[0]

    @property
    def key(self) -> SecretStr | None:
        """The key for the model's provider."""
        return self.anthropic_api_key if self.provider == "anthropic" else self.openai_api_key

    @field_validator("model")
    @classmethod
    def _named(cls, value: str) -> str:
        provider, _, name = value.partition(":")
        if value != OFFLINE and not (provider and name):
            raise ValueError(f"{value!r} is neither {OFFLINE} nor provider:model")
        return value

    @property
    def price(self) -> Price | None:
        """The price that was set."""
        match = PRICE.fullmatch(self.model_price)
        return None if match is None else Price(_micros(match[1]), _micros(match[2]))

    @field_validator("model_price")
    @classmethod
    def _payable(cls, value: str) -> str:
        if value and not PRICE.fullmatch(value):
            raise ValueError(f"{value!r} is no price such as 3/15, US dollars for a million tokens read and written")
        return value

    @field_validator("model_url")
    @classmethod
    def _address(cls, value: str) -> str:
        if value and not re.match(r"https?://[^/]", value):
            raise ValueError("it does not begin with http:// or https:// and a host")
        return value

    @model_validator(mode="after")
    def _reachable(self) -> "Settings":
        if self.model_url and self.provider not in KEYS:
            raise ValueError(f"VALOR_MODEL_URL needs a VALOR_MODEL that begins with one of: {', '.join(KEYS)}")
        if not self.model_url and self.provider in KEYS and self.key is None:
            raise ValueError(f"{KEYS[self.provider]} is not set, and VALOR_MODEL is {self.model}")
        return self


def _micros(dollars: str) -> int:
    return round(float(dollars) * 1e6)
