"""Settings of monitor."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from services.chassis.ladder import MB, Limits
from services.chassis.settings import Address, ProcessSettings, shared
from services.monitor.model import Target

TARGET = re.compile(r"([a-z]+)=(\S+):(\d{1,5})(?:/(\d{1,5}))?")
LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}
CHAT = re.compile(r"-?\d+|@\w{5,32}", re.ASCII)


def _url(value: str) -> str:
    if not re.match(r"https?://[^/]", value):
        raise ValueError("it does not begin with http:// or https:// and a host")
    return value


Url = Annotated[str, AfterValidator(_url)]


class Settings(ProcessSettings):
    """What is watched, who is told, and who may look."""

    model_config = SettingsConfigDict(env_prefix="MONITOR_")

    targets: str
    """Comma list of `name=host:port` or `name=host:port/port`: every service, its health port, and that of its metrics.
    All addresses that the host has are looked at."""

    pipeline: str = Field("", validation_alias=shared("PIPELINE_ADDRESS"))
    """Where the pipeline takes calls; empty: the queue is not looked at."""

    interval: float = Field(5.0, gt=0)
    """Seconds between two measurements."""

    limit: int = Field(500, gt=0, validation_alias=shared("MONITOR_MEMORY_LIMIT"))
    """MB of one process, from which it ought to clean up."""

    emergency: int = Field(800, gt=0, validation_alias=shared("MONITOR_MEMORY_EMERGENCY"))
    """MB of one process, from which it ought to be restarted."""

    sessions: int = Field(100, gt=0)
    """Turns at once in one process, from which another replica is worth its while."""

    http: Address = "127.0.0.1:0"
    """Where the status page is shown."""

    http_token: SecretStr | None = Field(None, min_length=16)
    """Its password. On loopback the run's token is one as well; without either nobody gets in."""

    alert_webhook: SecretStr | None = None
    """A URL that alerts are posted to as JSON."""

    alert_telegram_chat: str = ""
    """The id or @name of a chat that alerts are sent to, by the bot of TELEGRAM_BOT_TOKEN over the HTTP Bot API."""

    alert_telegram_url: Url = "https://api.telegram.org"
    """Where the Bot API is."""

    bot_token: SecretStr | None = Field(None, validation_alias=shared("TELEGRAM_BOT_TOKEN"))

    alert_alertmanager: SecretStr | None = None
    """The URL of an Alertmanager; it may hold a name and a password."""

    @field_validator("alert_webhook", "alert_alertmanager")
    @classmethod
    def _urls(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _url(value.get_secret_value())
        return value

    @field_validator("alert_telegram_chat")
    @classmethod
    def _chat(cls, value: str) -> str:
        if value and not CHAT.fullmatch(value):
            raise ValueError(f"{value!r} is neither a chat's id nor @name")
        return value

    @field_validator("targets")
    @classmethod
    def _readable(cls, value: str) -> str:
        _targets(value)
        return value

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.emergency <= self.limit:
            raise ValueError("MONITOR_MEMORY_EMERGENCY is not above MONITOR_MEMORY_LIMIT")
        return self

    @model_validator(mode="after")
    def _tellable(self) -> Self:
        if self.alert_telegram_chat and self.bot_token is None:
            raise ValueError("TELEGRAM_BOT_TOKEN is not set, and MONITOR_ALERT_TELEGRAM_CHAT is")
        return self

    def judged(self) -> Limits:
        """The limits that every process is judged by."""
        return Limits(self.limit * MB, self.emergency * MB)

    def passwords(self) -> tuple[str, ...]:
        """What opens the status page."""
        run = self.token if self.http.rpartition(":")[0] in LOOPBACK else None
        return tuple(secret.get_secret_value() for secret in (self.http_token, run) if secret is not None)

    def watched(self) -> tuple[Target, ...]:
        """The targets."""
        return _targets(self.targets)


def _targets(value: str) -> tuple[Target, ...]:
    found = []
    for entry in value.split(","):
        match = TARGET.fullmatch(entry.strip())
        if match is None:
            raise ValueError(f"{entry.strip()!r} is neither name=host:port nor name=host:port/port")
        found.append(Target(match[1], match[2], int(match[3]), int(match[4]) if match[4] else None))
    return tuple(found)
