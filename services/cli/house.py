"""A whole house in one process: every service behind its own address, one event loop, one health and metrics port."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module

from services.chassis import app, metrics, settings
from services.chassis.settings import ProcessSettings
from services.cli.plan import SERVICES, Plan
from services.cli.sandbox import sandbox_telegram


@asynccontextmanager
async def one_process(plan: Plan, stop: asyncio.Event) -> AsyncIterator[None]:
    """Serve everything until the block ends, which `stop` asks for; the services stop in reverse order.

    Raises:
        SettingsError: A setting is missing or wrong.
    """
    async with AsyncExitStack() as house:
        if plan.run.sandbox is not None:
            plan.settle_owner(await house.enter_async_context(sandbox_telegram(plan)))
        os.environ.update(plan.process_environment("valor"))
        health = await house.enter_async_context(app.process("valor", settings.load(ProcessSettings), stop))
        metrics.announce(*SERVICES)
        for name in SERVICES:
            service = import_module(f"services.{name}.__main__")
            await house.enter_async_context(service.serve(settings.load(service.Settings), health))
        yield
