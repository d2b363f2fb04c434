"""Starts the pipeline: settings → store, agent, people → use cases → servicer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from services.chassis import app, client, server
from services.chassis.client import Caller
from services.chassis.database import Database
from services.chassis.health import Health
from services.chassis.server import Service
from services.pipeline import migrations
from services.pipeline.adapters.agent import GrpcAgent
from services.pipeline.adapters.fleeting import Relay
from services.pipeline.adapters.markdown import MarkdownRenderer
from services.pipeline.adapters.people import GrpcPeople
from services.pipeline.adapters.store import SqlStore
from services.pipeline.dispatch import Dispatcher
from services.pipeline.follow import Followers
from services.pipeline.gate import Pace, Room
from services.pipeline.keep import Keeper
from services.pipeline.model import Limits
from services.pipeline.orchestrate import Orchestrator
from services.pipeline.respond import Responder
from services.pipeline.servicer import PipelineServicer, service
from services.pipeline.settings import Settings
from services.pipeline.spending import Spending
from services.pipeline.stage import Stage
from services.pipeline.submit import Submit

GRACE = 3.0
"""Seconds that running turns get at the end; the rest goes on from its checkpoints at the next start."""

LEASE, BEAT = 0.8, 0.1
"""The length of a lease, and the time between two signs of life, as parts of the time that a takeover may take."""


@asynccontextmanager
async def serve(settings: Settings, health: Health) -> AsyncIterator[str]:
    """Serve until the block ends; yields the address."""
    credential = settings.credential()
    async with (
        Database.open(settings.tables(), migrations) as database,
        client.connect(settings.agent_address, credential, retries=False) as agent,
        client.connect(settings.people_address, credential) as people,
        _house(settings, database, agent, people, admitted=lambda: not health.shedding) as (offer, leave),
        server.serve(offer, settings, health) as address,
    ):
        yield address
        await health.set(offer.name, serving=False)
        await leave()


@asynccontextmanager
async def _house(
    settings: Settings, database: Database, to_agent: Caller, to_people: Caller, *, admitted: Callable[[], bool]
) -> AsyncIterator[tuple[Service, Callable[[], Awaitable[None]]]]:
    burst = max(1, int(settings.rate_per_minute))
    room = Room(settings.waiting_person, settings.waiting_total)
    store = SqlStore(database, Pace(settings.rate_per_minute, burst), room=room, lease=settings.lease_seconds * LEASE)
    agent = GrpcAgent(to_agent, settings.scope_key.get_secret_value().encode(), settings.turn_seconds)
    people, renderer, followers = GrpcPeople(to_people), MarkdownRenderer(), Followers(store)
    stage = Stage(followers, store, renderer)
    spending = Spending(store, agent, settings.limits)
    orchestrator = Orchestrator(store, agent, stage, spending, limits=Limits(), seconds=settings.turn_seconds)
    responder = Responder(
        store=store,
        people=people,
        orchestrator=orchestrator,
        spending=spending,
        stage=stage,
        renderer=renderer,
        groups=settings.listed(),
    )
    dispatcher = Dispatcher(store, responder.run, settings.capacity, admitted)
    keeper = Keeper(store)
    database.listen("lanes", dispatcher.look_at)
    database.listen("lanes", orchestrator.look_at)
    database.listen("revoked", dispatcher.revoke)
    database.listen("parts", followers.look_at)
    database.listen("parts", keeper.look_at)
    database.listen("promises", keeper.wake)
    await store.reclaim()
    work = [stage.play(), dispatcher.poll(), dispatcher.claim(), keeper.run(), spending.measure()]
    if database.shared:
        followers.elsewhere = Relay(database, followers.show_here).send
        database.catch_up(followers.look_at_all)
        work.append(dispatcher.beat(settings.lease_seconds * BEAT))
    async with asyncio.TaskGroup() as tasks:
        loops = [tasks.create_task(loop) for loop in work]
        submit = Submit(store, people, renderer, settings.listed())

        async def leave() -> None:
            await dispatcher.stop(GRACE)
            followers.close()

        yield service(PipelineServicer(submit, store, followers)), leave
        for loop in loops:
            loop.cancel()


if __name__ == "__main__":
    app.main("pipeline", Settings, serve, migrations)
