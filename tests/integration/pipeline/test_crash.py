"""A real process, killed, stopped and starved, while people write."""

import asyncio
import random
import resource
import signal
import time
from collections.abc import AsyncIterator

import pytest

from services.chassis.errors import ValorError
from tests.integration.pipeline.house import ADA, GROUP, MEMBERS, House, broken_rules, message, until
from tests.integration.pipeline.processes import PipelineProcess
from tests.support.scripted_agent import Act, hang


@pytest.fixture
async def process(house: House) -> AsyncIterator[PipelineProcess]:
    await house.service.stop()
    async with PipelineProcess(house).running() as process:
        yield process


async def write(house: House, chat: int, count: int) -> None:
    """Submit messages as a channel does: in order, each again until it is kept."""
    for number in range(1, count + 1):
        request = message(f"@valor_bot {number}", chat=chat, number=number)
        while True:
            try:
                await house.pipeline.submit(request)
            except ValorError:
                await asyncio.sleep(0.02)
            else:
                break


async def all_answered(house: House, chats: list[int], count: int) -> None:
    """Every question has one answer, whole and in order."""
    await asyncio.gather(*(house.pipeline.until(count, "done", chat) for chat in chats))
    for chat in chats:
        words = " ".join(house.channel.texts(chat)).split()
        assert [word for word in words if word != "word"] == [f"<{number}>" for number in range(1, count + 1)]
    assert house.channel.blind == []


class Thinker:
    """Takes steps of random length, and gives answers of one to three parts."""

    def __init__(self) -> None:
        self.dice = random.Random(11)

    async def __call__(self, act: Act) -> str:
        for step in range(len(act.start.checkpoints) + 1, self.dice.randrange(1, 4)):
            await asyncio.sleep(self.dice.random() * 0.02)  # a model is never equally fast
            await act.step(step, b"%d" % step)
        if self.dice.random() < 0.2:
            await act.host("react", {"emoji": "👍"})
        number = act.question.removeprefix("@valor_bot").strip()
        return f"<{number}> " + "word " * self.dice.choice([1, 1, 1, 1500])


async def test_kills_at_random_lose_nothing_double_nothing_and_keep_the_order(
    house: House, process: PipelineProcess
) -> None:
    """F3, F10, F20, F28, F41, F75."""
    dice = random.Random(2)
    house.agent.script = Thinker()
    chats, count = [*MEMBERS[:9], GROUP], 25
    writing = asyncio.gather(*(write(house, chat, count) for chat in chats))
    for _ in range(6):
        await asyncio.sleep(dice.random() * 0.3)  # at any moment
        await process.kill()
        assert broken_rules(house.data) == {}
        await process.start()
    await writing
    await all_answered(house, chats, count)


async def test_being_told_to_stop_under_load_takes_little_time_and_loses_nothing(
    house: House, process: PipelineProcess
) -> None:
    """F62, F64."""
    thinker = Thinker()
    house.agent.script = thinker
    house.agent.on("hang", hang, thinker)
    chats, count = list(MEMBERS[:10]), 20
    await house.pipeline.submit(message("hang"))
    writing = asyncio.gather(*(write(house, chat, count) for chat in chats))
    await until(lambda: len(house.channel.posts) > 10)
    began = time.monotonic()
    code = await process.signal(signal.SIGTERM)
    assert (code, process.errors) == (0, "")
    assert time.monotonic() - began < 10
    assert broken_rules(house.data) == {}
    assert house.rows("SELECT id FROM turns WHERE state = 'running'") == []
    await process.start()
    await writing
    await all_answered(house, chats, count)
    await house.pipeline.until(1, "done")
    assert "<hang>" in house.channel.texts(ADA)[0]


async def test_an_idle_process_stops_at_once_even_if_somebody_follows(house: House, process: PipelineProcess) -> None:
    """F62."""
    await house.ask("hello")
    began = time.monotonic()
    assert await process.signal(signal.SIGTERM) == 0
    assert time.monotonic() - began < 2


async def test_what_is_answered_while_the_process_stops_is_delivered_and_not_asked_again(
    house: House, process: PipelineProcess
) -> None:
    """F41."""

    go = asyncio.Event()

    async def slow(act: Act) -> str:
        await go.wait()
        return "late, but there"

    house.agent.script = slow
    await house.pipeline.submit(message())
    await until(house.agent.running)
    asyncio.get_running_loop().call_later(0.3, go.set)
    assert await process.signal(signal.SIGTERM) == 0
    assert house.rows("SELECT state FROM turns") != ["waiting"]
    await process.start()
    await house.pipeline.until(1, "done")
    assert house.channel.texts() == ["late, but there"]
    assert len(house.agent.acts) == 1


@pytest.mark.sqlite
async def test_a_restart_goes_on_at_once_with_what_a_kill_left(house: House, process: PipelineProcess) -> None:
    """F3, F15."""
    house.agent.script = hang
    for chat in MEMBERS[:5]:
        await house.pipeline.submit(message(chat=chat))
    await until(lambda: len(house.agent.running()) == 5)
    await process.kill()
    await until(lambda: not house.agent.running())
    await process.start()
    began = time.monotonic()
    await until(lambda: len(house.agent.running()) == 5)
    assert time.monotonic() - began < 1.0


@pytest.mark.sqlite
async def test_a_second_process_on_the_same_folder_refuses_in_a_sentence(house: House) -> None:
    """F7."""
    second = await PipelineProcess(house).spawn()
    _, errors = await second.communicate()
    assert second.returncode == 2
    assert errors.decode().count("\n") == 1
    assert "Another process owns" in errors.decode()
    await house.ask("hello")


def limit_writes(process: PipelineProcess, size: int) -> None:
    assert process.process is not None
    resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@pytest.mark.sqlite
async def test_a_disk_that_refuses_is_waited_for(house: House, process: PipelineProcess) -> None:
    """F37."""
    go = asyncio.Event()

    async def wait(act: Act) -> str:
        await act.say("so far")
        await go.wait()
        await act.step(1, b"one")
        return act.question

    house.agent.on("running", wait)
    await house.pipeline.submit(message("running"))
    await house.pipeline.submit(message("@valor_bot group", chat=GROUP))
    await house.pipeline.until(1, "done", GROUP)
    await until(house.agent.running)
    limit_writes(process, 1024)
    with pytest.raises(ValorError):
        await house.pipeline.submit(message("refused", number=2))
    await asyncio.sleep(1.2)  # until a reaction and the next poll have failed too
    go.set()
    assert process.process is not None
    assert process.process.returncode is None
    limit_writes(process, resource.RLIM_INFINITY)
    await house.ask("refused", number=2)
    assert house.channel.texts() == ["running", "answer to refused"]
    assert (await house.pipeline.queue()).dead == 0
