"""Settings come from the environment, once, typed and frozen; what is wrong is one sentence that names it."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.chassis import logs
from services.chassis.credential import Certificate, Credential, Token
from services.chassis.errors import SettingsError
from services.chassis.ladder import MB, Limits

S = TypeVar("S", bound="ProcessSettings")


def _address(value: str) -> str:
    match = re.fullmatch(r"\S+:(\d{1,5})", value)
    if match is None or int(match[1]) > 65_535:
        raise ValueError(f"{value!r} is not host:port")
    return value


Address = Annotated[str, AfterValidator(_address)]
"""A host and a port, e.g. "127.0.0.1:7001"."""


def shared(name: str) -> AliasChoices:
    """The environment name of a setting that all services read alike, whatever their own prefix."""
    return AliasChoices(name)


class ProcessSettings(BaseSettings):
    """What every service reads. A service's own settings carry its name as prefix."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True, env_ignore_empty=True)

    data: Path = Field(default=Path("data"), validation_alias=shared("VALOR_DATA"))
    """The data folder; every service keeps its own file in it."""

    database_url: SecretStr = Field(default=SecretStr(""), validation_alias=shared("VALOR_DATABASE"))
    """postgresql://… of the server that keeps the tables, one schema a service; empty: SQLite in the data folder."""

    token: SecretStr | None = Field(None, validation_alias=shared("VALOR_TOKEN"), min_length=16)
    """The run's secret: whoever calls a service on loopback shows it."""

    tls: Path | None = Field(None, validation_alias=shared("VALOR_TLS"))
    """The folder of this process's certificate, its key and the authority (tls.crt, tls.key, ca.crt); takes the place
    of the token where services call each other over a network."""

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", validation_alias=shared("VALOR_LOG_LEVEL"))

    listen: Address = "127.0.0.1:0"
    """Where the service takes calls; port 0 lets the system choose."""

    health: Address = Field("127.0.0.1:0", validation_alias=shared("VALOR_HEALTH"))
    """Where the process answers health probes, in plaintext."""

    metrics: Address = Field("127.0.0.1:0", validation_alias=shared("VALOR_METRICS"))
    """Where the process shows its metrics."""

    stop_with_parent: bool = Field(default=False, validation_alias=shared("VALOR_STOP_WITH_PARENT"))
    """Stop at the end of standard input, so that no process outlives the one that started it."""

    own_memory_limit: int | None = Field(None, gt=0, validation_alias=shared("VALOR_MEMORY_LIMIT"))
    """MB of this process from which it cleans up, and on the way to the emergency takes no new work; unset: never."""

    own_memory_emergency: int | None = Field(None, gt=0, validation_alias=shared("VALOR_MEMORY_EMERGENCY"))
    """MB of this process from which it drains and ends, to be started anew."""

    @field_validator("database_url")
    @classmethod
    def _url(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value() and not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("the URL of a database begins with postgresql://")
        return value

    @model_validator(mode="after")
    def _provable(self) -> Self:
        if self.token is None and self.tls is None:
            raise ValueError("VALOR_TOKEN is not set")
        return self

    @model_validator(mode="after")
    def _climbable(self) -> Self:
        if (self.own_memory_limit is None) is not (self.own_memory_emergency is None):
            raise ValueError("VALOR_MEMORY_LIMIT and VALOR_MEMORY_EMERGENCY belong together, and one is not set")
        if self.own_memory_limit and self.own_memory_emergency and self.own_memory_emergency <= self.own_memory_limit:
            raise ValueError("VALOR_MEMORY_EMERGENCY is not above VALOR_MEMORY_LIMIT")
        return self

    def ladder(self) -> Limits | None:
        """The limits that this process keeps itself; None: it does not."""
        if self.own_memory_limit is None or self.own_memory_emergency is None:
            return None
        return Limits(self.own_memory_limit * MB, self.own_memory_emergency * MB)

    def credential(self) -> Credential:
        """How this process proves who it is. Raises SettingsError."""
        return Certificate(self.tls) if self.tls else Token(self.token.get_secret_value() if self.token else "")

    @property
    def tables_name(self) -> str:
        """What the service's tables are called: a file, or a schema."""
        return self.model_config.get("env_prefix", "").rstrip("_").lower()

    def tables(self) -> "Place":
        """Where the service keeps its tables."""
        name = self.tables_name
        return Place(self.data / f"{name}.db", self.database_url.get_secret_value(), name.replace("-", "_"))


@dataclass(frozen=True)
class Place:
    """Where tables are: in a file, or with a URL in a schema on that server."""

    file: Path
    url: str = field(default="", repr=False)
    schema: str = ""


def load(kind: type[S]) -> S:
    """Read and check the settings; secrets are made known to the logs, which mask them.

    Files in the folder VALOR_SECRETS, named like the variables, count as well: children inherit no file's content.

    Raises:
        SettingsError: Something is missing or wrong; the text is one sentence that names it.
    """
    folder = os.environ.get("VALOR_SECRETS")
    if folder and not Path(folder).is_dir():
        raise SettingsError(f"VALOR_SECRETS is wrong: {folder} is no folder.")
    try:
        settings = kind(_secrets_dir=folder or None)
    except ValidationError as error:
        raise SettingsError(_sentence(kind, error.errors(include_url=False, include_input=False)[0])) from None
    for value in settings.__dict__.values():
        if isinstance(value, SecretStr):
            logs.hide(value.get_secret_value())
    return settings


def environment_name(kind: type[BaseSettings], field: str) -> str:
    """The environment variable that a field is read from."""
    alias = kind.model_fields[field].validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0])
    return f"{kind.model_config.get('env_prefix', '')}{field}".upper()


def _sentence(kind: type[BaseSettings], problem: ErrorDetails) -> str:
    where = str(problem["loc"][0]) if problem["loc"] else ""
    name = environment_name(kind, where) if where in kind.model_fields else where
    if problem["type"] == "missing":
        return f"{name} is not set."
    if problem["type"] in {"too_short", "string_too_short"}:
        return f"{name} is wrong: it needs at least {problem['ctx']['min_length']} characters."
    text = problem["msg"].removeprefix("Value error, ")
    return f"{name} is wrong: {text[:1].lower()}{text[1:].rstrip('.')}." if name else f"{text.rstrip('.')}."
