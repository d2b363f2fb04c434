"""The sandbox Telegram inside the house's own process: a local data centre, its bot, and the person who talks to it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from services.chassis.errors import SettingsError
from services.cli.actors import address, people
from services.cli.plan import Plan
from services.testdc.control import Control
from services.testdc.server import TestDC
from services.testdc.store import FolderError

BOT = "Valor"


@asynccontextmanager
async def sandbox_telegram(plan: Plan) -> AsyncIterator[int]:
    """Run the sandbox in this process until the block ends; yields the person's id.

    Raises:
        SettingsError: The data folder cannot hold it, or its ports are taken.
    """
    run = plan.sandbox
    host, port = address(run.listen)
    try:
        dc = TestDC(plan.folder / "testdc", host=host, port=port)
    except FolderError as error:
        raise SettingsError(f"VALOR_DATA is wrong: {error}.") from None
    (plan.folder / "testdc" / "server_key.pem").write_text(dc.server_key.public_pem)
    dc.world.add_bot(BOT, run.bot_token)
    async with AsyncExitStack() as running:
        try:
            await running.enter_async_context(dc)
            await running.enter_async_context(Control(dc, run.token, *address(run.control)))
        except OSError:
            raise SettingsError(f"Cannot listen on {run.listen} and {run.control}: one of them is taken.") from None
        _, person, _ = await running.enter_async_context(people(run))
        yield person.id
