"""Settings of telegram."""

from pathlib import Path

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ProcessSettings, shared


class Settings(ProcessSettings):
    """The account, and where Telegram and the pipeline are."""

    model_config = SettingsConfigDict(env_prefix="TELEGRAM_")

    api_id: int = Field(gt=0)
    """The application's number, from my.telegram.org."""

    api_hash: SecretStr = Field(min_length=32, max_length=32)
    """The application's secret, from my.telegram.org."""

    bot_token: SecretStr
    """The bot's token, from @BotFather."""

    server: str = ""
    """host:port of another data centre, such as Telegram's test servers; empty: Telegram itself."""

    server_key: Path | None = None
    """The RSA public key of that data centre, a PEM file."""

    pipeline_address: str = Field("127.0.0.1:7204", validation_alias=shared("PIPELINE_ADDRESS"))

    @property
    def tables_name(self) -> str:
        """Each account has tables of its own."""
        return f"telegram-{self.bot_token.get_secret_value().partition(':')[0]}"

    @field_validator("bot_token")
    @classmethod
    def _token(cls, value: SecretStr) -> SecretStr:
        number, _, secret = value.get_secret_value().partition(":")
        if not number.isdigit() or not secret:
            raise ValueError("a bot token looks like 123456:ABC…")
        return value

    @field_validator("server")
    @classmethod
    def _server(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if value and not (host and port.isdecimal() and int(port) <= 65_535):
            raise ValueError("a server is written host:port")
        return value

    @model_validator(mode="after")
    def _key(self) -> "Settings":
        if self.server and self.server_key is None:
            raise ValueError("TELEGRAM_SERVER_KEY has to name the PEM file of TELEGRAM_SERVER's public key")
        return self
