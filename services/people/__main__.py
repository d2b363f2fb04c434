"""Starts people: settings → store → servicer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.chassis import app, server
from services.chassis.database import Database
from services.chassis.health import Health
from services.people import migrations
from services.people.access import Access
from services.people.adapters.store import SqlStore
from services.people.servicer import PeopleServicer, service
from services.people.settings import Settings


@asynccontextmanager
async def serve(settings: Settings, health: Health) -> AsyncIterator[str]:
    """Serve until the block ends; yields the address."""
    async with Database.open(settings.tables(), migrations) as database:
        access = Access(SqlStore(database), settings.roster())
        async with server.serve(service(PeopleServicer(access)), settings, health) as address:
            yield address


if __name__ == "__main__":
    app.main("people", Settings, serve, migrations)
