"""Settings of the pipeline."""

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import Address, ProcessSettings, shared
from services.pipeline import budget
from services.pipeline.budget import Limit, Price, Scope, Window

DEFAULTS = {
    (Scope.PERSON, Window.DAY): "2 USD",
    (Scope.TOTAL, Window.DAY): "20 USD",
    (Scope.TOTAL, Window.MONTH): "200 USD",
}
"""What may be spent where the settings say nothing and the model costs money."""


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

    budget_person_day: str = Field("", validation_alias=shared("VALOR_BUDGET_PERSON_DAY"))
    """What one person may use in a day: `2 USD`, `200000 tokens`, or `none`. So the other five. Not set: `DEFAULTS`."""

    budget_person_month: str = Field("", validation_alias=shared("VALOR_BUDGET_PERSON_MONTH"))
    budget_chat_day: str = Field("", validation_alias=shared("VALOR_BUDGET_CHAT_DAY"))
    budget_chat_month: str = Field("", validation_alias=shared("VALOR_BUDGET_CHAT_MONTH"))
    budget_total_day: str = Field("", validation_alias=shared("VALOR_BUDGET_TOTAL_DAY"))
    budget_total_month: str = Field("", validation_alias=shared("VALOR_BUDGET_TOTAL_MONTH"))

    waiting_person: int = Field(2_000, gt=0)
    """Turns of one person that may wait; more are taken when these are answered."""

    waiting_total: int = Field(20_000, gt=0)
    """The same for all people together."""

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

    @field_validator(*(f"budget_{scope}_{window}" for scope in Scope for window in Window))
    @classmethod
    def _amounts(cls, value: str) -> str:
        if value:
            budget.parse(value)
        return value

    def limits(self, price: Price) -> tuple[Limit, ...]:
        """The limits that hold for a model of this price."""
        limits = (self._limit(scope, window, price) for scope in Scope for window in Window)
        return tuple(limit for limit in limits if limit is not None)

    def _limit(self, scope: Scope, window: Window, price: Price) -> Limit | None:
        default = budget.NONE if price.free else DEFAULTS.get((scope, window), budget.NONE)
        amount = budget.parse(getattr(self, f"budget_{scope}_{window}") or default)
        return None if amount is None else Limit(scope, window, *amount)

    def listed(self) -> frozenset[int]:
        """The group ids."""
        return frozenset(int(name) for name in _names(self.groups))


def _names(value: str) -> list[str]:
    return [name.strip() for name in value.split(",") if name.strip()]
