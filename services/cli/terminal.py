"""The chat on a terminal: messages scroll by, what is still being written stands above the prompt."""

import asyncio
import textwrap

from prompt_toolkit import PromptSession, print_formatted_text
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.utils import get_cwidth

from services.cli.chat import Chat
from services.cli.tasks import first
from services.testdc.lines import SandboxError
from services.testdc.model import Action
from services.testdc.presence import DRAFT_SECONDS, TYPING_SECONDS

YOU, VALOR, DIM = ("ansicyan", "you › "), ("ansigreen", "valor › "), "ansibrightblack"

LINES = 3
"""How much of a growing answer stands above the prompt: its end, so that the line being typed stays in its place."""


class Terminal:
    """The prompt: what is typed is a Telegram message, what is printed is what the person would see of the bot."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._session: PromptSession[str] = PromptSession(
            message=self._prompt, erase_when_done=True, reserve_space_for_menu=0
        )
        self._sign = ""
        self._fading: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Chat until Ctrl-D or Ctrl-C.

        Raises:
            ConnectionError: The house has stopped.
        """
        await first(self._talk(), self._watch())

    async def _talk(self) -> None:
        while True:
            try:
                text = await self._session.prompt_async(handle_sigint=False)  # the signal is the process's
            except (EOFError, KeyboardInterrupt):
                return
            if text.strip():
                await self._say(text)

    async def _say(self, text: str) -> None:
        _print(YOU, ("", text))
        try:
            await self._chat.say(text)
        except SandboxError as refusal:
            _print((DIM, f"not sent: {refusal}"))

    async def _watch(self) -> None:
        async for action in self._chat.watch():
            self._show(action)

    def _show(self, action: Action) -> None:
        match action.kind:
            case "send":
                self._hold("", 0)
                _print(VALOR, ("", action.text))
            case "edit":
                _print(VALOR, (DIM, "(edited) "), ("", action.text))
            case "react" if action.emoji:
                _print((DIM, f"valor reacts with {' '.join(action.emoji)}"))
            case "draft":
                self._hold(f"valor writes: {action.text}", DRAFT_SECONDS)
            case "typing" if not self._sign:
                self._hold("valor is typing …", TYPING_SECONDS)

    def _hold(self, sign: str, seconds: float) -> None:
        """Show a sign until the next one; without one it fades, as it does in Telegram."""
        if self._fading is not None:
            self._fading.cancel()
        self._sign = sign
        self._fading = asyncio.get_running_loop().call_later(seconds, self._hold, "", 0) if sign else None
        self._session.app.invalidate()

    def _prompt(self) -> FormattedText:
        columns = self._session.app.output.get_size().columns
        return FormattedText([*((DIM, f"{line}\n") for line in end(self._sign, columns)), YOU])


def end(text: str, columns: int) -> list[str]:
    """The last lines of a text that is wrapped to so many columns; "…" stands for what came before."""
    wide = get_cwidth(text) > len(text)  # characters of two columns: there may be nothing else
    wrapped = textwrap.wrap(" ".join(text.split()), max(1, (columns - 1) // (2 if wide else 1)))
    cut = wrapped[-LINES:]
    return [f"…{cut[0][1:]}", *cut[1:]] if len(wrapped) > LINES else cut


def _print(*pieces: tuple[str, str]) -> None:
    print_formatted_text(FormattedText(pieces))
