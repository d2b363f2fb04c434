"""Who acts in the sandbox Telegram of a house: the person at the terminal, and the bot that they talk to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.cli.run import SandboxRun
from services.testdc.model import Account
from services.testdc.remote import Sandbox

PERSON = "Sam"
USERNAME = "sam"
"""Who the person at the terminal is in the sandbox; the house's owner."""


@asynccontextmanager
async def people(run: SandboxRun) -> AsyncIterator[tuple[Sandbox, Account, Account]]:
    """Act in a running sandbox: the sandbox, the person at the terminal (made if new), and the bot.

    Raises:
        ConnectionError: The sandbox is not there.
    """
    async with Sandbox.connect(*address(run.control), run.token) as sandbox:
        accounts, _ = await sandbox.accounts()
        person = next((account for account in accounts if account.username == USERNAME), None)
        bot = next(account for account in accounts if account.id == run.bot_id)
        yield sandbox, person or await sandbox.add_user(PERSON, USERNAME), bot


def address(text: str) -> tuple[str, int]:
    """The host and the port of `host:port`."""
    host, _, port = text.rpartition(":")
    return host, int(port)
