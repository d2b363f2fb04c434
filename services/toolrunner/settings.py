"""Settings of toolrunner."""

from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ProcessSettings, shared


class Settings(ProcessSettings):
    """What tools may use."""

    model_config = SettingsConfigDict(env_prefix="TOOLRUNNER_")

    scope_key: SecretStr = Field(validation_alias=shared("VALOR_SCOPE_KEY"), min_length=32)
    """Signs the scopes of turns; only pipeline holds it too."""

    knowledge: Path | None = None
    """The folder of .md and .txt documents to search; unset: `knowledge` in the data folder."""

    calls: int = Field(32, ge=1, le=1_000)
    """Tool calls that run at once; more wait."""

    workers: int = Field(2, ge=1, le=64)
    """Sandboxes that run at once, a process each: as many as there are cores to spare."""

    @field_validator("knowledge")
    @classmethod
    def _folder(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_dir():
            raise ValueError(f"{value} is no folder")
        return value

    def documents(self) -> Path:
        """The folder of documents."""
        return self.knowledge or self.data / "knowledge"
