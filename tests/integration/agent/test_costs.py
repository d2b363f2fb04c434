"""What a turn cost, as its caller hears of it."""

from pathlib import Path
from typing import Any

import pytest

from tests.integration.agent.scene import Toolrunner, agent, scene
from tests.support.model_server import Reply
from valor.agent.v1 import agent_pb2 as pb

LOOK = Reply(calls=(("look", {}),))
EMPTY, DONE = Reply(), Reply("Done.")
CALL = 20 * 3 + 10 * 15
"""Each reply of the server's says 20 tokens read and 10 written."""


async def test_every_call_is_paid_once_and_an_empty_one_too(tmp_path: Path) -> None:
    replies = (LOOK, EMPTY, LOOK, EMPTY, DONE)
    async with scene(tmp_path, *replies, model_price="3/15") as it, it.agent.turn("hello") as turn:
        output = await turn.output()
        paid = [event.step.usage.cost_micros for event in turn.events if event.HasField("step")]
        assert (paid, output.last_usage.cost_micros) == ([CALL, 2 * CALL], 2 * CALL)
        assert output.last_usage.requests == 2
        assert output.usage.cost_micros == 5 * CALL
        assert len(it.model.requests) == 5


async def test_what_an_earlier_attempt_paid_is_in_the_whole_and_not_in_the_last_call(tmp_path: Path) -> None:
    async with scene(tmp_path, LOOK, DONE, model_price="3/15") as it:
        async with it.agent.turn("hello") as turn:
            await turn.until("step")
        output = await it.agent.output("hello", checkpoints=turn.checkpoints)
        assert (output.usage.cost_micros, output.last_usage.cost_micros) == (2 * CALL, CALL)


@pytest.mark.parametrize(
    ("settings", "prices", "assumed"),
    [
        ({"model": "anthropic:claude-haiku-5-5"}, (100_000, 500_000), False),
        ({"model": "openai-chat:gpt-5"}, (1_250_000, 10_000_000), False),
        ({"model": "openai-chat:my-own"}, (15_000_000, 75_000_000), True),
        ({"model": "openai-chat:my-own", "model_price": "0/0"}, (0, 0), False),
    ],
)
async def test_the_model_says_what_it_costs(
    tmp_path: Path, settings: dict[str, Any], prices: tuple[int, int], *, assumed: bool
) -> None:
    async with scene(tmp_path, DONE, max_tokens=512, **settings) as it:
        model = await it.agent.model()
        assert (model.model, model.max_output_tokens) == (settings["model"], 512)
        assert (model.input_price, model.output_price, model.price_assumed) == (*prices, assumed)
        output = await it.agent.output("hello")
        assert (output.usage.cost_micros > 0) == (prices != (0, 0))


async def test_the_offline_model_is_free(tmp_path: Path) -> None:
    async with Toolrunner().serving() as address, agent(tmp_path, address) as it:
        assert (await it.model()) == pb.GetModelResponse(model="offline", max_output_tokens=4096)
        assert (await it.output("hello")).usage.cost_micros == 0
