"""A house of separate processes whose networks, model and Telegram are in our hand."""

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from services.chassis import logs
from services.cli import plan as plans
from services.cli.plan import Plan
from services.cli.ready import ready
from services.cli.supervisor import processes
from services.testdc.remote import Sandbox
from tests.chaos.links import CALLS, links
from tests.chaos.model import Model
from tests.chaos.people import Cast, assemble, usernames
from tests.support import model_server
from tests.support.wire import Wire

BOT_TOKEN = "4242:chaos-needs-no-secret"


@dataclass
class House:
    """What a run works with."""

    sandbox: Sandbox
    cast: Cast
    model: Model
    links: dict[str, Wire]


@dataclass(frozen=True)
class WiredPlan(Plan):
    """A plan whose processes reach each other through links."""

    links: dict[str, Wire]

    def process_environment(self, process: str) -> dict[str, str]:
        """The environment of one process: what it calls is at the end of its own wires."""
        wires = {
            f"{callee.upper()}_ADDRESS": self.links[f"{process}-{callee}"].address for callee in CALLS.get(process, ())
        }
        if process == "telegram":
            wires["TELEGRAM_SERVER"] = self.links["telegram-sandbox"].address
        if process == "agent":
            wires["VALOR_MODEL_URL"] = f"http://{self.links['agent-model'].address}"
        return super().process_environment(process) | wires


@asynccontextmanager
async def house(folder: Path, chance: random.Random) -> AsyncIterator[House]:
    """Valor on this folder, until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sandbox.json").write_text(json.dumps({"bot_token": BOT_TOKEN}))
    cast, model = assemble(folder / "testdc", BOT_TOKEN), Model(chance)
    logs.setup("info", (folder / "house.log").open("a", buffering=1))
    with plans.first_port() as first:
        plan = plans.make({"VALOR_DATA": str(folder)}, processes=True, first=first)
        async with (
            model_server.serving(model.reply) as server,
            _wired(plan, server.url.removeprefix("http://")) as wired,
        ):
            wired.environment.update(_settings(cast))
            async with processes(wired):
                await ready(wired.run, asyncio.Event(), slow=print)
                async with _sandbox(wired) as sandbox:
                    yield House(sandbox, cast, model, wired.links)


def _settings(cast: Cast) -> dict[str, str]:
    return {
        "VALOR_ALLOW": usernames(cast.people),
        "VALOR_GROUPS": ",".join(str(group.id) for group in cast.groups),
        "VALOR_MODEL": "anthropic:claude-haiku-4-5",
        "ANTHROPIC_API_KEY": "none",
        "PIPELINE_RATE_PER_MINUTE": "100000",
        "VALOR_LOG_LEVEL": os.environ.get("VALOR_LOG_LEVEL", "info"),
    }


@asynccontextmanager
async def _wired(plan: Plan, model: str) -> AsyncIterator[WiredPlan]:
    targets = {
        f"{caller}-{callee}": plan.run.addresses[callee] for caller, callees in CALLS.items() for callee in callees
    }
    if plan.run.sandbox is None:
        raise LookupError("the house has no sandbox")
    targets |= {"telegram-sandbox": plan.run.sandbox.listen, "agent-model": model}
    async with links(targets) as wires:
        yield WiredPlan(plan.folder, plan.run, plan.environment, wires)


@asynccontextmanager
async def _sandbox(plan: Plan) -> AsyncIterator[Sandbox]:
    if plan.run.sandbox is None:
        raise LookupError("the house has no sandbox")
    host, _, port = plan.run.sandbox.control.rpartition(":")
    async with Sandbox.connect(host, int(port), plan.run.sandbox.token) as sandbox:
        yield sandbox
