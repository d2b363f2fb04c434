"""The agent, as the pipeline asks it: one bidirectional stream per attempt."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from services.chassis import logs
from services.chassis.client import Caller, translated
from services.chassis.errors import Internal, Unavailable
from services.chassis.signing import sign
from services.pipeline.budget import Price
from services.pipeline.model import Checkpoint, Question, Said, Steer, Turn, Usage
from services.pipeline.ports import AgentEvent, HostCall, Output, Step, Text
from services.pipeline.promises import Promise
from valor.agent.v1 import agent_pb2 as pb
from valor.agent.v1 import agent_pb2_grpc as rpc
from valor.common.v1 import common_pb2 as common

log = logs.get()

REMEMBER = 60.0
"""Seconds that a price is good for: the agent may be another one then."""
PATIENCE = 2.0


class GrpcAgent:
    """`ports.Agent` over gRPC. `seconds`: how long a scope holds, unless the turn sets a limit itself."""

    def __init__(self, caller: Caller, scope_key: bytes, seconds: float) -> None:
        self._caller, self._key, self._seconds = caller, scope_key, seconds
        self._price, self._price_until, self._clock = Price(), 0.0, time.monotonic
        self._stub = rpc.AgentServiceStub(caller.channel)

    async def price(self) -> Price:
        """What the model costs; asked for again every minute. An agent that does not know this call has no price."""
        if self._clock() >= self._price_until:
            try:
                found = await self._caller.call(self._stub.GetModel, pb.GetModelRequest(), timeout=PATIENCE)
                self._price = Price(found.input_price, found.output_price, found.max_output_tokens)
            except Internal as error:
                log.warning("model_unknown", cause=error.message)
            self._price_until = self._clock() + REMEMBER
        return self._price

    @asynccontextmanager
    async def run(self, question: Question) -> "AsyncIterator[GrpcRun]":
        """Begin an attempt; leaving the block cancels what still runs."""
        seconds = question.turn.seconds(self._seconds)
        call = self._stub.RunTurn(timeout=seconds, metadata=self._caller.metadata())
        run = GrpcRun(call)
        try:
            await run.begin(self._start(question))
            yield run
        finally:
            call.cancel()

    def _start(self, question: Question) -> pb.Start:
        message = question.turn.message
        return pb.Start(
            turn_id=str(question.turn.turn_id),
            scope=self._scope(question.turn, question.rights),
            question=_said(Said(message.sender.name, question.text, message.send_time)),
            reply_to=None if question.reply_to is None else _said(question.reply_to),
            history=[_said(said) for said in question.history],
            group=message.chat_type != "private",
            checkpoints=[checkpoint.data for checkpoint in question.checkpoints],
            limits=pb.Limits(
                steps=question.limits.steps,
                tool_calls=question.limits.tool_calls,
                equal_calls=question.limits.equal_calls,
            ),
            promise=_promise(question.turn.promise),
        )

    def _scope(self, turn: Turn, rights: tuple[str, ...]) -> common.SignedScope:
        account, address = turn.message.account, turn.message.address
        scope = common.Scope(
            turn_id=turn.key,
            person_id=turn.person_id,
            account=common.Account(channel=account.channel, account_id=account.account_id, username=account.username),
            address=common.Address(chat_id=address.chat_id, topic_id=address.topic_id),
            rights=rights,
            expire_time=timestamp(time.time() + turn.seconds(self._seconds)),
        ).SerializeToString()
        return common.SignedScope(scope=scope, signature=sign(self._key, scope))


class GrpcRun:
    """`ports.Run` over one stream."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self._broken: Unavailable | None = None
        self._writing = asyncio.Lock()  # gRPC takes one message at a time

    async def begin(self, start: pb.Start) -> None:
        """Hand the attempt over; where that fails, reading tells so."""
        try:
            await self.write(pb.RunTurnRequest(start=start))
        except Unavailable as error:
            self._broken = error

    async def __aiter__(self) -> AsyncIterator[AgentEvent]:
        """What happens, until the stream ends."""
        if self._broken is not None:
            raise self._broken
        with translated():
            # gRPC's iterator and its call hold each other, until the collector finds them.
            while (response := await self._call.read()) is not grpc.aio.EOF:
                event = _event(response)
                if event is not None:
                    yield event

    async def accepted(self) -> bool:
        """The agent has taken the attempt."""
        return self._broken is None and bool(await self._call.initial_metadata())

    async def acknowledge(self, step: int) -> None:
        """The step is kept."""
        await self.write(pb.RunTurnRequest(ack=pb.Ack(step=step)))

    async def steer(self, steer: Steer) -> None:
        """Something has joined the turn."""
        said = _said(Said(steer.speaker, steer.text, steer.send_time))
        await self.write(pb.RunTurnRequest(steer=pb.Steer(steer_id=steer.steer_id, said=said, rewords=steer.rewords)))

    async def answer(self, call: HostCall, content: str) -> None:
        """The result of a host call."""
        result = pb.HostResult(step=call.step, index=call.index, content=content)
        await self.write(pb.RunTurnRequest(host_result=result))

    async def write(self, request: pb.RunTurnRequest) -> None:
        """Send, if there still is a stream; reading tells why there is none.

        Raises:
            Unavailable: It broke just now; gRPC's own word for that is INTERNAL.
        """
        try:
            async with self._writing:
                await self._call.write(request)
        except asyncio.InvalidStateError:
            return
        except grpc.aio.AioRpcError as error:
            raise Unavailable("The agent went away.", reason="AGENT_AWAY") from error


def _event(response: pb.RunTurnResponse) -> AgentEvent | None:
    match response.WhichOneof("event"):
        case "delta":
            return Text(response.delta.text, response.delta.restart)
        case "step":
            return Step(_checkpoint(response.step))
        case "host_call":
            call = response.host_call
            return HostCall(call.step, call.index, call.name, call.arguments)
        case "output":
            return _output(response.output)
        case _:
            return None  # tool events: nothing is shown of them


def _output(output: pb.Output) -> Output:
    """An agent of an earlier version does not tell what the model took."""
    seconds = output.model_time.ToNanoseconds() / 1e9 if output.HasField("model_time") else None
    steer_ids = tuple(output.steer_ids)
    return Output(output.text, _usage(output.usage), _usage(output.last_usage), steer_ids, seconds)


def _checkpoint(step: pb.Step) -> Checkpoint:
    return Checkpoint(step.step, step.checkpoint, _usage(step.usage), tuple(step.steer_ids), step.side_effects)


def _usage(usage: common.Usage) -> Usage:
    return Usage(usage.requests, usage.input_tokens, usage.output_tokens, usage.tool_calls, usage.cost_micros)


def _said(said: Said) -> pb.Said:
    return pb.Said(speaker=said.speaker, text=said.text, send_time=timestamp(said.send_time))


def _promise(promise: Promise | None) -> pb.Promise | None:
    if promise is None:
        return None
    return pb.Promise(create_time=timestamp(promise.create_time), due_time=timestamp(promise.due_time))


def timestamp(seconds: float) -> Timestamp:
    """A protobuf timestamp of epoch seconds."""
    stamp = Timestamp()
    stamp.FromMicroseconds(int(seconds * 1e6))
    return stamp
