"""Settings of people."""

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ProcessSettings, shared
from services.people.model import Roster


class Settings(ProcessSettings):
    """Who is let in from the start. A person is a numeric user id or an @username."""

    model_config = SettingsConfigDict(env_prefix="PEOPLE_")

    owner: str = Field("", validation_alias=shared("VALOR_OWNER"))
    """The one person who may let others in."""

    allow: str = Field("", validation_alias=shared("VALOR_ALLOW"))
    """Comma list of people who may talk to Valor."""

    @field_validator("owner", "allow")
    @classmethod
    def _people(cls, value: str) -> str:
        for name in _names(value):
            if not (name.isdigit() or (name.startswith("@") and len(name) > 1)):
                raise ValueError(f"{name!r} is neither a numeric user id nor an @username")
        return value

    def roster(self) -> Roster:
        """The settings as a rule."""
        return Roster(owners=frozenset(_names(self.owner)), members=frozenset(_names(self.allow)))


def _names(value: str) -> list[str]:
    return [name.strip().lower() for name in value.split(",") if name.strip()]
