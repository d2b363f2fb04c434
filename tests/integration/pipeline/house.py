"""A pipeline with its neighbours: the real people, a scripted agent, and a channel that is Telegram to it."""

import asyncio
import re
import shutil
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from services.chassis import client
from services.chassis.client import Caller, translated
from services.chassis.errors import ValorError
from services.chassis.health import Health
from services.people import __main__ as people_main
from services.people.settings import Settings as PeopleSettings
from services.pipeline import __main__ as pipeline_main
from services.pipeline.settings import Settings
from tests.support import store
from tests.support.process import CREDENTIAL, TOKEN
from tests.support.scripted_agent import ScriptedAgent
from valor.common.v1 import common_pb2 as common
from valor.people.v1 import people_pb2 as people_pb
from valor.people.v1 import people_pb2_grpc as people_rpc
from valor.pipeline.v1 import pipeline_pb2 as pb
from valor.pipeline.v1 import pipeline_pb2_grpc as rpc

ACCOUNT = common.Account(channel="telegram", account_id=42, username="valor_bot")
OWNER, ADA, STRANGER = 7, 8, 9
MEMBERS = range(100, 140)
GROUP, OTHER_GROUP = -1001234567890, -1009999999999
BASIC_GROUP = -555
KEY = "the-key-that-signs-scopes-in-tests-only"
LIMIT = 90.0
"""Seconds that a condition may take to come true."""


async def until(condition: Callable[[], Any], limit: float = LIMIT) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.002)


def entities_of(text: str) -> list[common.Entity]:
    """What Telegram finds in a text: commands and mentions."""
    found = [("bot_command", match) for match in re.finditer(r"(?<!\S)/\w+(@\w+)?", text)]
    found += [("mention", match) for match in re.finditer(r"(?<!\S)@\w+", text)]
    return [common.Entity(type=kind, offset=m.start(), length=len(m[0])) for kind, m in found]


def message(
    text: str = "hello", *, chat: int = ADA, number: int = 1, user: int = 0, topic: int = 0, **fields: Any
) -> pb.SubmitMessageRequest:
    """A message; in private chats the chat is the writer."""
    kinds = {True: pb.CHAT_TYPE_PRIVATE, chat < 0: pb.CHAT_TYPE_GROUP, chat < -(10**12): pb.CHAT_TYPE_SUPERGROUP}
    user = user or (chat if chat > 0 else ADA)
    request = pb.SubmitMessageRequest(
        account=ACCOUNT,
        address=common.Address(chat_id=chat, topic_id=topic),
        chat_type=kinds[True],
        message_id=number,
        version=1,
        sender=pb.Sender(user_id=user, name=f"Person {user}", username=f"person{user}"),
        text=text,
        entities=entities_of(text),
    )
    request.send_time.FromSeconds(1_700_000_000 + number % 10**6)
    for name, value in fields.items():
        if name == "sender":
            request.sender.CopyFrom(value)
        else:
            setattr(request, name, value)
    return request


