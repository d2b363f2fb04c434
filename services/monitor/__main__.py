"""Starts monitor: settings → probes → watch → alarm, scaling → page and servicer."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from services.chassis import app, client, server
from services.chassis.health import Health
from services.monitor import http, metrics, scaler, servicer
from services.monitor.adapters.alertmanager import Alertmanager
from services.monitor.adapters.bot import Bot
from services.monitor.adapters.health import HealthPorts
from services.monitor.adapters.machine import ThisMachine
from services.monitor.adapters.pages import MetricsPages
from services.monitor.adapters.pipeline import PipelineQueue
from services.monitor.adapters.post import poster
from services.monitor.adapters.resolver import Resolver
from services.monitor.adapters.webhook import Webhook
from services.monitor.alarm import Alarm
from services.monitor.history import History
from services.monitor.outbox import Sender
from services.monitor.ports import Channel
from services.monitor.scaler import Scaler
from services.monitor.scaling import Scaling
from services.monitor.servicer import MonitorServicer
from services.monitor.settings import Settings
from services.monitor.status import Reporter
from services.monitor.watch import Listener, Watch


@asynccontextmanager
async def serve(settings: Settings, health: Health) -> AsyncIterator[str]:
    """Serve until the block ends; yields the address."""
    async with AsyncExitStack() as stack:
        history = History()
        alarm = Alarm(history, await _senders(settings, stack), metrics.INSTANCE)
        scaling = Scaling(settings.sessions)
        watch = await _watch(settings, stack, [history.add, alarm.look, scaling.look, metrics.show])
        reporter = Reporter(watch, history, alarm, scaling)
        reporter.page = await stack.enter_async_context(http.serve(settings.http, reporter, settings.passwords()))
        offer, keda = servicer.service(MonitorServicer(reporter)), Scaler(watch, scaling)
        also = [scaler.service(keda)]
        address = await stack.enter_async_context(server.serve(offer, settings, health, also=also))
        stack.callback(keda.close)
        await stack.enter_async_context(_running([watch.run(), *(sender.run() for sender in alarm.senders)]))
        yield address


async def _watch(settings: Settings, stack: AsyncExitStack, listeners: list[Listener]) -> Watch:
    queue = None
    if settings.pipeline:
        queue = PipelineQueue(await stack.enter_async_context(client.connect(settings.pipeline, settings.credential())))
    return Watch(
        settings.watched(),
        names=Resolver(),
        prober=await stack.enter_async_context(HealthPorts.open()),
        pages=await stack.enter_async_context(MetricsPages.open()),
        machine=ThisMachine(),
        queue=queue,
        limits=settings.judged(),
        interval=settings.interval,
        listeners=listeners,
    )


async def _senders(settings: Settings, stack: AsyncExitStack) -> list[Sender]:
    """A sender for each channel that the settings name."""
    session = await stack.enter_async_context(poster())
    channels: list[Channel] = []
    if settings.alert_webhook:
        channels.append(Webhook(session, settings.alert_webhook.get_secret_value()))
    if settings.alert_telegram_chat and settings.bot_token:
        token = settings.bot_token.get_secret_value()
        channels.append(Bot(session, settings.alert_telegram_url, token, settings.alert_telegram_chat))
    if settings.alert_alertmanager:
        channels.append(Alertmanager(session, settings.alert_alertmanager.get_secret_value()))
    return [Sender(channel) for channel in channels]


@asynccontextmanager
async def _running(work: list[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Do all of it until the block ends; what breaks ends the process, for a monitor must not be blind in silence."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


if __name__ == "__main__":
    app.main("monitor", Settings, serve)
