"""Each call happens once: the ledger, over gRPC."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from services.chassis.database import Database
from services.chassis.errors import Denied, InvalidArgument, TimedOut, Unavailable, WrongState
from services.toolrunner import migrations
from services.toolrunner.adapters.ledger import SqlLedger
from services.toolrunner.call import Calls
from services.toolrunner.model import LOST, Key, Outcome, Scope
from services.toolrunner.registry import Catalogue, tool
from tests.integration.toolrunner.runner import Actor, Runner, guarded, serving, signed
from tests.support.store import place
from valor.common.v1 import common_pb2 as common
from valor.toolrunner.v1 import toolrunner_pb2 as pb


@pytest.fixture
def actor() -> Actor:
    return Actor()


@pytest.fixture
async def runner(actor: Actor, tmp_path: Path) -> AsyncIterator[Runner]:
    async with serving(actor.tools(), tmp_path) as runner:
        yield runner


def _repeats(answer: str) -> float:
    return REGISTRY.get_sample_value("toolrunner_repeats_total", {"answer": answer}) or 0.0


async def test_a_repeat_of_an_ended_call_gets_the_recorded_result(runner: Runner, actor: Actor) -> None:
    before = _repeats("replayed")
    actor.go.set()
    assert await runner.text("act", '{"what": "sent"}', index=0) == "sent 1"
    assert await runner.text("act", '{ "what" : "sent" }', index=0) == "sent 1"
    assert actor.started == 1
    assert _repeats("replayed") == before + 1


async def test_the_record_outlives_the_process(tmp_path: Path) -> None:
    actor = Actor()
    actor.go.set()
    async with serving(actor.tools(), tmp_path) as runner:
        first = await runner.text("act", index=0)
        failed = await runner.error("throws", index=1)
    async with serving(actor.tools(), tmp_path) as runner:
        assert await runner.text("act", index=0) == first
        assert await runner.error("throws", index=1) == failed
    assert actor.started == 1


async def test_a_repeat_of_a_running_call_joins_it(runner: Runner, actor: Actor) -> None:
    before = _repeats("joined")
    first = asyncio.create_task(runner.text("act", index=0))
    await actor.running.wait()
    others = [asyncio.create_task(runner.text("act", index=0)) for _ in range(20)]
    while _repeats("joined") < before + 20:
        await asyncio.sleep(0)
    actor.go.set()
    assert set(await asyncio.gather(first, *others)) == {"done 1"}
    assert actor.started == 1


async def test_another_call_under_the_same_key_is_refused_while_it_runs_and_after(runner: Runner, actor: Actor) -> None:
    first = asyncio.create_task(runner.text("wait", index=0))
    await actor.running.wait()
    for _ in ("while it runs", "after"):
        for name, arguments in (("wait", '{"what": "else"}'), ("act", "{}")):
            with pytest.raises(WrongState) as error:
                await runner.call(name, arguments, index=0)
            assert error.value.reason == "CALL_DIFFERS"
        actor.go.set()
        await first
    assert actor.started == 1


async def test_the_same_step_and_index_of_another_turn_is_another_call(runner: Runner, actor: Actor) -> None:
    actor.go.set()
    results = [(await runner.call("wait", index=0, scope=signed(turn))).content for turn in ("one", "two", "one")]
    assert results == ["done 1", "done 2", "done 1"]


async def test_cancelling_the_last_caller_cancels_the_tool_and_a_pure_one_runs_again(
    runner: Runner, actor: Actor
) -> None:
    caller = asyncio.create_task(runner.text("wait", index=0))
    await actor.running.wait()
    caller.cancel()
    await runner.until(0, "unknown")
    assert actor.cancelled == 1
    actor.go.set()
    assert await runner.text("wait", index=0) == "done 2"


async def test_a_cancelled_call_with_side_effects_is_unknown_and_never_repeated(runner: Runner, actor: Actor) -> None:
    before = _repeats("unknown")
    caller = asyncio.create_task(runner.text("act", index=0))
    await actor.running.wait()
    caller.cancel()
    await runner.until(0, "unknown")
    for _ in range(2):
        category, message = await runner.error("act", index=0)
        assert category == pb.ERROR_CATEGORY_OUTCOME_UNKNOWN
        assert "may have acted" in message
    assert actor.started == 1
    assert _repeats("unknown") == before + 2


async def test_a_caller_who_leaves_does_not_take_the_call_from_those_who_joined(runner: Runner, actor: Actor) -> None:
    before = _repeats("joined")
    first = asyncio.create_task(runner.text("act", index=0))
    await actor.running.wait()
    second = asyncio.create_task(runner.text("act", index=0))
    while _repeats("joined") == before:
        await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    actor.go.set()
    assert await second == "done 1"
    assert actor.cancelled == 0


async def test_a_repeat_at_the_moment_of_cancelling_waits_and_runs_anew(tmp_path: Path) -> None:
    running, leaving, left = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @tool()
    async def slow_to_leave() -> str:
        """Take its time when it is cancelled."""
        if left.is_set():
            return "anew"
        try:
            running.set()
            await asyncio.Event().wait()
        finally:
            leaving.set()
            await left.wait()
        return "never"

    async with serving([slow_to_leave], tmp_path) as runner:
        first = asyncio.create_task(runner.text("slow_to_leave", index=0))
        await running.wait()
        first.cancel()
        await leaving.wait()
        repeat = asyncio.create_task(runner.text("slow_to_leave", index=0))
        await runner.calls()
        left.set()
        assert await repeat == "anew"


async def test_a_call_whose_deadline_is_over_is_cancelled(runner: Runner, actor: Actor) -> None:
    with pytest.raises(TimedOut):
        await runner.call("wait", index=0, timeout=0.2)
    await runner.until(0, "unknown")
    assert actor.cancelled == 1


async def test_what_the_drain_cut_off_is_known_at_the_next_start(tmp_path: Path) -> None:
    actor = Actor()
    async with serving(actor.tools(), tmp_path) as runner:
        calls = [asyncio.create_task(runner.call(name, index=n)) for n, name in enumerate(("wait", "act"))]
        await actor.running.wait()
        await runner.until(1, "started")
        await runner.until(0, "started")
    await asyncio.wait(calls)
    actor.go.set()
    async with serving(actor.tools(), tmp_path) as runner:
        assert [await runner.state(index) for index in (0, 1)] == ["unknown", "unknown"]
        assert (await runner.text("wait", index=0)).startswith("done")
        assert (await runner.error("act", index=1))[0] == pb.ERROR_CATEGORY_OUTCOME_UNKNOWN


class Forgetful(SqlLedger):
    """A ledger whose disk is full when a call ends."""

    async def end(self, key: Key, outcome: Outcome, now: float) -> None:  # noqa: ARG002 (the port's)
        raise Unavailable("The disk is full.")


async def test_a_call_whose_end_could_not_be_written_counts_as_unseen(tmp_path: Path) -> None:
    actor, scope = Actor(), Scope("turn", frozenset({"tools"}), time.time() + 60)
    actor.go.set()
    async with Database.open(place(tmp_path, "toolrunner"), migrations) as database:
        for ledger in (Forgetful(database), SqlLedger(database)):
            async with Calls(Catalogue(actor.tools()), ledger, at_once=4).open() as calls:
                for index, name in enumerate(("wait", "act")):
                    with nullcontext() if type(ledger) is SqlLedger else pytest.raises(Unavailable):
                        last = await calls.call(scope, 0, index, name, "{}")
    assert last == LOST
    assert actor.started == 3


async def test_no_more_calls_run_at_once_than_are_allowed(tmp_path: Path) -> None:
    actor = Actor()
    async with serving(actor.tools(), tmp_path, at_once=2) as runner:
        calls = [asyncio.create_task(runner.text("wait")) for _ in range(6)]
        while actor.started < 2:
            await asyncio.sleep(0)
        assert len((await runner.calls()).calls) == 2
        actor.go.set()
        assert len(await asyncio.gather(*calls)) == 6


@pytest.mark.parametrize(
    ("scope", "reason"),
    [
        pytest.param(signed(key="another key that is long enough to sign"), "BAD_SIGNATURE", id="another key"),
        pytest.param(signed(expires=1.0), "SCOPE_EXPIRED", id="expired"),
        pytest.param(signed(expires=0.0), "SCOPE_EXPIRED", id="without an end"),
        pytest.param(signed(rights=()), "RIGHT_MISSING", id="no rights"),
        pytest.param(signed(rights=("admin",)), "RIGHT_MISSING", id="other rights"),
    ],
)
async def test_a_scope_that_allows_nothing_is_refused(
    runner: Runner, actor: Actor, scope: common.SignedScope, reason: str
) -> None:
    with pytest.raises(Denied) as error:
        await runner.call("act", index=0, scope=scope)
    assert error.value.reason == reason
    assert actor.started == 0
    assert not (await runner.calls()).calls


async def test_a_scope_that_was_changed_or_is_missing_is_refused(runner: Runner) -> None:
    whole = signed(rights=())
    whole.scope += signed(rights=("tools",)).scope
    for scope in (whole, type(whole)(), type(whole)(scope=whole.scope)):
        with pytest.raises(Denied) as error:
            await runner.tools(scope)
        assert error.value.reason == "BAD_SIGNATURE"


async def test_the_list_has_what_the_scope_may_call(runner: Runner) -> None:
    assert await runner.tools(signed(rights=())) == []
    assert [each.name for each in await runner.tools(signed(rights=("admin",)))] == ["guarded"]
    tools = {each.name: each for each in await runner.tools()}
    assert guarded.name not in tools
    assert (tools["act"].side_effects, tools["wait"].side_effects) == (True, False)
    assert tools["hangs"].timeout.ToMilliseconds() == 10
    assert tools["wait"].right == "tools"


async def test_a_tool_that_is_not_there_is_named(runner: Runner) -> None:
    assert await runner.error("nothing") == (pb.ERROR_CATEGORY_CONFIGURATION, "There is no tool named nothing.")


@pytest.mark.parametrize(("turn", "index", "field"), [("", 0, "scope.turn_id"), ("turn", -1, "index")])
async def test_a_bad_key_is_refused_by_name(runner: Runner, turn: str, index: int, field: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        await runner.call("wait", index=index, scope=signed(turn))
    assert error.value.field == field


async def test_the_ledger_is_listed_newest_first_page_by_page(runner: Runner, actor: Actor) -> None:
    actor.go.set()
    for turn in ("one", "two", "one"):
        await runner.call("wait", scope=signed(turn))
    await runner.call("throws", scope=signed("one"))
    names, token = [], ""
    while True:
        page = await runner.calls("one", size=1, token=token)
        names += [(call.name, call.state, call.error_category) for call in page.calls]
        token = page.next_page_token
        if not token:
            break
    assert names == [("throws", "ended", 3), ("wait", "ended", 0), ("wait", "ended", 0)]
    newest = (await runner.calls()).calls[0]
    assert newest.end_time.ToNanoseconds() >= newest.start_time.ToNanoseconds() > 0
    assert len((await runner.calls(size=10_000)).calls) == 4


@pytest.mark.parametrize(
    ("size", "token", "field"),
    [(-1, "", "page_size"), (0, "x", "page_token"), (0, "é", "page_token"), (0, "AAAA", "page_token")],
)
async def test_a_bad_page_is_refused_by_name(runner: Runner, size: int, token: str, field: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        await runner.calls(size=size, token=token)
    assert error.value.field == field