class Pipeline:
    """The calls of these tests."""

    def __init__(self, caller: Caller) -> None:
        self.caller, self.stub = caller, rpc.PipelineServiceStub(caller.channel)

    async def call(self, name: str, request: Any) -> Any:
        return await self.caller.call(getattr(self.stub, name), request, timeout=30)

    async def submit(self, request: pb.SubmitMessageRequest) -> pb.SubmitMessageResponse:
        response: pb.SubmitMessageResponse = await self.call("SubmitMessage", request)
        return response

    async def edit(self, request: pb.SubmitMessageRequest, text: str, version: int = 2) -> "pb.Disposition.ValueType":
        edited = pb.SubmitMessageRequest()
        edited.CopyFrom(request)
        edited.text, edited.version, edited.edited = text, version, True
        del edited.entities[:]
        edited.entities.extend(entities_of(text))
        return (await self.submit(edited)).disposition

    async def delete(self, *numbers: int, chat: int = 0) -> int:
        request = pb.DeleteMessagesRequest(account=ACCOUNT, chat_id=chat, message_ids=numbers)
        return int((await self.call("DeleteMessages", request)).deleted)

    async def stop(self, turn_id: str, chat: int = ADA, topic: int = 0) -> bool:
        """Press the stop button of a streamed answer."""
        address = common.Address(chat_id=chat, topic_id=topic)
        request = pb.StopTurnRequest(account=ACCOUNT, address=address, turn_id=turn_id)
        return bool((await self.call("StopTurn", request)).stopped)

    async def turn(self, number: int, chat: int = ADA) -> pb.Turn:
        key = pb.MessageKey(account=ACCOUNT, chat_id=chat, message_id=number)
        turn: pb.Turn = (await self.call("GetTurn", pb.GetTurnRequest(message=key))).turn
        return turn

    async def until(self, number: int, state: str, chat: int = ADA) -> pb.Turn:
        """Wait until the turn of a message is in a state."""
        wanted = pb.TurnState.Value(f"TURN_STATE_{state.upper()}")
        async with asyncio.timeout(LIMIT):
            while (turn := await self.turn(number, chat)).state != wanted:
                await asyncio.sleep(0.03)  # many who look more often would be most of the load
        return turn

    async def queue(self) -> pb.GetQueueResponse:
        queue: pb.GetQueueResponse = await self.call("GetQueue", pb.GetQueueRequest())
        return queue

    async def dead(self, size: int = 0, token: str = "") -> pb.ListDeadLettersResponse:
        request = pb.ListDeadLettersRequest(page_size=size, page_token=token)
        letters: pb.ListDeadLettersResponse = await self.call("ListDeadLetters", request)
        return letters

    async def replay(self, turn_id: str) -> pb.Turn:
        turn: pb.Turn = (await self.call("ReplayTurn", pb.ReplayTurnRequest(turn_id=turn_id))).turn
        return turn

    async def record(self, part_id: str, message_id: int = 0, error: str = "") -> None:
        request = pb.RecordDeliveryRequest(part_id=part_id)
        if error:
            request.error.reason = error
        else:
            request.message_id = message_id
        await self.call("RecordDelivery", request)

    def follow(self) -> Any:
        """A stream of one's own; the older one ends."""
        return self.stub.Follow(
            pb.FollowRequest(account=ACCOUNT), metadata=self.caller.metadata(), wait_for_ready=True, timeout=LIMIT
        )


@dataclass
class Post:
    """A message of ours, as people see it."""

    address: tuple[int, int]
    message_id: int
    reply_to: int
    texts: list[str]
    """What it said, one after another."""


