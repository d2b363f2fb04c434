"""The gRPC edge of agent: one stream each way ⇄ one turn."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration

from services.agent.exchange import Exchange
from services.agent.model import (
    Delta,
    Event,
    HostCall,
    Limits,
    Output,
    Promise,
    Said,
    Scope,
    Steer,
    Step,
    ToolFinished,
    ToolStarted,
    Turn,
    Usage,
)
from services.agent.run_turn import RunTurn
from services.chassis.errors import InvalidArgument, WrongState
from services.chassis.server import Service
from valor.agent.v1 import agent_pb2 as pb
from valor.agent.v1 import agent_pb2_grpc as rpc
from valor.common.v1 import common_pb2 as common

Context = grpc.aio.ServicerContext[Any, Any]

CALLERS = {"RunTurn": ("pipeline",), "GetModel": ("pipeline", "cli")}
"""Who may call what."""
Requests = AsyncIterator[pb.RunTurnRequest]


class AgentServicer(rpc.AgentServiceServicer):
    """Serves `AgentService`."""

    def __init__(self, use_case: RunTurn) -> None:
        self._use_case = use_case

    async def RunTurn(self, request_iterator: Requests, context: Context) -> AsyncIterator[pb.RunTurnResponse]:
        """One attempt at one turn. It ends with the stream: whoever leaves stops the model and the tools."""
        turn = _turn(await anext(request_iterator, pb.RunTurnRequest()))
        # From here on gRPC cannot repeat the call by itself, and pay twice; and the caller knows that it may be billed.
        await context.send_initial_metadata((("accepted", "1"),))
        exchange = Exchange()
        running = asyncio.create_task(self._run(turn, exchange))
        reading = asyncio.create_task(_read(request_iterator, exchange))
        for task in (running, reading):
            task.add_done_callback(lambda _: exchange.close())
        # Never cancelled: gRPC would keep the operation's memory. It ends with the stream; how is nobody's matter then.
        reading.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            async for event in exchange.events():
                yield _response(event)
            await (running if running.done() else reading)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.GetModelResponse:
        """The model that answers, and what it costs."""
        about = self._use_case.about
        return pb.GetModelResponse(
            model=about.name,
            input_price=about.price.input,
            output_price=about.price.output,
            price_assumed=about.price.assumed,
            max_output_tokens=about.max_output_tokens,
        )

    async def _run(self, turn: Turn, exchange: Exchange) -> None:
        exchange.send(await self._use_case.run(turn, exchange))


async def _read(requests: Requests, exchange: Exchange) -> None:
    """Take what the caller sends for as long as the turn runs."""
    async for request in requests:
        match request.WhichOneof("event"):
            case "ack":
                exchange.acknowledge(request.ack.step)
            case "host_result":
                result = request.host_result
                exchange.answer(result.step, result.index, result.content)
            case "steer":
                steer = request.steer
                exchange.steer(Steer(steer.steer_id, _said(steer.said), steer.rewords))
            case other:
                raise InvalidArgument(f"{other or 'An empty event'} does not belong here.", field="event")
    raise WrongState("The caller closed the stream before the turn ended.", reason="STREAM_CLOSED")


def service(servicer: AgentServicer) -> Service:
    """The service as a server offers it."""
    name = pb.DESCRIPTOR.services_by_name["AgentService"].full_name
    return Service(name, lambda server: rpc.add_AgentServiceServicer_to_server(servicer, server), CALLERS)


def _turn(request: pb.RunTurnRequest) -> Turn:
    if request.WhichOneof("event") != "start":
        raise InvalidArgument("The first event must be start.", field="start")
    start = request.start
    limits = Limits(start.limits.steps, start.limits.tool_calls, start.limits.equal_calls)
    if limits.steps < 1:
        raise InvalidArgument("start.limits.steps must be at least 1.", field="start.limits.steps")
    if not start.question.text.strip():
        raise InvalidArgument("start.question.text is empty.", field="start.question.text")
    return Turn(
        scope=Scope(start.scope.scope, start.scope.signature),
        question=_said(start.question),
        reply_to=_said(start.reply_to) if start.HasField("reply_to") else None,
        history=tuple(_said(said) for said in start.history),
        group=start.group,
        checkpoints=tuple(start.checkpoints),
        limits=limits,
        promise=_promise(start.promise) if start.HasField("promise") else None,
    )


def _promise(message: pb.Promise) -> Promise:
    return Promise(message.create_time.ToMicroseconds() / 1e6, message.due_time.ToMicroseconds() / 1e6)


def _said(message: pb.Said) -> Said:
    return Said(message.speaker, message.text)


def _usage(usage: Usage) -> common.Usage:
    return common.Usage(
        requests=usage.requests,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        tool_calls=usage.tool_calls,
        cost_micros=usage.cost,
    )


def _response(event: Event) -> pb.RunTurnResponse:
    match event:
        case Delta(text, restart):
            return pb.RunTurnResponse(delta=pb.Delta(text=text, restart=restart))
        case Step():
            return pb.RunTurnResponse(step=_step(event))
        case ToolStarted(step, index, name):
            return pb.RunTurnResponse(tool_started=pb.ToolStarted(step=step, index=index, name=name))
        case ToolFinished(step, index, failed):
            return pb.RunTurnResponse(tool_finished=pb.ToolFinished(step=step, index=index, failed=failed))
        case HostCall(step, index, name, arguments):
            call = pb.HostCall(step=step, index=index, name=name, arguments=arguments)
            return pb.RunTurnResponse(host_call=call)
        case Output():
            return pb.RunTurnResponse(output=_output(event))


def _step(step: Step) -> pb.Step:
    return pb.Step(
        step=step.step,
        checkpoint=step.checkpoint,
        usage=_usage(step.usage),
        steer_ids=step.steer_ids,
        side_effects=step.side_effects,
    )


def _output(output: Output) -> pb.Output:
    return pb.Output(
        text=output.text,
        usage=_usage(output.usage),
        model=output.model,
        steer_ids=output.steer_ids,
        last_usage=_usage(output.last),
        model_time=_duration(output.model_seconds),
    )


def _duration(seconds: float) -> Duration:
    span = Duration()
    span.FromNanoseconds(int(seconds * 1e9))
    return span
