"""Settings of monitor."""

import re
from typing import Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from services.chassis.ladder import MB, Limits
from services.chassis.settings import ProcessSettings, shared
from services.monitor.model import Target

TARGET = re.compile(r"([a-z]+)=(\S+):(\d{1,5})(?:/(\d{1,5}))?")


class Settings(ProcessSettings):
    """What is watched."""

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

    def judged(self) -> Limits:
        """The limits that every process is judged by."""
        return Limits(self.limit * MB, self.emergency * MB)

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
