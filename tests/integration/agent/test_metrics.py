"""F95: model calls, their time and their money are counted when models are asked."""

from pathlib import Path

import pytest

from services.chassis.errors import ValorError
from tests.integration.agent.scene import scene
from tests.support.metrics import change
from tests.support.model_server import Reply

MODEL = "anthropic:claude-haiku-4-5"
KEY = "a-key-for-tests"


async def test_a_model_call_is_counted_and_the_turn_tells_what_time_it_took(tmp_path: Path) -> None:
    calls = change("agent_model_calls_total", model=MODEL, outcome="ok")
    money = change("agent_cost_dollars_total", model=MODEL)
    seconds = change("agent_model_seconds_sum", model=MODEL)
    tokens = change("agent_tokens_total", model=MODEL, direction="output")
    async with scene(tmp_path, Reply("Hello to you.", delay=0.2), model=MODEL, anthropic_api_key=KEY) as it:
        output = await it.agent.output("hello")
    assert calls() == 1
    assert tokens() > 0
    assert seconds() == pytest.approx(output.model_time.ToNanoseconds() / 1e9, abs=0.05)
    assert seconds() >= 0.1
    assert money() == pytest.approx(output.usage.cost_micros / 1e6)
    assert money() > 0


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(status=429, error=("rate_limit_error", "x")), "model_rate_limited"),
        (Reply(status=401, error=("authentication_error", "x")), "model_refused_key"),
        (Reply(status=402, error=("billing_error", "x")), "model_no_credit"),
    ],
    ids=["rate limit", "key", "credit"],
)
async def test_a_model_call_that_fails_is_counted_by_its_reason(tmp_path: Path, reply: Reply, outcome: str) -> None:
    calls = change("agent_model_calls_total", model=MODEL, outcome=outcome)
    turns = change("agent_turns_total", outcome=outcome)
    async with scene(tmp_path, reply, model=MODEL, anthropic_api_key=KEY) as it:
        with pytest.raises(ValorError):
            await it.agent.output("hello")
    assert (calls(), turns()) == (1, 1)
