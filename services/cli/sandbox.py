"""The sandbox Telegram of a house: a local data centre, its bot, and the one person who talks to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.chassis.errors import SettingsError
from services.cli.plan import Plan, SandboxRun
from services.testdc.control import Control
from services.testdc.model import Account
from services.testdc.remote import Sandbox
from services.testdc.server import TestDC
from services.testdc.store import FolderError

BOT = "Valor"
PERSON = "Sam"
USERNAME = "sam"
"""Who the person at the terminal is in the sandbox; the house's owner."""


@asynccontextmanager
async def sandbox_telegram(plan: Plan) -> AsyncIterator[int]:
    """Run the sandbox in this process until the block ends; yields the person's id."""
    run = plan.run.sandbox
    if run is None:
        raise LookupError("this house has no sandbox")
    host, port = _address(run.listen)
    try:
        dc = TestDC(plan.folder / "testdc", host=host, port=port)
    except FolderError as error:
        raise SettingsError(f"VALOR_DATA is wrong: {error}.") from None
    (plan.folder / "testdc" / "server_key.pem").write_text(dc.server_key.public_pem)
    dc.world.add_bot(BOT, run.bot_token)
    async with dc, Control(dc, run.token, *_address(run.control)), people(run) as (_, person, _):
        yield person.id


@asynccontextmanager
async def people(run: SandboxRun) -> AsyncIterator[tuple[Sandbox, Account, Account]]:
    """Act in a running sandbox: the sandbox, the person at the terminal (made if new), and the bot."""
    async with Sandbox.connect(*_address(run.control), run.token) as sandbox:
        accounts, _ = await sandbox.accounts()
        person = next((account for account in accounts if account.username == USERNAME), None)
        bot = next(account for account in accounts if account.id == run.bot_id)
        yield sandbox, person or await sandbox.add_user(PERSON, USERNAME), bot


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)