@dataclass
class Channel:
    """Telegram, as far as the pipeline can tell: sends a random id once, and hands out message ids."""

    pipeline: Pipeline
    posts: list[Post] = field(default_factory=list)
    events: list[pb.FollowResponse] = field(default_factory=list)
    reactions: dict[tuple[int, int], list[str]] = field(default_factory=lambda: defaultdict(list))
    refuse: Callable[[pb.Part], str] = lambda _: ""
    """Why a part can never be sent."""
    blind: list[pb.Part] = field(default_factory=list)
    """Parts that came a second time and did not say that they were possibly sent."""
    go: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared: what is sent gets no receipt yet."""
    _sent: dict[int, Post] = field(default_factory=dict)

    def texts(self, chat: int = ADA, topic: int = 0) -> list[str]:
        """What a chat shows of us."""
        return [post.texts[-1] for post in self.posts if post.address == (chat, topic)]

    def parts(self, kind: "pb.PartKind.ValueType" = pb.PART_KIND_TEXT) -> list[pb.Part]:
        """Every part that was handed out."""
        return [event.part for event in self.events if event.HasField("part") and event.part.kind == kind]

    async def run(self) -> None:
        """Follow, and follow again when the stream ends, for ever."""
        while True:
            call = self.pipeline.stub.Follow(
                pb.FollowRequest(account=ACCOUNT), metadata=self.pipeline.caller.metadata(), wait_for_ready=True
            )
            try:
                with translated():
                    async for event in call:
                        self.events.append(event)
                        if event.HasField("part"):
                            await self._deliver(event.part)
            except ValorError:
                await asyncio.sleep(0.01)
            finally:
                call.cancel()

    async def _deliver(self, part: pb.Part) -> None:
        error = self.refuse(part)
        message_id = 0 if error else self.send(part)
        await self.go.wait()
        await self._record(part, message_id, error)

    async def _record(self, part: pb.Part, message_id: int, error: str) -> None:
        while True:
            try:
                return await self.pipeline.record(part.part_id, message_id, error)
            except ValorError:
                await asyncio.sleep(0.01)

    def send(self, part: pb.Part) -> int:
        """Do what the part says; its message id."""
        if part.kind == pb.PART_KIND_REACTION:
            self.reactions[part.address.chat_id, part.target_message_id].append(part.text)
            return part.target_message_id
        if part.target_message_id:
            post = next(post for post in self.posts if post.message_id == part.target_message_id)
            if post.texts[-1] != part.text:
                post.texts.append(part.text)
        elif (known := self._sent.get(part.random_id)) is not None:
            post = known
            if not part.possibly_sent:
                self.blind.append(part)
        else:
            address = (part.address.chat_id, part.address.topic_id)
            post = Post(address, 1_000_000 + len(self.posts), part.reply_to_message_id, [part.text])
            self.posts.append(post)
        self._sent[part.random_id] = post
        return post.message_id


class Service:
    """Something that serves, and can be stopped and started again at the same address."""

    def __init__(self, serve: Callable[[str], AbstractAsyncContextManager[str]]) -> None:
        self._serve = serve
        self.address = "127.0.0.1:0"
        self.running = False

    async def start(self) -> None:
        started, self._stop = asyncio.Event(), asyncio.Event()
        self._task = asyncio.create_task(self._run(started))
        waiting = asyncio.create_task(started.wait())
        await asyncio.wait([waiting, self._task], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._task.done():
            await self._task

    async def _run(self, started: asyncio.Event) -> None:
        try:
            async with self._serve(self.address) as self.address:
                self.running = True
                started.set()
                await self._stop.wait()
        finally:
            self.running = False

    async def stop(self) -> None:
        self._stop.set()
        await self._task

    async def restart(self) -> None:
        await self.stop()
        await self.start()


class House:
    """Everything of a test."""

    def __init__(self, data: Path, **settings: Any) -> None:
        self.data, self.settings = data, settings
        self.agent = ScriptedAgent()
        self.agents = Service(self.agent.serve)
        allowed = ",".join(["@grace", *(str(person) for person in (ADA, *MEMBERS))])
        people = partial(PeopleSettings, data=data, token=TOKEN, owner=str(OWNER), allow=allowed)
        self.people = Service(lambda listen: people_main.serve(people(listen=listen), Health()))
        self.health = Health()
        self.service = Service(lambda listen: pipeline_main.serve(self.settings_of(self.data, listen), self.health))
        self._followed: asyncio.Task[None] | None = None

    def settings_of(self, data: Path, listen: str = "127.0.0.1:0") -> Settings:
        """The settings of a pipeline beside these neighbours."""
        usual = {"agent_address": self.agents.address, "groups": f"{GROUP},{BASIC_GROUP}", "rate_per_minute": 10_000}
        usual["lease_seconds"] = 5.0
        values = {**usual, **self.settings}
        return Settings(
            data=data, token=TOKEN, scope_key=KEY, listen=listen, people_address=self.people.address, **values
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator["House"]:
        services = (self.agents, self.people, self.service)
        for service in services:
            if not service.running:
                await service.start()
        async with client.connect(self.service.address, CREDENTIAL) as caller:
            self.pipeline = Pipeline(caller)
            self.channel = Channel(self.pipeline)
            self.channel.go.set()
            self.follow()
            yield self
            await self.unfollow()
        for service in reversed(services):
            if service.running:
                await service.stop()

    def follow(self) -> None:
        """Let the channel follow."""
        self._followed = asyncio.create_task(self.channel.run())

    async def unfollow(self) -> None:
        if self._followed is not None:
            self._followed.cancel()
            await asyncio.wait([self._followed])
            self._followed = None

    async def crash(self) -> None:
        """Go on from what is on disk at this moment, as after a `kill -9`; nothing may be being written."""
        await self.unfollow()
        after = self.data / "after"
        shutil.copytree(self.data, after, ignore=shutil.ignore_patterns("people*"))
        await self.service.stop()
        self.data = after
        await self.service.start()
        self.follow()

    async def ask(self, text: str, *, number: int = 1, chat: int = ADA, **fields: Any) -> pb.Turn:
        """Submit, and wait until the turn is done."""
        await self.pipeline.submit(message(text, chat=chat, number=number, **fields))
        return await self.pipeline.until(number, "done", chat)

    async def approve(self, code: str) -> None:
        """The owner lets somebody in."""
        async with client.connect(self.people.address, CREDENTIAL) as caller:
            stub = people_rpc.PeopleServiceStub(caller.channel)
            await caller.call(stub.ApprovePairing, people_pb.ApprovePairingRequest(code=code), timeout=5)

    def rows(self, query: str, *values: Any) -> list[Any]:
        """What the tables hold."""
        return rows(self.data, query, *values)


def rows(data: Path, query: str, *values: Any) -> list[Any]:
    """What a pipeline's tables hold."""
    return store.rows(store.place(data, "pipeline"), query, *values)


