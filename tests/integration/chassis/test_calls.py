"""Calls between services: errors, deadlines, ids, metrics, retries."""

import asyncio
import io
import socket
from collections.abc import AsyncIterator
from contextlib import nullcontext, suppress

import grpc
import pytest
from prometheus_client import REGISTRY

from services.chassis import context, logs
from services.chassis.client import connect
from services.chassis.errors import Exhausted, Internal, InvalidArgument, NotFound, TimedOut, Unavailable, ValorError
from services.chassis.server import MAX_MESSAGE
from tests.integration.chassis.echo import NAME, Context, Echo, Text, same, serving
from tests.support.process import CREDENTIAL


@pytest.mark.parametrize("kind", ValorError.__subclasses__())
async def test_an_error_arrives_as_the_class_it_was_raised_as(kind: type[ValorError]) -> None:
    async def fail(_request: Text, _: Context) -> Text:
        raise kind("Not today.", reason="TOO_EARLY", retry_after=1.25, field="text")

    async def fail_late(_request: Text, _: Context) -> AsyncIterator[Text]:
        yield Text(value="first")
        raise kind("Not today.", reason="TOO_EARLY", retry_after=1.25, field="text")

    async with serving(Say=fail, Count=fail_late) as echo:
        with pytest.raises(ValorError) as unary:
            await echo.say()
        with pytest.raises(ValorError) as streamed:
            await echo.listen("Count", Text())
    for error in (unary.value, streamed.value):
        assert type(error) is kind
        assert (error.message, error.reason, error.retry_after, error.field) == (
            "Not today.",
            "TOO_EARLY",
            1.25,
            "text",
        )


async def test_a_bug_is_internal_and_its_details_stand_in_the_log_alone() -> None:
    async def crash(_request: Text, _: Context) -> Text:
        raise KeyError("swordfish")

    log = io.StringIO()
    logs.setup(stream=log)
    async with serving(Say=crash) as echo:
        with pytest.raises(Internal) as error:
            await echo.say()
    assert "swordfish" not in error.value.message
    assert "swordfish" in log.getvalue()


async def test_a_handler_may_abort_with_a_code_of_its_own() -> None:
    async def abort(_request: Text, ctx: Context) -> Text:
        await ctx.abort(grpc.StatusCode.NOT_FOUND, "Gone.")

    async with serving(Say=abort) as echo:
        with pytest.raises(NotFound, match="Gone"):
            await echo.say()


async def test_a_method_that_is_not_there_is_internal() -> None:
    async with serving(Say=same) as echo:
        with pytest.raises(Internal):
            await echo.listen("Count", Text())


async def test_the_time_left_goes_along_over_two_hops() -> None:
    seen: list[float] = []

    async def last(request: Text, ctx: Context) -> Text:
        seen.append(ctx.time_remaining() or 0.0)
        return request

    async with serving(Say=last) as second:

        async def first(request: Text, _: Context) -> Text:
            return Text(value=await second.say(request.value, timeout=60))

        async with serving(Say=first) as echo:
            await echo.say(timeout=3)
            await echo.say(timeout=120)
    assert 2 < seen[0] < 3
    assert 59 < seen[1] < 60.1


async def test_a_caller_that_gives_up_ends_the_whole_chain() -> None:
    ended = asyncio.Event()

    async def wait(request: Text, _: Context) -> Text:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return request

    async with serving(Say=wait) as second:

        async def first(request: Text, _: Context) -> Text:
            return Text(value=await second.say(request.value))

        async with serving(Say=first) as echo:
            with pytest.raises(TimedOut):
                await echo.say(timeout=0.2)
            await ended.wait()


async def test_a_call_without_a_deadline_gets_the_default_one_and_is_counted() -> None:
    left: list[float | None] = []

    async def look(request: Text, _: Context) -> Text:
        left.append(context.remaining())
        return request

    labels = {"grpc_method": "Say"}
    before = REGISTRY.get_sample_value("grpc_server_without_deadline_total", labels) or 0
    async with serving(Say=look) as echo:
        await echo.method("Say")(Text(), metadata=echo.caller.metadata())
    assert left[0] == pytest.approx(30, abs=1)
    assert REGISTRY.get_sample_value("grpc_server_without_deadline_total", labels) == before + 1


