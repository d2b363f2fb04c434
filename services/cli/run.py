"""A house that runs: where it is, and what shows that a command belongs to it."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.chassis import settings
from services.chassis.credential import Certificate, Credential, Token
from services.chassis.errors import SettingsError
from services.chassis.settings import Address, ProcessSettings, shared


@dataclass(frozen=True)
class SandboxRun:
    """Where the sandbox Telegram is, and who is who in it."""

    listen: str
    control: str
    token: str
    bot_token: str

    @property
    def bot_id(self) -> int:
        """The bot's user id."""
        return int(self.bot_token.partition(":")[0])


@dataclass(frozen=True)
class Run:
    """A running house, as `run.json` in its data folder tells other commands."""

    pid: int
    token: str
    addresses: dict[str, str]
    health: dict[str, str]
    metrics: dict[str, str]
    sandbox: SandboxRun | None
    tls: str = ""
    """The folder of the commands' certificate, where the house is in a cluster."""
    page: str = ""
    """Where monitor shows its status page."""

    @property
    def credential(self) -> Credential:
        """What shows that a command belongs to the house."""
        return Certificate(Path(self.tls)) if self.tls else Token(self.token)

    def save(self, folder: Path) -> None:
        """Tell where the house is; the file holds the run's secrets, so nobody else may read it."""
        path = folder / "run.json"
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(self), file, indent=1)

    @staticmethod
    def load(folder: Path) -> "Run":
        """Where the house of this folder is.

        Raises:
            SettingsError: Nothing runs there.
        """
        try:
            found: dict[str, Any] = json.loads((folder / "run.json").read_text())
            os.kill(found["pid"], 0)
        except (OSError, ValueError, KeyError):
            raise SettingsError(f"Nothing runs on {folder}: start it with `valor up`, or set VALOR_DATA.") from None
        sandbox = found.pop("sandbox")
        return Run(**found, sandbox=SandboxRun(**sandbox) if sandbox else None)

    @staticmethod
    def in_cluster() -> "Run":
        """The house of the cluster that this process is a toolbox of.

        Raises:
            SettingsError: A setting is missing or wrong.
        """
        toolbox = settings.load(Toolbox)
        addresses = {name: getattr(toolbox, name) for name in ("people", "agent", "pipeline", "monitor")}
        control, token, bot = toolbox.sandbox_control, toolbox.sandbox_token, toolbox.bot_token
        sandbox = None
        if control and token and bot:
            sandbox = SandboxRun("", control, token.get_secret_value(), bot.get_secret_value())
        return Run(0, "", addresses, {}, {}, sandbox, str(toolbox.tls))


class Toolbox(ProcessSettings):
    """What the commands need in a cluster, where no data folder tells them."""

    model_config = SettingsConfigDict(env_prefix="CLI_")

    tls: Path = Field(validation_alias=shared("VALOR_TLS"))
    people: Address = Field(validation_alias=shared("PEOPLE_ADDRESS"))
    agent: Address = Field(validation_alias=shared("AGENT_ADDRESS"))
    pipeline: Address = Field(validation_alias=shared("PIPELINE_ADDRESS"))
    monitor: Address = Field(validation_alias=shared("MONITOR_ADDRESS"))
    sandbox_control: Address | None = Field(None, validation_alias=shared("TESTDC_CONTROL"))
    sandbox_token: SecretStr | None = Field(None, validation_alias=shared("TESTDC_TOKEN"))
    bot_token: SecretStr | None = Field(None, validation_alias=shared("TELEGRAM_BOT_TOKEN"))
