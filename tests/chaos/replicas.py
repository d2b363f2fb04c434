"""Second replicas of a house's services, for a store that several processes may share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from services.cli.plan import Plan
from services.cli.run import Run
from services.cli.supervisor import Child

TWICE = ("people", "toolrunner", "agent", "pipeline", "telegram")
"""What runs twice. The second telegram stands by until the first one loses the account."""
FURTHER = 400
"""Ports between a replica and its second, within the house's own block."""


def second(run: Run) -> Run:
    """Where the second replicas are."""
    return replace(
        run,
        addresses={name: _further(address) for name, address in run.addresses.items()},
        health={name: _further(address) for name, address in run.health.items()},
        metrics={name: _further(address) for name, address in run.metrics.items()},
    )


def _further(address: str) -> str:
    host, _, port = address.rpartition(":")
    return f"{host}:{int(port) + FURTHER}"


@asynccontextmanager
async def running(plan: Plan, *, twice: bool) -> AsyncIterator[None]:
    """Run a second replica of each until the block ends, kept alive like the first one."""
    children = [_child(name, replace(plan, run=second(plan.run))) for name in TWICE if twice]
    async with asyncio.TaskGroup() as tasks:
        for child in children:
            tasks.create_task(child.keep())
        try:
            yield
        finally:
            await asyncio.gather(*(child.stop() for child in reversed(children)))


def _child(name: str, plan: Plan) -> Child:
    listen = {f"{name.upper()}_LISTEN": plan.run.addresses[name]} if name in plan.run.addresses else {}
    return Child(name, plan.process_environment(name) | listen, plan.folder / "logs" / f"{name}-2.log")
