"""The prompt: what is typed is a Telegram message of the person at the terminal, what is printed is what they see."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing

from prompt_toolkit import PromptSession
from prompt_toolkit.formatted_text import HTML, FormattedText
from prompt_toolkit.patch_stdout import patch_stdout

from services.chassis.client import Caller
from services.chassis.errors import NotFound, ValorError
from services.testdc.model import Account, Action
from services.testdc.remote import Said, Sandbox
from valor.common.v1 import common_pb2 as common
from valor.pipeline.v1 import pipeline_pb2 as pb
from valor.pipeline.v1 import pipeline_pb2_grpc as rpc

PATIENCE = 660.0
"""Seconds; a little longer than a turn may take."""

ENDED = {pb.TURN_STATE_DONE, pb.TURN_STATE_FAILED, pb.TURN_STATE_CANCELLED}


class Chat:
    """The person's private chat with the bot."""

    def __init__(self, sandbox: Sandbox, person: Account, bot: Account, pipeline: Caller) -> None:
        self._sandbox, self._person, self._bot, self._pipeline = sandbox, person, bot, pipeline
        self._stub = rpc.PipelineServiceStub(pipeline.channel)

    async def ask(self, text: str) -> list[str]:
        """Say something and wait for everything that is said to it: the messages as the person sees them in the end.

        Raises:
            TimeoutError: No answer came.
        """
        since = await self._sandbox.last_seq()
        said = await self._sandbox.say(self._person, self._bot, text)
        async with asyncio.timeout(PATIENCE):
            await self._settled(said)
        return await self._heard(since)

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
                sys.stderr.write(f"({error.message})\n")
                await asyncio.sleep(1)
            await asyncio.sleep(0.02)

    async def _heard(self, since: int) -> list[str]:
        texts: dict[int, str] = {}
        for action in await self._sandbox.record(since):
            if self._is_ours(action) and action.kind in {"send", "edit"} and action.post is not None:
                texts[action.post] = action.text
        return list(texts.values())

    def _is_ours(self, action: Action) -> bool:
        return action.account == self._bot.id and action.chat == self._person.id

    async def watch(self) -> AsyncIterator[Action]:
        """What the bot does in this chat, from now on."""
        async with aclosing(self._sandbox.watch(await self._sandbox.last_seq())) as actions:
            async for action in actions:
                if self._is_ours(action):
                    yield action

    async def say(self, text: str) -> None:
        """Say something and do not wait."""
        await self._sandbox.say(self._person, self._bot, text)


async def pipe(chat: Chat) -> None:
    """Answer the lines of standard input one after another; only the bot's final messages go to standard output."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        if not line.strip():
            continue
        try:
            for text in await chat.ask(line.rstrip("\n")):
                sys.stdout.write(f"{text}\n")
        except TimeoutError:
            sys.stderr.write(f"No answer to: {line}")
        sys.stdout.flush()


class Terminal:
    """The prompt on a terminal: finals scroll by, what is still being written stands above the prompt."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._draft = ""
        self._session: PromptSession[str] = PromptSession(message=self._prompt, erase_when_done=True)

    async def run(self) -> None:
        """Chat until Ctrl-D or Ctrl-C."""
        watching = asyncio.create_task(self._watch())
        try:
            with patch_stdout(raw=True):
                while True:
                    text = await self._session.prompt_async()
                    if text.strip():
                        sys.stdout.write(f"\x1b[36myou ›\x1b[0m {text}\n")
                        await self._chat.say(text)
        except (EOFError, KeyboardInterrupt):
            return
        finally:
            watching.cancel()

    async def _watch(self) -> None:
        async for action in self._chat.watch():
            self._show(action)
            self._session.app.invalidate()

    def _show(self, action: Action) -> None:
        match action.kind:
            case "send":
                self._draft = ""
                sys.stdout.write(f"\x1b[32mvalor ›\x1b[0m {action.text}\n")
            case "edit":
                sys.stdout.write(f"\x1b[32mvalor ›\x1b[0m \x1b[2m(edited)\x1b[0m {action.text}\n")
            case "draft":
                self._draft = action.text
            case "typing":
                self._draft = self._draft or "…"
            case "react" if action.emoji:
                sys.stdout.write(f"\x1b[2mvalor reacts with {' '.join(action.emoji)}\x1b[0m\n")

    def _prompt(self) -> FormattedText | HTML:
        writing = [("class:dim fg:ansibrightblack", f"valor is writing: {self._draft}\n")] if self._draft else []
        return FormattedText([*writing, ("fg:ansicyan", "you › ")])
