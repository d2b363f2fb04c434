"""A house of separate processes whose networks, store, model and Telegram are in our hand."""

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from services.chassis import logs
from services.cli import plan as plans
from services.cli.plan import Plan
from services.cli.ready import ready
from services.cli.run import Run
from services.cli.supervisor import processes
from services.testdc.remote import Sandbox
from tests.chaos import replicas
from tests.chaos.links import CALLS, STORES, links
from tests.chaos.model import Model
from tests.chaos.people import Cast, assemble, usernames
from tests.chaos.store import Server
from tests.support import model_server
from tests.support.wire import Wire

SCOPES = ("PERSON", "CHAT", "TOTAL")
"""Of budgets: a call that is lost in a crash costs what was reserved for it, and here many are."""
BOT_TOKEN = "4242:chaos-needs-no-secret"


@dataclass
class House:
    """What a run works with."""

    sandbox: Sandbox
    cast: Cast
    model: Model
    links: dict[str, Wire]
    server: Server | None


@dataclass(frozen=True)
class WiredPlan(Plan):
    """A plan whose processes reach each other through links."""

    links: dict[str, Wire]
    server: Server | None

    def process_environment(self, process: str) -> dict[str, str]:
        """The environment of one process: what it calls is at the end of its own wires."""
        wires = {f"{callee.upper()}_ADDRESS": self._to(f"{process}-{callee}") for callee in CALLS.get(process, ())}
        if process == "telegram":
            wires["TELEGRAM_SERVER"] = self.links["telegram-sandbox"].address
        if process == "agent":
            wires["VALOR_MODEL_URL"] = f"http://{self.links['agent-model'].address}"
        if self.server is not None and process in STORES:
            wires["VALOR_DATABASE"] = self.server.url_at(self.links[f"{process}-postgres"].address)
        return super().process_environment(process) | wires

    def _to(self, name: str) -> str:
        """All replicas at once, as gRPC names them."""
        found = [self.links[each].address for each in (name, f"{name}-2") if each in self.links]
        return found[0] if len(found) == 1 else f"ipv4:{','.join(found)}"


@asynccontextmanager
async def house(folder: Path, chance: random.Random, server: Server | None) -> AsyncIterator[House]:
    """Valor on this folder, until the block ends; on a server every service that allows it runs twice."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sandbox.json").write_text(json.dumps({"bot_token": BOT_TOKEN}))
    cast, model = assemble(folder / "testdc", BOT_TOKEN), Model(chance)
    logs.setup("info", (folder / "house.log").open("a", buffering=1))
    with plans.first_port() as first:
        plan = plans.make({"VALOR_DATA": str(folder)}, processes=True, first=first)
        async with (
            model_server.serving(model.reply) as answers,
            links(targets(plan.run, answers.url.removeprefix("http://"), server)) as wires,
        ):
            wired = WiredPlan(plan.folder, plan.run, plan.environment | _settings(cast), wires, server)
            async with processes(wired):
                await ready(wired.run, asyncio.Event(), slow=print)
                async with replicas.running(wired, twice=server is not None), sandbox_of(wired) as sandbox:
                    yield House(sandbox, cast, model, wires, server)


def _settings(cast: Cast) -> dict[str, str]:
    return {
        "VALOR_ALLOW": usernames(cast.people),
        "VALOR_GROUPS": ",".join(str(group.id) for group in cast.groups),
        "VALOR_MODEL": "anthropic:claude-haiku-4-5",
        "ANTHROPIC_API_KEY": "none",
        "PIPELINE_RATE_PER_MINUTE": "100000",
        **{f"VALOR_BUDGET_{scope}_{window}": "none" for scope in SCOPES for window in ("DAY", "MONTH")},
        "VALOR_LOG_LEVEL": os.environ.get("VALOR_LOG_LEVEL", "info"),
    }


def targets(run: Run, model: str, server: Server | None) -> Mapping[str, str]:
    pairs = [(caller, callee) for caller, callees in CALLS.items() for callee in callees]
    targets = {f"{caller}-{callee}": run.addresses[callee] for caller, callee in pairs}
    if run.sandbox is None:
        raise LookupError("the house has no sandbox")
    targets |= {"telegram-sandbox": run.sandbox.listen, "agent-model": model}
    if server is not None:
        second = replicas.second(run).addresses
        targets |= {f"{caller}-{callee}-2": second[callee] for caller, callee in pairs}
        targets |= {f"{name}-postgres": server.address for name in STORES}
    return targets


@asynccontextmanager
async def sandbox_of(plan: Plan) -> AsyncIterator[Sandbox]:
    if plan.run.sandbox is None:
        raise LookupError("the house has no sandbox")
    host, _, port = plan.run.sandbox.control.rpartition(":")
    async with Sandbox.connect(host, int(port), plan.run.sandbox.token) as sandbox:
        yield sandbox
