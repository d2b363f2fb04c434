"""The gRPC edge of the pipeline: messages ⇄ domain."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from services.chassis.errors import InvalidArgument, NotFound
from services.chassis.server import Service
from services.pipeline import metrics
from services.pipeline.follow import Due, Event, Followers
from services.pipeline.metrics import LETTERS_ENDED
from services.pipeline.model import (
    Account,
    Address,
    ChatType,
    DeadLetter,
    Disposition,
    Entity,
    Message,
    Part,
    PartKind,
    Preview,
    Sender,
    State,
    TurnView,
)
from services.pipeline.ports import Store
from services.pipeline.replay import Replay
from services.pipeline.submit import Submit
from valor.common.v1 import common_pb2 as common
from valor.pipeline.v1 import pipeline_pb2 as pb
from valor.pipeline.v1 import pipeline_pb2_grpc as rpc

Context = grpc.aio.ServicerContext[Any, Any]

CALLERS = {
    "SubmitMessage": ("telegram",),
    "DeleteMessages": ("telegram",),
    "StopTurn": ("telegram",),
    "Follow": ("telegram",),
    "RecordDelivery": ("telegram",),
    "ReportPoison": ("telegram",),
    "GetTurn": ("cli",),
    "GetQueue": ("monitor", "cli"),
    "ListDeadLetters": ("cli",),
    "GetDeadLetter": ("cli",),
    "ReplayDeadLetter": ("cli",),
    "DropDeadLetter": ("cli",),
    "ReplayTurn": ("cli",),
}
"""Who may call what."""

CHAT_TYPES = {
    pb.CHAT_TYPE_PRIVATE: ChatType.PRIVATE,
    pb.CHAT_TYPE_GROUP: ChatType.GROUP,
    pb.CHAT_TYPE_SUPERGROUP: ChatType.SUPERGROUP,
}
DISPOSITIONS = {kind: pb.Disposition.Value(f"DISPOSITION_{kind.name}") for kind in Disposition}
STATES = {state: pb.TurnState.Value(f"TURN_STATE_{state.name}") for state in State}
KINDS = {
    PartKind.TEXT: pb.PART_KIND_TEXT,
    PartKind.NOTICE: pb.PART_KIND_TEXT,
    PartKind.PREVIEW: pb.PART_KIND_PREVIEW,
    PartKind.REACTION: pb.PART_KIND_REACTION,
}


class PipelineServicer(rpc.PipelineServiceServicer):
    """Serves `PipelineService`."""

    def __init__(self, submit: Submit, store: Store, followers: Followers) -> None:
        self._submit, self._store, self._followers = submit, store, followers
        self._replay = Replay(store, submit, lambda data: _message(pb.SubmitMessageRequest.FromString(data)))

    async def SubmitMessage(self, request: pb.SubmitMessageRequest, context: Context) -> pb.SubmitMessageResponse:
        """Take a message in."""
        disposition, turn_id = await self._submit(_message(request))
        return pb.SubmitMessageResponse(disposition=DISPOSITIONS[disposition], turn_id=str(turn_id or ""))

    async def DeleteMessages(self, request: pb.DeleteMessagesRequest, context: Context) -> pb.DeleteMessagesResponse:
        """Messages are gone."""
        deleted = await self._store.delete(_account(request.account), request.chat_id, request.message_ids)
        return pb.DeleteMessagesResponse(deleted=deleted)

    async def StopTurn(self, request: pb.StopTurnRequest, context: Context) -> pb.StopTurnResponse:
        """A person stopped an answer that was being streamed."""
        address = Address(request.address.chat_id, request.address.topic_id)
        turn_id = _number(request.turn_id, "turn_id")
        return pb.StopTurnResponse(stopped=await self._store.stop_turn(_account(request.account), address, turn_id))

    async def Follow(self, request: pb.FollowRequest, context: Context) -> AsyncIterator[pb.FollowResponse]:
        """Everything an account has to send."""
        async for event in self._followers.follow(_account(request.account)):
            yield _followed(event)

    async def RecordDelivery(self, request: pb.RecordDeliveryRequest, context: Context) -> pb.RecordDeliveryResponse:
        """The outcome of one part."""
        if request.message_id <= 0 and not request.error.reason:
            raise InvalidArgument("outcome holds neither a message id nor a reason.", field="outcome")
        part_id = _number(request.part_id, "part_id")
        receipt = await self._store.deliver(part_id, request.message_id, request.error.reason)
        if receipt is not None:
            metrics.count(receipt)
        return pb.RecordDeliveryResponse()

    async def GetTurn(self, request: pb.GetTurnRequest, context: Context) -> pb.GetTurnResponse:
        """A turn, by its id or by the message it answers."""
        if request.WhichOneof("key") == "message":
            key = request.message
            view = await self._store.show_of(_account(key.account), key.chat_id, key.message_id)
        else:
            view = await self._store.show(_number(request.turn_id, "turn_id"))
        if view is None:
            raise NotFound("There is no such turn.", reason="TURN_NOT_FOUND")
        return pb.GetTurnResponse(turn=_turn(view))

    async def GetQueue(self, request: pb.GetQueueRequest, context: Context) -> pb.GetQueueResponse:
        """How much waits."""
        queue = await self._store.queue()
        return pb.GetQueueResponse(
            waiting=queue.waiting,
            running=queue.running,
            undelivered=queue.undelivered,
            oldest_waiting_seconds=queue.oldest_waiting,
            dead=queue.dead,
            promises=queue.promises,
            dropped=queue.dropped,
            claimable=queue.claimable,
            oldest_undelivered_seconds=queue.oldest_undelivered,
        )

    async def ListDeadLetters(self, request: pb.ListDeadLettersRequest, context: Context) -> pb.ListDeadLettersResponse:
        """Turns that were given up, newest first."""
        if request.page_size < 0:
            raise InvalidArgument("page_size is negative.", field="page_size")
        size = min(request.page_size or 50, 500)
        before = _number(request.page_token, "page_token") if request.page_token else 2**63 - 1
        letters = await self._store.dead_letters(before, size)
        more = str(letters[-1].letter_id) if len(letters) == size else ""
        return pb.ListDeadLettersResponse(dead_letters=[_letter(letter) for letter in letters], next_page_token=more)

    async def GetDeadLetter(self, request: pb.GetDeadLetterRequest, context: Context) -> pb.GetDeadLetterResponse:
        """One letter, and what it holds."""
        letter_id = _number(request.letter_id, "letter_id")
        found = await self._store.open_letter(letter_id)
        if found is None:
            raise NotFound(f"There is no dead letter {letter_id}, or not any more.", reason="LETTER_NOT_FOUND")
        return pb.GetDeadLetterResponse(dead_letter=_letter(found.letter), content=found.content)

    async def ReplayDeadLetter(
        self, request: pb.ReplayDeadLetterRequest, context: Context
    ) -> pb.ReplayDeadLetterResponse:
        """Try again what a letter holds."""
        turn_id = await self._replay(_number(request.letter_id, "letter_id"))
        LETTERS_ENDED.labels("replayed").inc()
        return pb.ReplayDeadLetterResponse(turn_id=str(turn_id or ""))

    async def DropDeadLetter(self, request: pb.DropDeadLetterRequest, context: Context) -> pb.DropDeadLetterResponse:
        """End a letter for good."""
        await self._store.drop_letter(_number(request.letter_id, "letter_id"))
        LETTERS_ENDED.labels("dropped").inc()
        return pb.DropDeadLetterResponse()

    async def ReportPoison(self, request: pb.ReportPoisonRequest, context: Context) -> pb.ReportPoisonResponse:
        """A channel has parked an update."""
        submission = request.submission.SerializeToString() if request.HasField("submission") else None
        await self._store.bury_update(_account(request.account), request.content, request.cause, submission)
        return pb.ReportPoisonResponse()

    async def ReplayTurn(self, request: pb.ReplayTurnRequest, context: Context) -> pb.ReplayTurnResponse:
        """Run a dead turn again."""
        return pb.ReplayTurnResponse(turn=_turn(await self._store.replay(_number(request.turn_id, "turn_id"))))


def service(servicer: PipelineServicer) -> Service:
    """The service as a server offers it."""
    name = pb.DESCRIPTOR.services_by_name["PipelineService"].full_name
    return Service(name, lambda server: rpc.add_PipelineServiceServicer_to_server(servicer, server), CALLERS)


def _number(value: str, field: str) -> int:
    if not value.isdecimal() or len(value) > 18:
        raise InvalidArgument(f"{field} {value[:32]!r} is not one of ours.", field=field)
    return int(value)


def _account(message: common.Account) -> Account:
    if not message.channel or ":" in message.channel:
        raise InvalidArgument("account.channel is empty or holds a colon.", field="account.channel")
    if not message.account_id:
        raise InvalidArgument("account.account_id is empty.", field="account.account_id")
    return Account(message.channel, message.account_id, message.username)


def _message(request: pb.SubmitMessageRequest) -> Message:
    if request.chat_type not in CHAT_TYPES:
        raise InvalidArgument("chat_type is not set.", field="chat_type")
    sender = request.sender
    return Message(
        account=_account(request.account),
        address=Address(request.address.chat_id, request.address.topic_id),
        chat_type=CHAT_TYPES[request.chat_type],
        message_id=request.message_id,
        sender=Sender(sender.user_id, sender.name, sender.username, sender.bot),
        text=request.text,
        version=request.version,
        edited=request.edited,
        chat_title=request.chat_title,
        kind=request.kind or "text",
        entities=tuple(Entity(e.type, e.offset, e.length, e.value) for e in request.entities),
        reply_to=request.reply_to_message_id,
        send_time=_seconds(request.send_time),
    )


def _seconds(stamp: Timestamp) -> float:
    try:
        return stamp.ToMicroseconds() / 1e6
    except ValueError:
        raise InvalidArgument("send_time lies outside of all calendars.", field="send_time") from None


def _followed(event: Event) -> pb.FollowResponse:
    if isinstance(event, Due):
        return pb.FollowResponse(part=_part(event.part, possibly_sent=event.possibly_sent))
    address = common.Address(chat_id=event.address.chat_id, topic_id=event.address.topic_id)
    turn_id = str(event.turn_id)
    if isinstance(event, Preview):
        draft = pb.Draft(turn_id=turn_id, address=address, text=event.text, target_message_id=event.target)
        return pb.FollowResponse(draft=draft)
    return pb.FollowResponse(typing=pb.Typing(turn_id=turn_id, address=address))


def _part(part: Part, *, possibly_sent: bool) -> pb.Part:
    return pb.Part(
        part_id=str(part.part_id),
        turn_id=str(part.turn_id),
        address=common.Address(chat_id=part.address.chat_id, topic_id=part.address.topic_id),
        kind=KINDS[part.kind],
        text=part.text,
        entities=[common.Entity(type=e.type, offset=e.offset, length=e.length, value=e.value) for e in part.entities],
        random_id=part.random_id,
        reply_to_message_id=part.reply_to,
        target_message_id=part.target,
        possibly_sent=possibly_sent,
        traceparent=part.trace,
    )


def _turn(view: TurnView) -> pb.Turn:
    usage, account = view.usage, view.account
    return pb.Turn(
        turn_id=str(view.turn_id),
        account=common.Account(channel=account.channel, account_id=account.account_id, username=account.username),
        address=common.Address(chat_id=view.address.chat_id, topic_id=view.address.topic_id),
        message_id=view.message_id,
        state=STATES[view.state],
        reason=view.reason,
        usage=common.Usage(
            requests=usage.requests,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            tool_calls=usage.tool_calls,
            cost_micros=usage.cost,
        ),
        accept_time=_time(view.accept_time),
        start_time=_time(view.start_time),
        answer_time=_time(view.answer_time),
        end_time=_time(view.end_time),
        answer_message_ids=view.answers,
        settled=view.settled,
    )


def _letter(letter: DeadLetter) -> pb.DeadLetter:
    account, address = letter.account, letter.address
    return pb.DeadLetter(
        letter_id=str(letter.letter_id),
        kind=pb.DeadLetterKind.Value(f"DEAD_LETTER_KIND_{letter.kind.name}"),
        turn_id=str(letter.turn_id or ""),
        account=common.Account(channel=account.channel, account_id=account.account_id, username=account.username),
        address=common.Address(chat_id=address.chat_id, topic_id=address.topic_id),
        message_id=letter.message_id,
        reason=letter.reason,
        cause=letter.cause,
        create_time=_time(letter.create_time),
    )


def _time(seconds: float | None) -> Timestamp | None:
    if seconds is None:
        return None
    stamp = Timestamp()
    stamp.FromMicroseconds(int(seconds * 1e6))
    return stamp
