"""Streams: what arrives when, and that a cancelled one unwinds."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from prometheus_client import REGISTRY

from services.chassis import context
from services.chassis.errors import NotFound
from tests.integration.chassis.echo import NAME, Context, Text, serving


def _handled(method: str, code: str) -> float:
    labels = {"grpc_service": NAME, "grpc_method": method, "grpc_code": code}
    return REGISTRY.get_sample_value("grpc_server_handled_total", labels) or 0.0


class Unwound:
    """Streams that go on until they are cancelled, and what was left of them."""

    def __init__(self) -> None:
        self.began, self.ended = asyncio.Event(), asyncio.Event()
        self.tasks: list[bool] = []

    async def count(self, request: Text, _: Context) -> AsyncIterator[Text]:
        task = asyncio.current_task()
        try:
            while True:
                yield request
                self.began.set()
                await asyncio.sleep(0)
        finally:
            self.tasks.append(asyncio.current_task() is task)
            self.ended.set()

    async def talk(self, requests: AsyncIterator[Text], _: Context) -> AsyncIterator[Text]:
        try:
            async for request in requests:
                yield request
            await asyncio.Event().wait()
        finally:
            self.ended.set()

    async def silent(self, request: Text, _: Context) -> AsyncIterator[Text]:
        self.began.set()
        try:
            await asyncio.Event().wait()
            yield request
        finally:
            self.ended.set()


async def test_all_shapes_of_streams_arrive_in_order() -> None:
    async def count(request: Text, _: Context) -> AsyncIterator[Text]:
        for number in range(int(request.value)):
            yield Text(value=str(number))

    async def gather(requests: AsyncIterator[Text], _: Context) -> Text:
        return Text(value=",".join([request.value async for request in requests]))

    async def talk(requests: AsyncIterator[Text], _: Context) -> AsyncIterator[Text]:
        async for request in requests:
            yield Text(value=request.value.upper())

    async with serving(Count=count, Gather=gather, Talk=talk) as echo:
        words = [Text(value=word) for word in ("a", "b", "c")]
        assert await echo.listen("Count", Text(value="3")) == ["0", "1", "2"]
        assert await echo.listen("Talk", iter(words)) == ["A", "B", "C"]
        assert (await echo.stream("Gather", iter(words))).value == "a,b,c"


@pytest.mark.parametrize("method", ["count", "silent"])
async def test_a_cancelled_server_stream_unwinds_in_its_own_task_and_is_counted(method: str) -> None:
    unwound, before = Unwound(), _handled("Count", "CANCELLED")
    async with serving(Count=getattr(unwound, method)) as echo:
        stream = echo.stream("Count", Text())
        await unwound.began.wait()
        stream.cancel()
        await unwound.ended.wait()
        while _handled("Count", "CANCELLED") == before:
            await asyncio.sleep(0)
    assert unwound.tasks in ([True], [])


async def test_a_cancelled_bidirectional_stream_unwinds() -> None:
    unwound, before = Unwound(), _handled("Talk", "CANCELLED")
    async with serving(Talk=unwound.talk) as echo:
        stream = echo.method("Talk")(metadata=echo.caller.metadata())
        await stream.write(Text(value="hello"))
        assert (await stream.read()).value == "hello"
        stream.cancel()
        await unwound.ended.wait()
        while _handled("Talk", "CANCELLED") == before:
            await asyncio.sleep(0)


async def test_a_stream_ends_at_its_deadline() -> None:
    unwound = Unwound()
    async with serving(Count=unwound.silent) as echo:
        stream = echo.stream("Count", Text(), timeout=0.1)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await stream.read()
        assert error.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await unwound.ended.wait()


async def test_a_stream_without_a_deadline_lives_on() -> None:
    left: list[float | None] = []

    async def look(request: Text, _: Context) -> AsyncIterator[Text]:
        left.append(context.remaining())
        yield request

    async with serving(Count=look) as echo:
        await echo.listen("Count", Text())
    assert left == [None]


async def test_the_end_of_a_stream_is_counted_by_its_code() -> None:
    async def fail(request: Text, _: Context) -> AsyncIterator[Text]:
        yield request
        if request.value:
            raise NotFound("No more.")

    before = _handled("Count", "OK"), _handled("Count", "NOT_FOUND")
    async with serving(Count=fail) as echo:
        await echo.listen("Count", Text())
        with pytest.raises(NotFound):
            await echo.listen("Count", Text(value="x"))
    assert (_handled("Count", "OK"), _handled("Count", "NOT_FOUND")) == (before[0] + 1, before[1] + 1)


async def test_a_thousand_cancelled_streams_leave_no_task_behind() -> None:
    unwound = Unwound()
    async with serving(Count=unwound.count) as echo:
        await echo.stream("Count", Text()).read()
        before = len(asyncio.all_tasks())
        for _ in range(20):
            streams = [echo.stream("Count", Text()) for _ in range(50)]
            await asyncio.gather(*[stream.read() for stream in streams])
            for stream in streams:
                stream.cancel()
        while len(unwound.tasks) < 1_000:
            await asyncio.sleep(0)
        while len(asyncio.all_tasks()) > before:
            await asyncio.sleep(0)
