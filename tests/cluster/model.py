"""`python model.py PORT`: the model of a run, as a pod: it takes its time, and knows sums, words and promises."""

import asyncio
import random
import sys
from dataclasses import replace

from tests.chaos.model import Model
from tests.support import model_server

SECONDS = 1.0
"""How long an answer takes, at least: turns have to overlap, or nothing would have to scale."""


async def serve(port: int) -> None:
    """Answer for ever."""
    model = Model(random.Random(1))

    def reply(request: model_server.Request) -> model_server.Reply:
        answer = model.reply(request)
        return replace(answer, delay=SECONDS + answer.delay)

    async with model_server.serving(reply, host="0.0.0.0", port=port):  # noqa: S104 (a pod listens to its network)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
