"""Starts telegram: settings → tables and pipeline → account → receive and deliver. A lost login is made anew."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from services.chassis import app, client, logs
from services.chassis.client import Caller
from services.chassis.database import Database
from services.chassis.errors import LostOwnership
from services.chassis.health import Health
from services.telegram import migrations, report
from services.telegram.adapters.account import Account, connected
from services.telegram.adapters.intake import Intake
from services.telegram.adapters.lease import SqlLease
from services.telegram.adapters.pipeline import GrpcPipeline
from services.telegram.adapters.sender import TelegramSender
from services.telegram.adapters.store import SqlStore
from services.telegram.adapters.updates import TelegramUpdates
from services.telegram.deliver import Deliverer
from services.telegram.inbox import Inbox
from services.telegram.metrics import CONNECTED, LOGGED_OUT
from services.telegram.model import Away, LoggedOut
from services.telegram.ownership import Ownership
from services.telegram.pace import Pace
from services.telegram.receive import Receiver
from services.telegram.settings import Settings
from services.telegram.stop import Stopper

log = logs.get()

NAME = "telegram"

GRACE = 8.0
"""Seconds that sends under way get at the end; the others are looked up and sent at the next start."""

AGAIN = 1.0
"""Seconds before the account is connected again: whoever ended the connection may end the next one as well."""


@asynccontextmanager
async def serve(settings: Settings, health: Health) -> AsyncIterator[str]:
    """Hold the account until the block ends; telegram serves no calls, so the address is Telegram's."""
    async with (
        Database.open(settings.tables(), migrations) as database,
        client.connect(settings.pipeline_address, settings.credential()) as caller,
        asyncio.TaskGroup() as tasks,
    ):
        online, stop = Switch(health), asyncio.Event()
        await online.turn(on=False)
        lease = SqlLease(database)
        ownership = Ownership(lease, alone=not database.shared)
        store = SqlStore(database, lease)
        life = tasks.create_task(_live(settings, store, caller, ownership=ownership, online=online, stop=stop))
        yield settings.server or "Telegram"
        stop.set()
        if not online.on:
            life.cancel()  # nothing is on its way: what it waits for is a login


class Switch:
    """Whether the account takes in what people write, as everybody sees it."""

    def __init__(self, health: Health) -> None:
        self._health, self.on = health, False

    async def turn(self, *, on: bool) -> None:
        """Say so."""
        self.on = on
        CONNECTED.set(int(on))
        await self._health.set(NAME, serving=on)


async def _live(
    settings: Settings, store: SqlStore, caller: Caller, *, ownership: Ownership, online: Switch, stop: asyncio.Event
) -> None:
    """One login after another, each while the account is ours, until told to stop."""
    while not stop.is_set():
        intake = Intake(store)
        try:
            async with ownership.held(), connected(settings, store, intake, ownership.check) as account:
                log.info("logged_in", account=account.account_id)
                await _serve(account, store, caller, intake, online, stop=stop)
        except* LostOwnership:
            log.error("lease_lost")
        except* LoggedOut as lost:
            LOGGED_OUT.inc()
            log.error("logged_out", cause=str(lost.exceptions[0]))
            await store.save_session(None)
        except* Away as lost:
            log.warning("connection_ended", cause=str(lost.exceptions[0]))
        finally:
            await online.turn(on=False)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), AGAIN)


async def _serve(
    account: Account, store: SqlStore, caller: Caller, intake: Intake, online: Switch, *, stop: asyncio.Event
) -> None:
    pipeline = GrpcPipeline(caller, account.account_id, account.username)
    inbox, pace = Inbox(pipeline, store), Pace(store)
    await pace.load()
    receiver = Receiver(TelegramUpdates(account.client, store), store, inbox)
    await receiver.load()
    stopper = Stopper(pipeline)
    deliverer = Deliverer(pipeline, TelegramSender(account.client, store), store, pace, receiver, stopper=stopper)
    intake.open(receiver, stopper)
    try:
        async with asyncio.TaskGroup() as tasks:
            reporting = report.run(pipeline, store)
            works = receiver.run(), _announce(receiver, online), inbox.watch(), account.watch(), account.client.lost()
            reading = [tasks.create_task(work) for work in (*works, reporting)]
            sending = tasks.create_task(deliverer.run())
            await stop.wait()
            sending.cancel()
            await deliverer.stop(GRACE)
            for task in reading:
                task.cancel()
    finally:
        await deliverer.stop(0)
        await stopper.close()
        await inbox.close()


async def _announce(receiver: Receiver, online: Switch) -> None:
    await receiver.begun.wait()
    await online.turn(on=True)
    log.info("online")


if __name__ == "__main__":
    app.main(NAME, Settings, serve, migrations)
