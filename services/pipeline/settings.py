"""Settings of the pipeline."""

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import Address, ProcessSettings, shared


class Settings(ProcessSettings):
    """Who is served how fast, and where the agent and people are."""

    model_config = SettingsConfigDict(env_prefix="PIPELINE_")

    agent_address: Address = Field("127.0.0.1:7203", validation_alias=shared("AGENT_ADDRESS"))
    people_address: Address = Field("127.0.0.1:7201", validation_alias=shared("PEOPLE_ADDRESS"))

    scope_key: SecretStr = Field(validation_alias=shared("VALOR_SCOPE_KEY"), min_length=32)
    """Signs what a turn may do; only pipeline and toolrunner hold it."""

    groups: str = Field("", validation_alias=shared("VALOR_GROUPS"))
    """Comma list of group ids in which everybody may talk to Valor. Elsewhere only the owner may."""

    rate_per_minute: float = Field(30.0, gt=0, allow_inf_nan=False)
    """Messages of one person that are taken a minute; what comes faster waits its turn."""

    capacity: int = Field(10_000, gt=0)
    """Turns at once; a live turn costs about 100 KB over all services."""

    turn_seconds: float = Field(600.0, gt=0, allow_inf_nan=False)
    """How long one turn may take, all attempts together."""

    lease_seconds: float = Field(10.0, ge=0.3, allow_inf_nan=False)
    """Within this time the turns of a replica that died go on at another."""

    @field_validator("groups")
    @classmethod
    def _groups(cls, value: str) -> str:
        for name in _names(value):
            if not name.removeprefix("-").isdecimal():
                raise ValueError(f"{name!r} is no group id, such as -1001234567890")
        return value

    def listed(self) -> frozenset[int]:
        """The group ids."""
        return frozenset(int(name) for name in _names(self.groups))


def _names(value: str) -> list[str]:
    return [name.strip() for name in value.split(",") if name.strip()]
