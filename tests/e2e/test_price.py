"""What `valor up` says of the model."""

import pytest

from services.cli.price import assumed
from services.cli.run import Run
from tests.support.process import TOKEN
from tests.support.scripted_agent import ScriptedAgent
from valor.agent.v1 import agent_pb2 as pb

ASSUMED = pb.GetModelResponse(
    model="openai:my-own", input_price=15_000_000, output_price=75_500_000, price_assumed=True
)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (
            ASSUMED,
            "Nobody knows the price of openai:my-own: budgets count it as VALOR_MODEL_PRICE=15/75.5. Set yours.\n",
        ),
        (pb.GetModelResponse(model="offline"), ""),
    ],
)
async def test_a_price_that_nobody_knows_is_said_at_the_start(model: pb.GetModelResponse, said: str) -> None:
    agent = ScriptedAgent()
    agent.model = model
    async with agent.serve() as address:
        run = Run(pid=0, token=TOKEN, addresses={"agent": address}, health={}, metrics={}, sandbox=None)
        assert await assumed(run) == said
    assert await assumed(run) == ""
