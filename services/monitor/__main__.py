"""Starts monitor: settings → probes → watch → servicer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.chassis import app, client, server
from services.chassis.health import Health
from services.monitor.adapters.health import HealthPorts
from services.monitor.adapters.machine import ThisMachine
from services.monitor.adapters.pages import MetricsPages
from services.monitor.adapters.pipeline import PipelineQueue
from services.monitor.adapters.resolver import Resolver
from services.monitor.servicer import MonitorServicer, service
from services.monitor.settings import Settings
from services.monitor.watch import Watch


@asynccontextmanager
async def serve(settings: Settings, health: Health) -> AsyncIterator[str]:
    """Serve until the block ends; yields the address."""
    async with HealthPorts.open() as prober, MetricsPages.open() as pages, _queue(settings) as queue:
        watch = Watch(
            settings.watched(),
            names=Resolver(),
            prober=prober,
            pages=pages,
            machine=ThisMachine(),
            queue=queue,
            limits=settings.judged(),
            interval=settings.interval,
        )
        async with _running(watch), server.serve(service(MonitorServicer(watch)), settings, health) as address:
            yield address


@asynccontextmanager
async def _queue(settings: Settings) -> AsyncIterator[PipelineQueue | None]:
    if not settings.pipeline:
        yield None
        return
    async with client.connect(settings.pipeline, settings.credential()) as caller:
        yield PipelineQueue(caller)


@asynccontextmanager
async def _running(watch: Watch) -> AsyncIterator[None]:
    task = asyncio.create_task(watch.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


if __name__ == "__main__":
    app.main("monitor", Settings, serve)
