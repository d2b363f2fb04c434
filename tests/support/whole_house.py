"""All services in this process, between a sandbox Telegram and a local model; only the model is scripted."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client import REGISTRY

from services.agent import __main__ as agent_main
from services.agent.settings import Settings as AgentSettings
from services.chassis.health import Health
from services.people import __main__ as people_main
from services.people.settings import Settings as PeopleSettings
from services.pipeline import __main__ as pipeline_main
from services.pipeline.settings import Settings as PipelineSettings
from services.telegram import __main__ as telegram_main
from services.telegram.settings import Settings as TelegramSettings
from services.testdc.model import Account, Group, Peer
from services.testdc.server import TestDC
from services.toolrunner import __main__ as toolrunner_main
from services.toolrunner.settings import Settings as ToolrunnerSettings
from tests.support.model_server import ModelServer, Reply, Script, serving
from tests.support.process import TOKEN
from tests.support.sandbox import until

KEY = "the-key-that-signs-scopes-in-tests-only"
LIMIT = 15.0


@dataclass
class WholeHouse:
    """A house that serves one bot; `anna` owns it."""

    dc: TestDC
    bot: Account
    anna: Account
    model: ModelServer
    team: Group = field(init=False)

    def seen(self, chat: Peer | None = None) -> list[tuple[str, int]]:
        """The bot's messages and their topics as Anna sees them."""
        messages = self.dc.world.view(self.anna, chat or self.bot).messages
        return [(seen.text, seen.topic) for seen in messages if seen.sender == self.bot.id]

    async def answered(self, count: int, chat: Peer | None = None) -> list[str]:
        """Wait for so many messages of the bot; their texts."""
        await until(lambda: len(self.seen(chat)) >= count, LIMIT)
        return [text for text, _ in self.seen(chat)]


def _read_until() -> float:
    return REGISTRY.get_sample_value("telegram_verified_timestamp_seconds") or 0.0


def asked(request: dict[str, Any]) -> str:
    """All that people and tools said in a request to the model."""
    parts: list[str] = []
    for message in request["messages"]:
        content = message["content"]
        parts += [content] if isinstance(content, str) else [str(part.get("text", part)) for part in content]
    return "\n".join(parts)


@asynccontextmanager
async def whole_house(dc: TestDC, folder: Path, script: Script) -> AsyncIterator[WholeHouse]:
    """Everything runs until the block ends."""
    bot, anna = dc.world.add_bot("Valor"), dc.world.add_user("Anna", "anna_k")
    team = dc.world.add_group("Team", anna, bot, admins=[anna], forum=True)
    (folder / "key.pem").write_text(dc.server_key.public_pem)
    common: dict[str, Any] = {"data": folder, "token": TOKEN}
    async with AsyncExitStack() as stack:
        start = stack.enter_async_context
        model = await start(serving(script))
        people = await start(people_main.serve(PeopleSettings(owner=str(anna.id), **common), Health()))
        tools = await start(toolrunner_main.serve(ToolrunnerSettings(scope_key=KEY, **common), Health()))
        thinks: dict[str, Any] = {"model": "anthropic:claude-haiku-5-5", "model_url": model.url, "toolrunner": tools}
        agent = await start(agent_main.serve(AgentSettings(**thinks, **common), Health()))
        neighbours: dict[str, Any] = {"agent_address": agent, "people_address": people, "groups": str(team.id)}
        pipeline = await start(pipeline_main.serve(PipelineSettings(scope_key=KEY, **neighbours, **common), Health()))
        account: dict[str, Any] = {
            "api_id": 1,
            "api_hash": "0" * 32,
            "bot_token": bot.token,
            "server": f"{dc.host}:{dc.port}",
        }
        settings = TelegramSettings(server_key=folder / "key.pem", pipeline_address=pipeline, **account, **common)
        read = _read_until()
        await start(telegram_main.serve(settings, Health()))
        await until(lambda: _read_until() > read, LIMIT)
        house = WholeHouse(dc, bot, anna, model)
        house.team = team
        yield house


def tool(name: str, **arguments: Any) -> Reply:
    """The model calls a tool."""
    return Reply(calls=((name, arguments),))
