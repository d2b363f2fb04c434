"""The private chat with the bot in the sandbox Telegram, as the person at the terminal has it."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

from services.chassis import client
from services.chassis.client import Caller
from services.chassis.errors import NotFound, SettingsError, TimedOut, Unavailable, ValorError
from services.cli.actors import people
from services.cli.run import Run
from services.testdc.model import Account, Action
from services.testdc.remote import Said, Sandbox
from valor.common.v1 import common_pb2 as common
from valor.pipeline.v1 import pipeline_pb2 as pb
from valor.pipeline.v1 import pipeline_pb2_grpc as rpc

PATIENCE = 660.0
"""Seconds; a little longer than a turn may take."""

ENDED = {pb.TURN_STATE_DONE, pb.TURN_STATE_FAILED, pb.TURN_STATE_CANCELLED}

CONTROLS = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}
"""What would command a terminal instead of being shown by it. Telegram's own clients do not show these either."""


@asynccontextmanager
async def private_chat(run: Run) -> AsyncIterator["Chat"]:
    """The chat with the bot of a running house.

    Raises:
        SettingsError: The house is on the real Telegram.
        Unavailable: The house has stopped.
    """
    if run.sandbox is None:
        raise SettingsError("This house is on the real Telegram: write to your bot there.")
    try:
        async with (
            people(run.sandbox) as (sandbox, person, bot),
            client.connect(run.addresses["pipeline"], run.credential) as pipeline,
        ):
            yield Chat(sandbox, person, bot, pipeline)
    except ConnectionError:
        raise Unavailable("Valor has stopped.") from None


class Chat:
    """The person's private chat with the bot. Every method raises ConnectionError when the sandbox is gone."""

    def __init__(self, sandbox: Sandbox, person: Account, bot: Account, pipeline: Caller) -> None:
        self._sandbox, self._person, self._bot, self._pipeline = sandbox, person, bot, pipeline
        self._stub = rpc.PipelineServiceStub(pipeline.channel)

    async def say(self, text: str) -> None:
        """Say something and do not wait; SandboxError if Telegram refuses it."""
        await self._sandbox.say(self._person, self._bot, text)

    async def ask(self, text: str) -> list[str]:
        """Say something and wait for everything that is said to it: the messages as the person sees them in the end.

        Raises:
            SandboxError: Telegram refuses the message.
            TimedOut: No answer came.
        """
        since = await self._sandbox.last_seq()
        said = await self._sandbox.say(self._person, self._bot, text)
        try:
            async with asyncio.timeout(PATIENCE):
                await self._settled(said)
        except TimeoutError:
            raise TimedOut(f"No answer came to: {text}") from None
        return await self._heard(since)

    async def watch(self) -> AsyncIterator[Action]:
        """What the bot does in this chat, from now on."""
        async with aclosing(self._sandbox.watch(await self._sandbox.last_seq())) as actions:
            async for action in actions:
                if self._is_ours(action):
                    yield replace(action, text=action.text.translate(CONTROLS))

    async def _settled(self, said: Said) -> None:
        account = common.Account(channel="telegram", account_id=self._bot.id)
        key = pb.MessageKey(account=account, chat_id=self._person.id, message_id=said.message_id(self._bot.id))
        while True:
            try:
                request = pb.GetTurnRequest(message=key)
                turn = (await self._pipeline.call(self._stub.GetTurn, request, timeout=5)).turn
                if turn.state in ENDED and turn.settled:
                    return
            except NotFound:
                pass  # it is on its way
            except ValorError as error:
                await self._sandbox.last_seq()  # the sandbox is the last to go: without it nothing will come any more
                sys.stderr.write(f"({error.message})\n")
                await asyncio.sleep(1)
            await asyncio.sleep(0.02)

    async def _heard(self, since: int) -> list[str]:
        texts: dict[int, str] = {}
        for action in await self._sandbox.record(since):
            if self._is_ours(action) and action.kind in {"send", "edit"} and action.post is not None:
                texts[action.post] = action.text.translate(CONTROLS)
        return list(texts.values())

    def _is_ours(self, action: Action) -> bool:
        return action.account == self._bot.id and action.chat == self._person.id
