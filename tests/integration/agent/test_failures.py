"""A model that fails, in each way that models fail."""

from pathlib import Path

import pytest

from services.chassis.errors import Exhausted, SettingsError, TimedOut, Unavailable, ValorError, WrongState
from tests.integration.agent.scene import agent, scene
from tests.support.model_server import Reply

LONG = "A text of some length, in pieces. " * 4
KEY = "secret-key"
LONELY = {"model_url": "http://127.0.0.1:1", "tool_patience": 0}
SECRETS = (KEY, "127.0.0.1", "the prompt", "private words")


@pytest.mark.parametrize("model", ["anthropic:claude-haiku-5-5", "openai-chat:gpt-5"])
@pytest.mark.parametrize(
    ("reply", "cls", "reason"),
    [
        pytest.param(Reply(status=429, error=("rate_limit_error", "x")), Exhausted, "MODEL_RATE_LIMITED", id="429"),
        pytest.param(Reply(status=529, error=("overloaded_error", "x")), Unavailable, "MODEL_OVERLOADED", id="529"),
        pytest.param(Reply(status=503), Unavailable, "MODEL_OVERLOADED", id="503"),
        pytest.param(Reply(status=500), Unavailable, "MODEL_OVERLOADED", id="500"),
        pytest.param(Reply(status=401, error=("authentication_error", "x")), WrongState, "MODEL_REFUSED_KEY", id="401"),
        pytest.param(Reply(status=403, error=("permission_error", "x")), WrongState, "MODEL_REFUSED_KEY", id="403"),
        pytest.param(Reply(status=402, error=("billing_error", "x")), WrongState, "MODEL_NO_CREDIT", id="402"),
        pytest.param(Reply(status=404, error=("not_found_error", "x")), WrongState, "MODEL_UNKNOWN", id="404"),
        pytest.param(
            Reply(status=400, error=("invalid_request_error", "private words")),
            WrongState,
            "MODEL_REFUSED_REQUEST",
            id="400",
        ),
        pytest.param(
            Reply(status=413, error=("request_too_large", "x")), WrongState, "MODEL_REFUSED_REQUEST", id="413"
        ),
        pytest.param(Reply(LONG, fault="cut"), Unavailable, "MODEL_UNREACHABLE", id="cut"),
        pytest.param(Reply(LONG, fault="end"), Unavailable, "MODEL_UNREACHABLE", id="ends early"),
        pytest.param(Reply(LONG, fault="garbage"), Unavailable, "MODEL_UNREACHABLE", id="garbage in the stream"),
        pytest.param(Reply(LONG, fault="page"), Unavailable, "MODEL_UNREACHABLE", id="a web page"),
        pytest.param(Reply(LONG, fault="stall"), TimedOut, "MODEL_TIMEOUT", id="silence"),
    ],
)
async def test_every_failure_has_its_reason(
    tmp_path: Path, model: str, reply: Reply, cls: type[ValorError], reason: str
) -> None:
    async with scene(
        tmp_path, reply, model=model, silence_timeout=0.3, anthropic_api_key=KEY, openai_api_key=KEY
    ) as it:
        with pytest.raises(cls) as error:
            await it.agent.output("the prompt")
        assert error.value.reason == reason
        assert not [secret for secret in SECRETS if secret in error.value.message]
        assert len(it.model.requests) == 1


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("anthropic:claude-haiku-5-5", ("invalid_request_error", "prompt is too long: 300000 tokens > 200000 maximum")),
        ("openai-chat:gpt-5", ("context_length_exceeded", "maximum context length")),
    ],
)
async def test_a_text_that_is_too_long_is_called_so(tmp_path: Path, model: str, error: tuple[str, str]) -> None:
    async with scene(tmp_path, Reply(status=400, error=error), model=model) as it:
        with pytest.raises(WrongState) as raised:
            await it.agent.output("Hi!")
        assert raised.value.reason == "MODEL_CONTEXT_EXCEEDED"


@pytest.mark.parametrize(
    ("model", "reply"),
    [
        ("anthropic:claude-haiku-5-5", Reply(status=429, error=("billing_error", "x"))),
        (
            "anthropic:claude-haiku-5-5",
            Reply(status=400, error=("invalid_request_error", "Your credit balance is too low")),
        ),
        ("openai-chat:gpt-5", Reply(status=429, error=("insufficient_quota", "You exceeded your current quota"))),
    ],
    ids=["a bill", "a balance", "a quota"],
)
async def test_an_account_without_credit_is_neither_a_limit_nor_the_questions_fault(
    tmp_path: Path, model: str, reply: Reply
) -> None:
    async with scene(tmp_path, reply, model=model) as it:
        with pytest.raises(WrongState) as error:
            await it.agent.output("Hi!")
        assert error.value.reason == "MODEL_NO_CREDIT"


async def test_what_the_provider_says_about_waiting_is_passed_on(tmp_path: Path) -> None:
    async with scene(tmp_path, Reply(status=429, error=("rate_limit_error", "x"), retry_after=7)) as it:
        with pytest.raises(Exhausted) as error:
            await it.agent.output("Hi!")
        assert error.value.retry_after == 7


async def test_an_error_in_the_midst_of_an_answer_is_the_same_error(tmp_path: Path) -> None:
    overloaded = Reply(LONG, fault="error", error=("overloaded_error", "x"))
    async with scene(tmp_path, overloaded) as it:
        with pytest.raises(Unavailable) as error:
            await it.agent.output("Hi!")
        assert error.value.reason == "MODEL_OVERLOADED"


async def test_an_answer_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    slow = Reply(LONG, chunks=100, delay=60)
    async with scene(tmp_path, slow, answer_timeout=0.2) as it:
        with pytest.raises(TimedOut) as error:
            await it.agent.output("Hi!")
        assert error.value.reason == "MODEL_TIMEOUT"
        await it.model.until(lambda model: model.streams == 0)


async def test_a_model_that_nobody_serves_is_unreachable(tmp_path: Path) -> None:
    async with agent(tmp_path, "127.0.0.1:1", **LONELY, model="anthropic:x") as it:
        with pytest.raises(Unavailable) as error:
            await it.output("Hi!")
        assert error.value.reason == "MODEL_UNREACHABLE"


async def test_openais_newer_protocol_needs_no_more_than_its_name(tmp_path: Path) -> None:
    async with agent(tmp_path, "127.0.0.1:1", **LONELY, model="openai:gpt-5") as it:
        with pytest.raises(Unavailable) as error:
            await it.output("Hi!")
        assert error.value.reason == "MODEL_UNREACHABLE"


@pytest.mark.parametrize("model", ["nobody:x", "groq:x"])
async def test_a_model_that_cannot_be_had_is_said_at_the_start(tmp_path: Path, model: str) -> None:
    with pytest.raises(SettingsError, match=r"^VALOR_MODEL is wrong: .*\.$"):
        async with agent(tmp_path, "127.0.0.1:1", model=model):
            pass
