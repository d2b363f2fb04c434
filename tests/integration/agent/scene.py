"""What stands around an agent in its tests: a toolrunner that keeps its contract, and a pipeline that drives a turn."""

import json
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from services.agent.__main__ import serve
from services.agent.settings import Settings
from services.chassis import server
from services.chassis.client import Caller, translated
from services.chassis.health import Health
from services.chassis.settings import ProcessSettings
from tests.support.model_server import ModelServer, Reply, serving
from tests.support.process import TOKEN, running
from valor.agent.v1 import agent_pb2 as pb
from valor.agent.v1 import agent_pb2_grpc as rpc
from valor.common.v1 import common_pb2 as common
from valor.toolrunner.v1 import toolrunner_pb2 as tools
from valor.toolrunner.v1 import toolrunner_pb2_grpc as tools_rpc

Run = Callable[[dict[str, Any]], Awaitable[str | tools.ToolError]]
Key = tuple[str, int, int]


class Toolrunner(tools_rpc.ToolrunnerServiceServicer):
    """Runs functions as tools, each key (turn, step, index) once."""

    def __init__(self, **functions: Run) -> None:
        self.functions = functions
        self.ran: Counter[Key] = Counter()
        self.lists = 0
        self.acting: set[str] = set()
        """Tools that change something."""
        self._ledger: dict[Key, tools.CallToolResponse] = {}

    async def ListTools(self, _request: tools.ListToolsRequest, _context: Any) -> tools.ListToolsResponse:  # noqa: N802
        self.lists += 1
        schema = json.dumps({"type": "object", "properties": {}})
        return tools.ListToolsResponse(
            tools=[
                tools.Tool(name=name, description=name, input_schema=schema, side_effects=name in self.acting)
                for name in self.functions
            ]
        )

    async def CallTool(self, request: tools.CallToolRequest, _context: Any) -> tools.CallToolResponse:  # noqa: N802
        scope = common.Scope.FromString(request.scope.scope)
        key = (scope.turn_id, request.step, request.index)
        if key not in self._ledger:
            self.ran[key] += 1
            result = await self.functions[request.name](json.loads(request.arguments))
            outcome = {"content": result} if isinstance(result, str) else {"error": result}
            self._ledger[key] = tools.CallToolResponse(**outcome)
        return self._ledger[key]

    async def ListCalls(self, _request: tools.ListCallsRequest, _context: Any) -> tools.ListCallsResponse:  # noqa: N802
        raise NotImplementedError

    @asynccontextmanager
    async def serving(self, listen: str = "127.0.0.1:0") -> AsyncIterator[str]:
        """Serve until the block ends; yields the address."""
        name = tools.DESCRIPTOR.services_by_name["ToolrunnerService"].full_name
        service = server.Service(name, lambda at: tools_rpc.add_ToolrunnerServiceServicer_to_server(self, at))
        settings = ProcessSettings(token=TOKEN, listen=listen)
        async with server.serve(service, settings, Health(), grace=0) as address:
            yield address


class Turn:
    """One attempt at a turn, as the pipeline drives it."""

    def __init__(self, call: "grpc.aio.StreamStreamCall[pb.RunTurnRequest, pb.RunTurnResponse]") -> None:
        self.call = call
        self.events: list[pb.RunTurnResponse] = []
        self.served: list[tuple[str, Any]] = []
        self.host: dict[str, str] = {}

    @property
    def checkpoints(self) -> list[bytes]:
        return [event.step.checkpoint for event in self.events if event.HasField("step")]

    @property
    def kinds(self) -> list[str]:
        return [str(event.WhichOneof("event")) for event in self.events]

    @property
    def deltas(self) -> list[pb.Delta]:
        return [event.delta for event in self.events if event.HasField("delta")]

    @property
    def shown(self) -> str:
        """The text as a person sees it in the end."""
        text = ""
        for delta in self.deltas:
            text = delta.text if delta.restart else text + delta.text
        return text

    async def send(self, **event: Any) -> None:
        await self.call.write(pb.RunTurnRequest(**event))

    async def next(self) -> pb.RunTurnResponse:
        """The next event that is not text."""
        with translated():
            while True:
                event = await self.call.read()
                assert isinstance(event, pb.RunTurnResponse), "the stream ended"
                self.events.append(event)
                if not event.HasField("delta"):
                    return event

    async def until(self, kind: str) -> pb.RunTurnResponse:
        """Drive the turn up to an event of this kind, which is not answered."""
        while (event := await self.next()).WhichOneof("event") != kind:
            await self._react(event)
        return event

    async def output(self) -> pb.Output:
        """Drive the turn to its end."""
        output = (await self.until("output")).output
        with translated():
            assert await self.call.read() is grpc.aio.EOF
        return output

    async def _react(self, event: pb.RunTurnResponse) -> None:
        if event.HasField("step"):
            await self.send(ack=pb.Ack(step=event.step.step))
        elif event.HasField("host_call"):
            call = event.host_call
            self.served.append((call.name, json.loads(call.arguments)))
            result = pb.HostResult(step=call.step, index=call.index, content=self.host[call.name])
            await self.send(host_result=result)


