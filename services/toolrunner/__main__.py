"""Starts toolrunner: settings → ledger, sandbox, knowledge → tools → servicer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.chassis import app, server
from services.chassis.database import Database
from services.chassis.health import Health
from services.toolrunner import migrations, tools
from services.toolrunner.adapters.ledger import SqlLedger
from services.toolrunner.adapters.library import Library
from services.toolrunner.adapters.monty import MontySandbox
from services.toolrunner.call import Calls
from services.toolrunner.servicer import ToolrunnerServicer, service
from services.toolrunner.settings import Settings


@asynccontextmanager
async def serve(settings: Settings, health: Health) -> AsyncIterator[str]:
    """Serve until the block ends; yields the address."""
    async with (
        Database.open(settings.tables(), migrations) as database,
        MontySandbox.open(settings.workers) as sandbox,
    ):
        library, ledger = Library(database, settings.documents()), SqlLedger(database)
        await library.refresh()
        key = settings.scope_key.get_secret_value().encode()
        async with Calls(tools.catalogue(sandbox, library), ledger, at_once=settings.calls).open() as calls:
            servicer = ToolrunnerServicer(calls, ledger, key)
            async with server.serve(service(servicer), settings, health) as address:
                yield address


if __name__ == "__main__":
    app.main("toolrunner", Settings, serve, migrations)
