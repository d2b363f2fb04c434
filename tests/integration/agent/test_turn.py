"""A turn without tools, over the real wire on both sides."""

from pathlib import Path
from typing import Any

import pytest

from services.chassis.errors import InvalidArgument, WrongState
from tests.integration.agent.scene import agent, scene, start
from tests.support.model_server import Reply, serving
from valor.agent.v1 import agent_pb2 as pb

STORY = "Once upon a time there was a turn, and it ended well for everybody. " * 3


def content(message: dict[str, Any]) -> str:
    return "".join(part["text"] for part in message["content"])


async def test_an_answer_is_streamed_and_comes_whole_at_the_end(tmp_path: Path) -> None:
    async with scene(tmp_path, Reply(STORY, chunks=40, delay=0.2)) as it, it.agent.turn("Tell me a story.") as turn:
        output = await turn.output()
        assert output.text == turn.shown == STORY
        assert 2 <= len(turn.deltas) <= 8
        assert (output.usage.requests, output.usage.input_tokens, output.usage.output_tokens) == (1, 20, 10)
        assert output.model == "claude-test"
        assert turn.kinds[-1] == "output"


async def test_the_first_words_come_while_the_model_still_writes(tmp_path: Path) -> None:
    cut = Reply(STORY, chunks=2, fault="stall")
    async with scene(tmp_path, cut) as it, it.agent.turn("Tell me a story.") as turn:
        event = await turn.call.read()
        assert isinstance(event, pb.RunTurnResponse)
        assert STORY.startswith(event.delta.text)
        assert it.model.streams == 1


async def test_the_model_is_told_the_conversation_and_who_it_is(tmp_path: Path) -> None:
    persona = tmp_path / "persona.txt"
    persona.write_text("You are Eve.", encoding="utf-8")
    async with scene(tmp_path, Reply("Yes."), persona=persona) as it:
        history = [("Ada", "Hi."), ("Bob", "Hello."), ("", "Good day.")]
        reply_to = pb.Said(speaker="Bob", text="It rains.")
        await it.agent.output("Does it?", history=history, group=True, reply_to=reply_to)
        (request,) = it.model.requests
        assert request["system"][0]["text"].startswith("You are Eve.")
        assert "This is a group" in request["system"][0]["text"]
        assert [(message["role"], content(message)) for message in request["messages"]] == [
            ("user", "Ada: Hi.\n\nBob: Hello."),
            ("assistant", "Good day."),
            ("user", "> In reply to Bob:\n> It rains.\n\nAda: Does it?"),
        ]
        assert [tool["name"] for tool in request["tools"]] == ["search_history", "react", "make_promise", "look"]
        assert request["stream"] is True


async def test_openais_protocol_is_spoken_too(tmp_path: Path) -> None:
    look = Reply("Wait.", calls=(("look", {"at": "sky"}),))
    async with scene(tmp_path, look, Reply(STORY, chunks=40), model="openai-chat:gpt-5") as it:
        async with it.agent.turn("Tell me a story.") as turn:
            output = await turn.output()
            assert output.text == turn.shown == STORY
        assert it.model.requests[1]["messages"][-1]["content"] == 'seen: {"at": "sky"}'
        assert (output.usage.requests, output.usage.input_tokens) == (2, 40)


async def test_any_other_model_that_pydantic_ai_knows_answers_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(lambda _request: Reply(STORY)) as model:
        monkeypatch.setenv("OLLAMA_BASE_URL", model.url)
        async with agent(tmp_path, "127.0.0.1:1", model="ollama:llama", tool_patience=0) as it:
            assert (await it.output("Tell me a story.")).text == STORY


async def test_an_empty_answer_is_asked_for_once_more(tmp_path: Path) -> None:
    async with scene(tmp_path, Reply(""), Reply("Here.")) as it:
        output = await it.agent.output("Hello?")
        assert output.text == "Here."
        assert output.usage.requests == len(it.model.requests) == 2


async def test_two_empty_answers_end_the_turn(tmp_path: Path) -> None:
    async with scene(tmp_path, Reply(" ")) as it:
        with pytest.raises(WrongState) as error:
            await it.agent.output("Hello?")
        assert error.value.reason == "MODEL_EMPTY"
        assert len(it.model.requests) == 2


@pytest.mark.parametrize(
    ("events", "field"),
    [
        pytest.param([{"ack": pb.Ack(step=1)}], "start", id="no start"),
        pytest.param([{"start": start(" ")}], "start.question.text", id="no question"),
        pytest.param([{"start": start("Hi", limits=(0, 1, 1))}], "start.limits.steps", id="no steps"),
        pytest.param([{"start": start("Hi", checkpoints=[b"[]"])}], "start.checkpoints[0]", id="empty checkpoint"),
        pytest.param([{"start": start("Hi", checkpoints=[b"x"])}], "start.checkpoints[0]", id="broken checkpoint"),
        pytest.param([{"start": start("Hi", scope=b"\xff")}], "start.scope.scope", id="broken scope"),
        pytest.param([{"start": start("Hi")}, {"start": start("Hi")}], "event", id="a second start"),
        pytest.param([{"start": start("Hi")}, {}], "event", id="an empty event"),
        pytest.param([{"start": start("Hi")}, {"ack": pb.Ack(step=1)}], "ack.step", id="an ack of nothing"),
        pytest.param(
            [{"start": start("Hi")}, {"host_result": pb.HostResult(step=1, content="1")}],
            "host_result.index",
            id="a result of nothing",
        ),
    ],
)
async def test_a_caller_who_breaks_the_contract_is_told(
    tmp_path: Path, events: list[dict[str, Any]], field: str
) -> None:
    async with scene(tmp_path, Reply(STORY, fault="stall")) as it, it.agent.stream() as stream:
        for event in events:
            await stream.send(**event)
        with pytest.raises(InvalidArgument) as error:
            await stream.next()
        assert error.value.field == field
        await it.model.until(lambda model: model.streams == 0)
