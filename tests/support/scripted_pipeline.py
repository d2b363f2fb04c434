"""A pipeline that does what a test tells it, and remembers what a channel told it."""

import asyncio
import itertools
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from services.chassis import server
from services.chassis.errors import Exhausted, InvalidArgument, LostOwnership, Unavailable
from services.chassis.health import Health
from services.chassis.settings import ProcessSettings
from tests.support.process import TOKEN
from valor.common.v1 import common_pb2 as common
from valor.pipeline.v1 import pipeline_pb2 as pb
from valor.pipeline.v1 import pipeline_pb2_grpc as rpc

Key = tuple[int, int]
"""A chat and the id of a message in it."""


class ScriptedPipeline(rpc.PipelineServiceServicer):
    """Keeps messages by the rules of the real one, and hands out the parts of a test, in order per chat and topic."""

    def __init__(self) -> None:
        self.submissions: list[pb.SubmitMessageRequest] = []
        """Everything that was taken, repeats included."""
        self.kept: dict[Key, pb.SubmitMessageRequest] = {}
        """Each message in its present wording."""
        self.deleted: set[Key] = set()
        self.records: dict[str, list[pb.RecordDeliveryRequest]] = defaultdict(list)
        """The outcomes of a part, repeats included."""
        self.poison: list[pb.ReportPoisonRequest] = []
        """Updates that were reported, repeats included."""
        self.stopped: list[str] = []
        """Turns that people stopped."""
        self.calls: Counter[str] = Counter()
        self.away = False
        """Every call is refused with UNAVAILABLE."""
        self.full, self.pause = 0, 0.05
        """So many submissions are refused for now, and come again after `pause` seconds."""
        self.crowded: set[int] = set()
        """Chats of which it takes nothing for now."""
        self.go = asyncio.Event()
        """Cleared: calls wait."""
        self.go.set()
        self.refuse: Callable[[Any], bool] = lambda _: False
        """Which requests are INVALID_ARGUMENT."""
        self._parts: dict[str, pb.Part] = {}
        self._fleeting: list[pb.FollowResponse] = []
        self._stream: _Stream | None = None
        self._numbers = itertools.count(1)

    # -- what it was told -------------------------------------------------------------------------------------------
    def texts(self, chat: int) -> list[str]:
        """What a chat says, in the order in which its messages were first taken."""
        return [message.text for (at, _), message in self.kept.items() if at == chat]

    def ids(self, chat: int) -> list[int]:
        """The messages of a chat in the order in which they were first taken."""
        return [number for at, number in self.kept if at == chat]

    def outcome(self, part_id: str) -> int | str:
        """The message that a part became, the reason why it never will, or 0 while it is open."""
        if not self.records[part_id]:
            return 0
        record = self.records[part_id][0]
        return record.error.reason or record.message_id

    # -- what it has to send ----------------------------------------------------------------------------------------
    def send(
        self,
        chat: int,
        text: str,
        *,
        kind: "pb.PartKind.ValueType" = pb.PART_KIND_TEXT,
        turn: int = 0,
        topic: int = 0,
        entities: Iterable[common.Entity] = (),
        **fields: Any,
    ) -> str:
        """Hand a part out; its id."""
        number = next(self._numbers)
        part = pb.Part(
            part_id=f"p{number}",
            turn_id=str(turn or number),
            address=common.Address(chat_id=chat, topic_id=topic),
            kind=kind,
            text=text,
            entities=entities,
            **{"random_id": 7_000_000_000 + number, **fields},
        )
        self._parts[part.part_id] = part
        self._wake()
        return part.part_id

    def draft(self, chat: int, text: str, *, turn: int, target: int = 0, topic: int = 0) -> None:
        """Show a text that is still being written."""
        address = common.Address(chat_id=chat, topic_id=topic)
        draft = pb.Draft(turn_id=str(turn), address=address, text=text, target_message_id=target)
        self._fleeting.append(pb.FollowResponse(draft=draft))
        self._wake()

    def typing(self, chat: int, *, turn: int, topic: int = 0) -> None:
        """Show that somebody is being answered."""
        typing = pb.Typing(turn_id=str(turn), address=common.Address(chat_id=chat, topic_id=topic))
        self._fleeting.append(pb.FollowResponse(typing=typing))
        self._wake()

    def cut(self) -> None:
        """End the stream that follows."""
        if self._stream is not None:
            self._stream.end(LostOwnership("The pipeline cut the stream."))

    @property
    def followed(self) -> bool:
        """Somebody follows."""
        return self._stream is not None

    def _wake(self) -> None:
        if self._stream is not None:
            self._stream.wake.set()

    def _due(self) -> list[pb.Part]:
        due, lanes = [], set()
        for part in self._parts.values():
            lane = part.address.chat_id, part.address.topic_id
            if part.kind == pb.PART_KIND_REACTION:
                due.append(part)
            elif lane not in lanes:
                lanes.add(lane)
                due.append(part)
        return due

    # -- the service ------------------------------------------------------------------------------------------------
    async def _answer(self, name: str, request: Any) -> None:
        self.calls[name] += 1
        await self.go.wait()
        if self.away:
            raise Unavailable("The pipeline is away.")
        if self.refuse(request):
            raise InvalidArgument("The pipeline does not like it.")
        if name == "SubmitMessage" and (self.full or request.address.chat_id in self.crowded):
            self.full = max(0, self.full - 1)
            raise Exhausted("Too much waits.", retry_after=self.pause)

    async def SubmitMessage(self, request: pb.SubmitMessageRequest, _: Any) -> pb.SubmitMessageResponse:  # noqa: N802
        await self._answer("SubmitMessage", request)
        self.submissions.append(request)
        key = request.address.chat_id, request.message_id
        known = self.kept.get(key)
        if known is None:
            if request.edited:
                return pb.SubmitMessageResponse(disposition=pb.DISPOSITION_IGNORED)
            self.kept[key] = request
        elif request.version > known.version and (request.text, request.entities) != (known.text, known.entities):
            self.kept[key] = request
            return pb.SubmitMessageResponse(disposition=pb.DISPOSITION_EDITED)
        return pb.SubmitMessageResponse(disposition=pb.DISPOSITION_QUEUED)

    async def DeleteMessages(self, request: pb.DeleteMessagesRequest, _: Any) -> pb.DeleteMessagesResponse:  # noqa: N802
        await self._answer("DeleteMessages", request)
        gone = {
            (chat, number)
            for chat, number in self.kept
            if number in request.message_ids and (chat == request.chat_id or (not request.chat_id and chat > -(10**12)))
        }
        self.deleted |= gone
        return pb.DeleteMessagesResponse(deleted=len(gone))

    async def StopTurn(self, request: pb.StopTurnRequest, _: Any) -> pb.StopTurnResponse:  # noqa: N802
        await self._answer("StopTurn", request)
        self.stopped.append(request.turn_id)
        return pb.StopTurnResponse(stopped=True)

    async def RecordDelivery(self, request: pb.RecordDeliveryRequest, _: Any) -> pb.RecordDeliveryResponse:  # noqa: N802
        await self._answer("RecordDelivery", request)
        self.records[request.part_id].append(request)
        self._parts.pop(request.part_id, None)
        self._wake()
        return pb.RecordDeliveryResponse()

    async def ReportPoison(self, request: pb.ReportPoisonRequest, _: Any) -> pb.ReportPoisonResponse:  # noqa: N802
        await self._answer("ReportPoison", request)
        self.poison.append(request)
        return pb.ReportPoisonResponse()

    async def Follow(self, _request: pb.FollowRequest, _: Any) -> AsyncIterator[pb.FollowResponse]:  # noqa: N802
        self.calls["Follow"] += 1
        if self.away:
            raise Unavailable("The pipeline is away.")
        if self._stream is not None:
            self._stream.end(LostOwnership("A newer stream follows this account."))
        stream = self._stream = _Stream()
        self._fleeting.clear()
        try:
            for part in self._due():
                yield stream.hand_out(part, possibly_sent=True)
            while True:
                await stream.woken()
                for part in self._due():
                    if part.part_id not in stream.handed:
                        yield stream.hand_out(part, possibly_sent=False)
                while self._fleeting:
                    yield self._fleeting.pop(0)
        finally:
            if self._stream is stream:
                self._stream = None

    @asynccontextmanager
    async def serve(self, listen: str = "127.0.0.1:0") -> AsyncIterator[str]:
        """Take calls until the block ends; yields the address."""
        name = pb.DESCRIPTOR.services_by_name["PipelineService"].full_name
        offer = server.Service(name, lambda to: rpc.add_PipelineServiceServicer_to_server(self, to))
        settings = ProcessSettings(token=TOKEN, listen=listen)
        async with server.serve(offer, settings, Health(), grace=0.0) as address:
            yield address


class _Stream:
    """One call of Follow."""

    def __init__(self) -> None:
        self.wake, self.handed = asyncio.Event(), set[str]()
        self._end: Exception | None = None

    def hand_out(self, part: pb.Part, *, possibly_sent: bool) -> pb.FollowResponse:
        self.handed.add(part.part_id)
        handed = pb.Part()
        handed.CopyFrom(part)
        handed.possibly_sent = possibly_sent
        return pb.FollowResponse(part=handed)

    def end(self, error: Exception) -> None:
        self._end = error
        self.wake.set()

    async def woken(self) -> None:
        await self.wake.wait()
        self.wake.clear()
        if self._end is not None:
            raise self._end


class Place:
    """Where a pipeline listens: it can be taken down and put up again at the same address."""

    def __init__(self, pipeline: ScriptedPipeline) -> None:
        self._pipeline = pipeline
        self.address = "127.0.0.1:0"
        self._up = AsyncExitStack()

    async def up(self) -> None:
        self.address = await self._up.enter_async_context(self._pipeline.serve(self.address))

    async def down(self) -> None:
        await self._up.aclose()
