"""A house of separate processes, its people, and a model that does what the last question says."""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from services.chassis import client, logs
from services.cli import plan as plans
from services.cli.plan import Plan
from services.cli.ready import ready
from services.cli.supervisor import processes
from services.testdc.model import Account, Group
from services.testdc.remote import Sandbox
from services.testdc.server import TestDC
from tests.chaos.house import BOT_TOKEN, WiredPlan, sandbox_of, targets
from tests.chaos.links import links
from tests.observability.prometheus import Prometheus, prometheus
from tests.support import model_server
from tests.support.model_server import Reply, Request
from tests.support.wire import Wire
from valor.monitor.v1 import monitor_pb2, monitor_pb2_grpc
from valor.pipeline.v1 import pipeline_pb2 as pb
from valor.pipeline.v1 import pipeline_pb2_grpc as rpc

PEOPLE = 16
SETTINGS = {
    "VALOR_MODEL": "anthropic:claude-haiku-4-5",
    "ANTHROPIC_API_KEY": "none",
    "VALOR_BUDGET_PERSON_DAY": "20000 tokens",
    "VALOR_BUDGET_TOTAL_DAY": "100000 tokens",
    "AGENT_TOOL_PATIENCE": "0.3",
    "MONITOR_INTERVAL": "1",
}
"""A model call takes 30 tokens here, and one that is stopped what was reserved for it, some 7,000: three of them are
what a person has, and fourteen what all have."""

LONG = "One word after the other, and then one more. " * 20
ASKED = re.compile(r"please (\w+)")
REPLIES = {
    "calculate": Reply(calls=(("run_python", {"code": "17 * 23"}),)),
    "look": Reply(calls=(("search_knowledge", {"query": "holidays"}),)),
    "slow": Reply(LONG, chunks=30, delay=3),
    "endless": Reply(LONG, chunks=400, delay=60),
    "overloaded": Reply(status=529, error=("overloaded_error", "x")),
    "limited": Reply(status=429, error=("rate_limit_error", "x"), retry_after=1),
    "refused": Reply(status=400, error=("invalid_request_error", "x")),
    "key": Reply(status=401, error=("authentication_error", "x")),
}
"""What a question that says `please …` gets; all others are answered at once."""


def script(request: Request) -> Reply:
    """The model's answer: to what was asked last, or to what its tool found."""
    content = request["messages"][-1]["content"]
    if isinstance(content, list) and any(part["type"] == "tool_result" for part in content):
        return Reply("That is what I found.")
    text = content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)
    words = ASKED.findall(text)
    return REPLIES.get(words[-1], Reply("Here you are.", delay=0.2)) if words else Reply("Hello!")


@dataclass
class Scene:
    """Everything of a run."""

    plan: Plan
    sandbox: Sandbox
    bot: Account
    people: Sequence[Account]
    group: Group
    links: dict[str, Wire]
    prometheus: Prometheus

    async def ask(self, who: Account, text: str, limit: float = 30.0) -> None:
        """Say something in private, and wait for the bot's next message."""
        await self.sandbox.ask(who, self.bot, text, limit)

    async def say(self, who: Account, text: str) -> None:
        """Say something in private; a command where it begins with a slash."""
        command = re.match(r"/\w+", text)
        entities = [{"type": "BotCommand", "offset": 0, "length": command.end()}] if command else []
        await self.sandbox.say(who, self.bot, text, entities=entities)

    async def waste(self, people: Sequence[Account]) -> None:
        """Ask for something endless, all at once, and stop it when it runs."""
        for who in people:
            await self.say(who, "please endless")
        await self.prometheus.until(f"pipeline_live_turns == {len(people)}", 30)
        for who in people:
            await self.say(who, "/stop")
        await self.prometheus.until("pipeline_live_turns == 0", 30)

    def process(self, service: str) -> psutil.Process:
        """The running process of a service."""
        children = psutil.Process(os.getpid()).children()
        return next(child for child in children if child.cmdline()[-1:] == [f"services.{service}"])

    async def drop_letters(self) -> None:
        """`valor dead drop` for all there are."""
        run = self.plan.run
        async with client.connect(run.addresses["pipeline"], run.credential) as caller:
            stub = rpc.PipelineServiceStub(caller.channel)
            letters = (await caller.call(stub.ListDeadLetters, pb.ListDeadLettersRequest(), timeout=5)).dead_letters
            for letter in letters:
                request = pb.DropDeadLetterRequest(letter_id=letter.letter_id)
                await caller.call(stub.DropDeadLetter, request, timeout=5)

    async def status(self) -> None:
        """`valor status`."""
        run = self.plan.run
        async with client.connect(run.addresses["monitor"], run.credential) as caller:
            stub = monitor_pb2_grpc.MonitorServiceStub(caller.channel)
            await caller.call(stub.GetHealth, monitor_pb2.GetHealthRequest(), timeout=10)


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    """Valor on this folder with a Prometheus beside it, until the block ends."""
    (folder / "sandbox.json").write_text(json.dumps({"bot_token": BOT_TOKEN}))
    (folder / "knowledge").mkdir()
    (folder / "knowledge" / "handbook.md").write_text("# Holidays\nAsk Ada.")
    bot, people, group = _assemble(folder / "testdc")
    logs.setup("info", (folder / "house.log").open("a", buffering=1))
    async with AsyncExitStack() as running:
        start = running.enter_async_context
        plan = plans.make({"VALOR_DATA": str(folder)}, processes=True, first=running.enter_context(plans.first_port()))
        model, webhook = await start(model_server.serving(script)), await start(_webhook())
        wires = await start(links(targets(plan.run, model.url.removeprefix("http://"), None)))
        own = {
            "VALOR_ALLOW": ",".join(f"@{one.username}" for one in people),
            "VALOR_GROUPS": str(group.id),
            "MONITOR_ALERT_WEBHOOK": webhook,
        }
        wired = WiredPlan(plan.folder, plan.run, plan.environment | SETTINGS | own, wires, None)
        await start(processes(wired))
        await ready(wired.run, asyncio.Event(), slow=print)
        sandbox = await start(sandbox_of(wired))
        watching = await start(prometheus(folder / "prometheus", wired.run.metrics))
        await watching.until(f"count(up == 1) == {len(wired.run.metrics)}", 30)
        yield Scene(wired, sandbox, bot, people, group, wires, watching)


def _assemble(folder: Path) -> tuple[Account, list[Account], Group]:
    """Make the people in the world of a folder, before anything runs on it."""
    dc = TestDC(folder)
    try:
        bot = dc.world.add_bot("Valor", BOT_TOKEN)
        people = [dc.world.add_user(f"Person{n}", f"person{n}") for n in range(PEOPLE)]
        return bot, people, dc.world.add_group("Team", bot, *people[:3])
    finally:
        dc.world.close()


@asynccontextmanager
async def _webhook() -> AsyncIterator[str]:
    """Who hears of monitor's own alerts."""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