_RULES = {
    "two running in a lane": "SELECT lane FROM turns WHERE state = 'running' GROUP BY lane HAVING COUNT(*) > 1",
    "done without receipts": "SELECT id FROM turns t WHERE state = 'done' AND (NOT EXISTS (SELECT 1 FROM parts p"
    " WHERE p.turn_id = COALESCE(t.answered_by, t.id) AND kind = 'text') OR EXISTS (SELECT 1 FROM parts p"
    " WHERE p.turn_id = COALESCE(t.answered_by, t.id)"
    " AND kind != 'reaction' AND receipt_id IS NULL AND error IS NULL))",
    "answering with nothing to send": "SELECT id FROM turns t WHERE state = 'answering' AND NOT EXISTS (SELECT 1 FROM"
    " parts p WHERE p.turn_id = COALESCE(t.answered_by, t.id) AND kind = 'text' AND receipt_id IS NULL"
    " AND error IS NULL)",
    "sent and refused": "SELECT id FROM parts WHERE receipt_id IS NOT NULL AND error IS NOT NULL",
    "failed without a dead letter": "SELECT id FROM turns t WHERE state = 'failed' AND NOT EXISTS"
    " (SELECT 1 FROM dead_letters d WHERE d.turn_id = COALESCE(t.answered_by, t.id)) AND NOT EXISTS (SELECT 1 FROM"
    " ended_letters e WHERE e.turn_id = COALESCE(t.answered_by, t.id) AND e.outcome = 'dropped')",
    "a dead letter of a turn that lives": "SELECT d.id FROM dead_letters d JOIN turns t ON t.id = d.turn_id"
    " WHERE state != 'failed'",
    "a checkpoint of a turn that ended": "SELECT turn_id FROM checkpoints c JOIN turns t ON t.id = c.turn_id"
    " WHERE state NOT IN ('waiting', 'running')",
    "a question without a turn": "SELECT id FROM chat_history h WHERE direction = 'in' AND disposition != 'context'"
    " AND NOT EXISTS (SELECT 1 FROM turns t WHERE t.history_id = h.id)",
    "a promise that joined a turn": "SELECT t.id FROM turns t JOIN chat_history h ON h.id = t.history_id"
    " WHERE promise_id IS NOT NULL AND (answered_by IS NOT NULL OR message_id IS NOT NULL)",
    "two promises run in a chat": "SELECT lane FROM promises WHERE state = 'running' GROUP BY lane HAVING COUNT(*) > 1",
    "a promise that runs without a turn": "SELECT id FROM promises p WHERE state = 'running' AND NOT EXISTS"
    " (SELECT 1 FROM promise_runs r WHERE r.promise_id = p.id AND r.due_time = p.due_time)",
    "kept, and nothing received": "SELECT id FROM promises p WHERE state = 'kept' AND NOT EXISTS (SELECT 1"
    " FROM promise_runs r JOIN turns t ON t.id = r.turn_id WHERE r.promise_id = p.id AND t.state = 'done')",
    "said, and never sent": "SELECT h.id FROM chat_history h LEFT JOIN parts p ON p.id = h.part_id"
    " WHERE direction = 'out' AND (p.id IS NULL OR p.error IS NOT NULL OR h.message_id IS DISTINCT FROM p.receipt_id)",
}


_OF_A_FILE = {
    "integrity": "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check != 'ok'",
    "a key without its row": "SELECT * FROM pragma_foreign_key_check",
}


def broken_rules(data: Path) -> dict[str, list[Any]]:
    """What no moment of a pipeline's life may leave in its tables."""
    rules = _RULES if store.SERVER else _RULES | _OF_A_FILE
    found = {name: rows(data, query) for name, query in rules.items()}
    return {name: culprits for name, culprits in found.items() if culprits}


def in_order(found: Iterable[str], wanted: Iterable[str]) -> bool:
    """All that was wanted was found, once each, in that order."""
    return list(found) == list(wanted)
