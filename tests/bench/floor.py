"""The floor: a bare bot that answers with the same model and the same client library, and keeps nothing."""

import asyncio
import os
import random
from pathlib import Path

from anthropic import AsyncAnthropic
from telethon import TelegramClient, events, functions
from telethon.crypto import rsa
from telethon.sessions import MemorySession


async def main() -> None:
    """Answer every message by the model."""
    model = AsyncAnthropic(base_url=os.environ["VALOR_MODEL_URL"])
    rsa.add_key(Path(os.environ["TELEGRAM_SERVER_KEY"]).read_text(), old=False)
    host, _, port = os.environ["TELEGRAM_SERVER"].rpartition(":")
    session = MemorySession()
    session.set_dc(2, host, int(port))
    client = TelegramClient(session, 1, "0" * 32)

    async def answer(event: events.NewMessage.Event) -> None:
        text = ""
        async with model.messages.stream(
            model="claude-haiku-4-5", max_tokens=1000, messages=[{"role": "user", "content": event.raw_text}]
        ) as stream:
            async for piece in stream.text_stream:
                text += piece
        peer = await event.get_input_chat()
        await client(functions.messages.SendMessageRequest(peer, text, random_id=random.getrandbits(62)))

    client.add_event_handler(answer, events.NewMessage(incoming=True))
    await client.start(bot_token=os.environ["TELEGRAM_BOT_TOKEN"])
    print("ready", flush=True)  # noqa: T201
    await client.disconnected


if __name__ == "__main__":
    asyncio.run(main())