def start(
    text: str,
    *,
    turn_id: str = "turn-1",
    speaker: str = "Ada",
    history: Sequence[tuple[str, str]] = (),
    checkpoints: Sequence[bytes] = (),
    rights: Sequence[str] = ("tools",),
    limits: tuple[int, int, int] = (8, 16, 3),
    scope: bytes = b"",
    **more: Any,
) -> pb.Start:
    """The first event of a turn."""
    scope = scope or common.Scope(turn_id=turn_id, rights=rights).SerializeToString()
    return pb.Start(
        turn_id=turn_id,
        scope=common.SignedScope(scope=scope),
        question=pb.Said(speaker=speaker, text=text),
        history=[pb.Said(speaker=who, text=said) for who, said in history],
        checkpoints=checkpoints,
        limits=pb.Limits(steps=limits[0], tool_calls=limits[1], equal_calls=limits[2]),
        **more,
    )


class Agent:
    """A running agent."""

    def __init__(self, caller: Caller) -> None:
        self._caller, self._stub = caller, rpc.AgentServiceStub(caller.channel)

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[Turn]:
        """An open stream; leaving the block cancels it."""
        call = self._stub.RunTurn(metadata=self._caller.metadata())
        try:
            yield Turn(call)
        finally:
            call.cancel()

    @asynccontextmanager
    async def turn(self, text: str, **options: Any) -> AsyncIterator[Turn]:
        """A turn that has begun; leaving the block cancels it."""
        async with self.stream() as turn:
            await turn.send(start=start(text, **options))
            yield turn

    async def model(self) -> pb.GetModelResponse:
        """What the agent says of its model."""
        return await self._caller.call(self._stub.GetModel, pb.GetModelRequest(), timeout=5)

    async def output(self, text: str, **options: Any) -> pb.Output:
        """The end of a turn that is driven to it."""
        async with self.turn(text, **options) as turn:
            return await turn.output()


@asynccontextmanager
async def agent(folder: Path, toolrunner: str, **settings: Any) -> AsyncIterator[Agent]:
    """An agent that runs until the block ends."""
    async with running(serve, Settings(data=folder, token=TOKEN, toolrunner=toolrunner, **settings)) as caller:
        yield Agent(caller)


@dataclass(frozen=True)
class Scene:
    """An agent between a model and a toolrunner."""

    agent: Agent
    model: ModelServer
    toolrunner: Toolrunner


@asynccontextmanager
async def scene(
    folder: Path, *replies: Reply, toolrunner: Toolrunner | None = None, **settings: Any
) -> AsyncIterator[Scene]:
    """A scene whose model gives these replies in turn, the last one again and again."""
    toolrunner = toolrunner or Toolrunner(look=_look)
    left = deque(replies)
    chosen = {"model": "anthropic:claude-haiku-5-5", "silence_timeout": 5.0, **settings}
    async with (
        toolrunner.serving() as address,
        serving(lambda _request: left.popleft() if len(left) > 1 else left[0]) as model,
        agent(folder, address, **{"model_url": model.url, **chosen}) as running_agent,
    ):
        yield Scene(running_agent, model, toolrunner)


async def _look(arguments: dict[str, Any]) -> str:
    return f"seen: {json.dumps(arguments)}"