async def test_ids_go_along_over_two_hops() -> None:
    seen: list[dict[str, str]] = []

    async def last(request: Text, _: Context) -> Text:
        seen.append(dict(context.headers()))
        return request

    async with serving(Say=last) as second:

        async def first(request: Text, _: Context) -> Text:
            return Text(value=await second.say(request.value))

        async with serving(Say=first) as echo:
            with context.about(turn_id="7", chat_id="8"):
                await echo.say()
            await echo.say()
    assert seen == [{"x-valor-turn-id": "7", "x-valor-chat-id": "8"}, {}]


def _count(kind: str, method: str, code: str = "") -> float:
    labels = {"grpc_service": NAME, "grpc_method": method} | ({"grpc_code": code} if code else {})
    return REGISTRY.get_sample_value(f"grpc_server_{kind}", labels) or 0.0


async def test_every_call_is_counted_by_its_end() -> None:
    async def fail(request: Text, ctx: Context) -> Text:
        match request.value:
            case "wrong":
                raise InvalidArgument("No.")
            case "bug":
                raise KeyError(request.value)
            case "aborted":
                await ctx.abort(grpc.StatusCode.DATA_LOSS, "Gone.")
        return request

    cases = {"fine": "OK", "wrong": "INVALID_ARGUMENT", "bug": "INTERNAL", "aborted": "UNKNOWN"}
    before = [_count("handled_total", "Say", code) for code in cases.values()]
    started, timed = _count("started_total", "Say"), _count("handling_seconds_count", "Say")
    async with serving(Say=fail) as echo:
        for text in cases:
            with suppress(ValorError):
                await echo.say(text)
    assert [_count("handled_total", "Say", code) for code in cases.values()] == [count + 1 for count in before]
    assert _count("started_total", "Say") == started + 4
    assert _count("handling_seconds_count", "Say") == timed + 4


@pytest.mark.parametrize(("failures", "tries"), [(1, 2), (3, 4), pytest.param(9, 4, id="at most four tries")])
async def test_what_is_away_is_tried_again(failures: int, tries: int) -> None:
    tried: list[str] = []

    async def flaky(request: Text, _: Context) -> Text:
        tried.append(request.value)
        if len(tried) <= failures:
            raise Unavailable("Away.")
        return request

    async with serving(Say=flaky) as echo:
        with nullcontext() if failures < tries else pytest.raises(Unavailable):
            assert await echo.say("again") == "again"
    assert len(tried) == tries


@pytest.mark.parametrize("kind", [kind for kind in ValorError.__subclasses__() if kind is not Unavailable])
async def test_nothing_else_is_tried_again(kind: type[ValorError]) -> None:
    tried: list[str] = []

    async def fail(request: Text, _: Context) -> Text:
        tried.append(request.value)
        raise kind("No.")

    async with serving(Say=fail) as echo:
        with pytest.raises(kind):
            await echo.say()
    assert len(tried) == 1


async def test_a_service_that_comes_back_is_found_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    async with connect(address, CREDENTIAL) as caller:
        for text in ("first", "second"):
            async with serving(listen=address, Say=same):
                assert await Echo(caller).say(text) == text
            with pytest.raises(Unavailable):
                await Echo(caller).say(text, timeout=1)


async def test_messages_are_bounded_both_ways() -> None:
    async def grow(request: Text, _: Context) -> Text:
        return Text(value=request.value * 2)

    async with serving(Say=grow) as echo:
        assert len(await echo.say("x" * (MAX_MESSAGE // 2 - 100))) > MAX_MESSAGE - 300
        for size in (MAX_MESSAGE // 2 + 100, MAX_MESSAGE + 100):
            with pytest.raises(Exhausted):
                await echo.say("x" * size)
