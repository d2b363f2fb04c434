"""The database server is killed and starts again, while people write."""

import asyncio
import os
import re
import shlex

import pytest

from tests.integration.pipeline.house import MEMBERS, House, message
from tests.integration.pipeline.test_replicas import insist, replica
from tests.support.scripted_agent import Act

pytestmark = pytest.mark.postgres

RESTART = shlex.split(os.environ.get("VALOR_TEST_POSTGRES_RESTART", ""))


async def test_a_killed_server_costs_time_and_nothing_else(house: House) -> None:
    """F37. Both replicas connect anew; each question is answered once, in order."""
    steps: list[str] = []

    async def two_steps(act: Act) -> str:
        for step in range(len(act.start.checkpoints) + 1, 3):
            await asyncio.sleep(0.05)  # a model takes its time
            await act.step(step, b"%d" % step)
            steps.append(f"{act.question} {step}")
        return f"<{act.question}>"

    house.agent.script = two_steps
    chats = MEMBERS[:6]

    async def write(chat: int) -> None:
        for number in range(1, 16):
            await insist(house, message(f"{chat}.{number}", chat=chat, number=number))

    async with replica(house):
        writing = asyncio.gather(*(write(chat) for chat in chats))
        for _ in range(2):
            await asyncio.sleep(1.0)  # at any moment
            restart = await asyncio.create_subprocess_exec(*RESTART)
            assert await restart.wait() == 0
        await writing
        await asyncio.gather(*(house.pipeline.until(15, "done", chat) for chat in chats))
    for chat in chats:
        words = " ".join(house.channel.texts(chat))
        assert re.findall(r"<\d+\.(\d+)>", words) == [str(number) for number in range(1, 16)]
    assert house.channel.blind == []
    assert len(steps) == len(set(steps))
