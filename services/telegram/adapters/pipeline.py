"""The pipeline, as telegram calls it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

from google.protobuf.timestamp_pb2 import Timestamp

from services.chassis.client import Caller, translated
from services.chassis.errors import InvalidArgument
from services.telegram.model import ChatType, Draft, Entity, Incoming, Part, PartKind, Poison, Typing
from valor.common.v1 import common_pb2 as common
from valor.pipeline.v1 import pipeline_pb2 as pb
from valor.pipeline.v1 import pipeline_pb2_grpc as rpc

CHANNEL = "telegram"
PATIENCE = 5.0

CHAT_TYPES = {
    ChatType.PRIVATE: pb.CHAT_TYPE_PRIVATE,
    ChatType.GROUP: pb.CHAT_TYPE_GROUP,
    ChatType.SUPERGROUP: pb.CHAT_TYPE_SUPERGROUP,
}
KINDS = {
    pb.PART_KIND_TEXT: PartKind.TEXT,
    pb.PART_KIND_PREVIEW: PartKind.PREVIEW,
    pb.PART_KIND_REACTION: PartKind.REACTION,
}


class GrpcPipeline:
    """`ports.Pipeline` over gRPC, for one account."""

    def __init__(self, caller: Caller, account_id: int, username: str) -> None:
        self._caller = caller
        self._stub = rpc.PipelineServiceStub(caller.channel)
        self._account = common.Account(channel=CHANNEL, account_id=account_id, username=username)

    async def submit(self, message: Incoming, version: int) -> None:
        """Hand a message over; it is kept when this returns."""
        await self._caller.call(self._stub.SubmitMessage, self._submission(message, version), timeout=PATIENCE)

    async def delete(self, chat_id: int, message_ids: Sequence[int]) -> None:
        """Messages are gone."""
        request = pb.DeleteMessagesRequest(account=self._account, chat_id=chat_id, message_ids=message_ids)
        await self._caller.call(self._stub.DeleteMessages, request, timeout=PATIENCE)

    async def stop(self, chat_id: int, topic_id: int, turn_id: str) -> None:
        """A person stopped an answer."""
        address = common.Address(chat_id=chat_id, topic_id=topic_id)
        request = pb.StopTurnRequest(account=self._account, address=address, turn_id=turn_id)
        await self._caller.call(self._stub.StopTurn, request, timeout=PATIENCE)

    async def report(self, poison: Poison) -> None:
        """Tell of something that can never be handed over."""
        submission = None
        if poison.message is not None:
            with suppress(InvalidArgument):  # no contract can carry it, so that nobody could replay it either
                submission = self._submission(poison.message, 0)
        request = pb.ReportPoisonRequest(
            account=self._account, content=_writable(poison.raw), cause=_writable(poison.reason), submission=submission
        )
        await self._caller.call(self._stub.ReportPoison, request, timeout=PATIENCE)

    async def follow(self) -> AsyncIterator[Part | Draft | Typing]:
        """What is to be sent."""
        request = pb.FollowRequest(account=self._account)
        call = self._stub.Follow(request, metadata=self._caller.metadata(), wait_for_ready=True)
        try:
            with translated():
                async for response in call:
                    yield _event(response)
        finally:
            call.cancel()

    async def record(self, part_id: str, message_id: int, error: str = "") -> None:
        """The outcome of a part."""
        request = pb.RecordDeliveryRequest(part_id=part_id)
        if error:
            request.error.reason = error
        else:
            request.message_id = message_id
        await self._caller.call(self._stub.RecordDelivery, request, timeout=PATIENCE)

    def _submission(self, message: Incoming, version: int) -> pb.SubmitMessageRequest:
        sent = Timestamp()
        sent.FromMicroseconds(int(message.send_time * 1e6))
        try:
            return pb.SubmitMessageRequest(
                account=self._account,
                address=common.Address(chat_id=message.chat_id, topic_id=message.topic_id),
                chat_type=CHAT_TYPES[message.chat_type],
                chat_title=message.chat_title,
                message_id=message.message_id,
                version=version,
                sender=pb.Sender(
                    user_id=message.user_id, name=message.name, username=message.username, bot=message.bot
                ),
                kind=message.kind,
                text=message.text,
                entities=[_entity(entity) for entity in message.entities],
                reply_to_message_id=message.reply_to,
                send_time=sent,
                edited=message.edited,
            )
        except ValueError as error:  # lone surrogates, numbers out of range: no contract can carry it
            raise InvalidArgument(f"The message cannot be written down: {error}.", field="message") from None


def _writable(text: str) -> str:
    """A text without the halves of characters that no contract can carry."""
    return text.encode("utf-8", "backslashreplace").decode()


def _entity(entity: Entity) -> common.Entity:
    return common.Entity(type=entity.type, offset=entity.offset, length=entity.length, value=entity.value)


def _event(response: pb.FollowResponse) -> Part | Draft | Typing:
    match response.WhichOneof("event"):
        case "part":
            return _part(response.part)
        case "draft":
            draft = response.draft
            return Draft(
                draft.turn_id, draft.address.chat_id, draft.address.topic_id, draft.text, draft.target_message_id
            )
        case _:
            typing = response.typing
            return Typing(typing.turn_id, typing.address.chat_id, typing.address.topic_id)


def _part(part: pb.Part) -> Part:
    return Part(
        part_id=part.part_id,
        turn_id=part.turn_id,
        chat_id=part.address.chat_id,
        topic_id=part.address.topic_id,
        kind=KINDS.get(part.kind, PartKind.TEXT),
        text=part.text,
        entities=tuple(Entity(e.type, e.offset, e.length, e.value) for e in part.entities),
        random_id=part.random_id,
        reply_to=part.reply_to_message_id,
        target=part.target_message_id,
        possibly_sent=part.possibly_sent,
        trace=part.traceparent,
    )
