"""Talking to a running house: at a prompt on a terminal, line by line elsewhere."""

import asyncio
import sys

from services.cli.chat import private_chat
from services.cli.pipe import pipe
from services.cli.run import Run
from services.cli.tasks import first


async def converse(run: Run, stop: asyncio.Event) -> None:
    """Chat until the end of input, or until told to stop.

    Raises:
        SettingsError: The house is on the real Telegram.
        Unavailable: The house has stopped.
    """
    async with private_chat(run) as chat:
        if sys.stdin.isatty() and sys.stdout.isatty():
            from services.cli.terminal import Terminal  # noqa: PLC0415 (a library of 3 MB that pipes do not need)

            await first(Terminal(chat).run(), stop.wait())
        else:
            await first(pipe(chat), stop.wait())
