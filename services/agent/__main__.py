"""Starts agent: settings → model, tools → servicer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.agent.adapters.providers import open_model
from services.agent.adapters.toolrunner import Toolrunner
from services.agent.run_turn import RunTurn
from services.agent.servicer import AgentServicer, service
from services.agent.settings import Settings
from services.chassis import app, client, server
from services.chassis.health import Health


@asynccontextmanager
async def serve(settings: Settings, health: Health) -> AsyncIterator[str]:
    """Serve until the block ends; yields the address."""
    async with open_model(settings) as model, client.connect(settings.toolrunner, settings.credential()) as caller:
        run_turn = RunTurn(model, Toolrunner(caller, settings.tool_patience))
        async with server.serve(service(AgentServicer(run_turn)), settings, health) as address:
            yield address


if __name__ == "__main__":
    app.main("agent", Settings, serve)
