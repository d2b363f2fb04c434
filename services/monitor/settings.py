"""Settings of monitor."""

import re

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

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

    @field_validator("targets")
    @classmethod
    def _readable(cls, value: str) -> str:
        _targets(value)
        return value

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
