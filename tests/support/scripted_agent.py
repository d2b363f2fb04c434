"""An agent that does what a test tells it, attempt by attempt, and remembers what it saw."""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from services.chassis import server
from services.chassis.health import Health
from services.chassis.settings import ProcessSettings
from tests.support.process import TOKEN
from valor.agent.v1 import agent_pb2 as pb
from valor.agent.v1 import agent_pb2_grpc as rpc
from valor.common.v1 import common_pb2 as common

Requests = AsyncIterator[pb.RunTurnRequest]


@dataclass
class Act:
    """One attempt at one turn: what the pipeline gave to it, and the means to answer."""

    start: pb.Start
    requests: Requests
    context: Any
    begin: float = field(default_factory=time.monotonic)
    end: float = 0.0
    ending: str = ""
    """How it ended: "answered", "failed" or "cancelled"; empty while it runs."""
    acknowledged: list[int] = field(default_factory=list)
    tokens: int = 0
    """What each model step reads, and pays in millionths of a dollar."""
    cost: int = 0
    steers: list[pb.Steer] = field(default_factory=list)
    """What it was told meanwhile."""
    model_seconds: float | None = 0.0
    """What it says that the model took; None: it is of an earlier version."""
    took: list[str] = field(default_factory=list)
    """The steers that the answer is said to cover."""

    @property
    def question(self) -> str:
        return self.start.question.text

    @property
    def scope(self) -> common.Scope:
        return common.Scope.FromString(self.start.scope.scope)

    @property
    def history(self) -> list[str]:
        return [said.text for said in self.start.history]

    async def say(self, text: str, *, restart: bool = False) -> None:
        await self.context.write(pb.RunTurnResponse(delta=pb.Delta(text=text, restart=restart)))

    async def step(self, number: int, checkpoint: bytes = b"", **fields: Any) -> None:
        """Finish a model step, and wait for its acknowledgement."""
        await self.offer(number, checkpoint, **fields)
        assert (await self.reply()).ack.step == number
        self.acknowledged.append(number)

    async def offer(self, number: int, checkpoint: bytes = b"", **fields: Any) -> None:
        """Finish a model step, and do not wait."""
        usage = common.Usage(requests=number, input_tokens=self.tokens, cost_micros=self.cost)
        step = pb.Step(step=number, checkpoint=checkpoint, usage=usage, **fields)
        await self.context.write(pb.RunTurnResponse(step=step))

    async def tool(self, step: int, index: int, name: str) -> None:
        """Say that a tool ran."""
        await self.context.write(pb.RunTurnResponse(tool_started=pb.ToolStarted(step=step, index=index, name=name)))
        await self.context.write(pb.RunTurnResponse(tool_finished=pb.ToolFinished(step=step, index=index)))

    async def host(self, name: str, arguments: object = None, *, raw: str | None = None, index: int = 7) -> Any:
        """Ask the conversation for something; its answer."""
        call = pb.HostCall(step=1, index=index, name=name, arguments=json.dumps(arguments) if raw is None else raw)
        await self.context.write(pb.RunTurnResponse(host_call=call))
        result = (await self.reply()).host_result
        assert (result.step, result.index) == (1, index)
        return json.loads(result.content)

    async def reply(self) -> pb.RunTurnRequest:
        """The next request that is no steer."""
        while (request := await anext(self.requests)).HasField("steer"):
            self.steers.append(request.steer)
        return request

    async def steered(self) -> pb.Steer:
        """Wait for the next steer."""
        request = await anext(self.requests)
        assert request.HasField("steer"), request
        self.steers.append(request.steer)
        return request.steer


Script = Callable[[Act], Awaitable[str | None]]
"""Returns the answer; None ends the stream without one."""


async def echo(act: Act) -> str:
    return f"answer to {act.question}"


async def hang(act: Act) -> None:
    await asyncio.Event().wait()


def fails(error: Exception) -> Script:
    async def script(act: Act) -> None:
        raise error

    return script


class ScriptedAgent(rpc.AgentServiceServicer):
    """Plays the scripts of a question one after another, the last one again and again; else `script`."""

    def __init__(self) -> None:
        self.script: Script = echo
        self.acts: list[Act] = []
        self.model = pb.GetModelResponse(model="scripted")
        self.tokens = self.cost = 0
        """What a model call of the attempts that begin now reads and costs."""
        self._scripts: dict[str, list[Script]] = defaultdict(list)

    def on(self, question: str, *scripts: Script) -> None:
        self._scripts[question] = list(scripts)

    def of(self, question: str) -> list[Act]:
        """The attempts at a question."""
        return [act for act in self.acts if act.question == question]

    def running(self) -> list[Act]:
        return [act for act in self.acts if not act.ending]

    async def RunTurn(self, request_iterator: Requests, context: Any) -> AsyncIterator[pb.RunTurnResponse]:  # noqa: N802
        requests = aiter(request_iterator)
        act = Act((await anext(requests)).start, requests, context, tokens=self.tokens, cost=self.cost)
        self.acts.append(act)
        try:
            await context.send_initial_metadata((("accepted", "1"),))
            text = await self._next_script(act.question)(act)
            act.ending = "answered"
        except asyncio.CancelledError:
            act.ending = "cancelled"
            raise
        except BaseException:
            act.ending = "failed"
            raise
        finally:
            act.end = time.monotonic()
        if text is not None:
            last = common.Usage(requests=1, input_tokens=act.tokens, cost_micros=act.cost)
            usage = common.Usage(requests=1, output_tokens=3)
            output = pb.Output(text=text, usage=usage, last_usage=last, steer_ids=act.took)
            if act.model_seconds is not None:
                output.model_time.FromNanoseconds(int(act.model_seconds * 1e9))
            yield pb.RunTurnResponse(output=output)

    async def GetModel(self, _request: pb.GetModelRequest, _context: Any) -> pb.GetModelResponse:  # noqa: N802
        return self.model

    def _next_script(self, question: str) -> Script:
        scripts = self._scripts[question]
        if not scripts:
            return self.script
        return scripts.pop(0) if len(scripts) > 1 else scripts[0]

    @asynccontextmanager
    async def serve(self, listen: str = "127.0.0.1:0", *, grace: float = 0.0) -> AsyncIterator[str]:
        """Take calls until the block ends; yields the address."""
        name = pb.DESCRIPTOR.services_by_name["AgentService"].full_name
        offer = server.Service(name, lambda to: rpc.add_AgentServiceServicer_to_server(self, to))
        settings = ProcessSettings(token=TOKEN, listen=listen)
        async with server.serve(offer, settings, Health(), grace=grace) as address:
            yield address
