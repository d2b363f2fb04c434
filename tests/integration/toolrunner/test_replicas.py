"""Two toolrunners on one ledger."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from services.chassis.database import Database
from services.chassis.errors import Unavailable, WrongState
from services.toolrunner import call as calls_module
from services.toolrunner import migrations
from services.toolrunner.adapters import ledger as ledger_module
from services.toolrunner.adapters.ledger import SqlLedger
from services.toolrunner.call import Calls
from services.toolrunner.model import LOST, Call, Key, Outcome, Scope, args_hash
from services.toolrunner.registry import Catalogue
from tests.integration.toolrunner.runner import Actor
from tests.support.store import place, rows

pytestmark = pytest.mark.postgres

LEASE = 0.5
SCOPE = Scope("turn", frozenset({"tools"}), time.time() + 86_400)


@pytest.fixture(autouse=True)
def _short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "LEASE", LEASE)
    monkeypatch.setattr(calls_module, "BEAT", LEASE / 5)
    monkeypatch.setattr(calls_module, "LOOK", 0.01)


class Shaky(SqlLedger):
    """A ledger whose database may be lost while it works."""

    lost_at = ""
    committed: asyncio.Event

    async def begin(self, call: Call, *, side_effects: bool, now: float) -> Outcome | None:
        """The commit happens; where it is lost, nobody hears of it."""
        earlier = await super().begin(call, side_effects=side_effects, now=now)
        if self.lost_at == "begin":
            self.committed.set()
            await asyncio.Event().wait()
        return earlier

    async def end(self, key: Key, outcome: Outcome, now: float) -> None:
        """Nothing happens where it is lost."""
        if self.lost_at == "end":
            raise Unavailable("The database was lost.")
        await super().end(key, outcome, now)


class Replica:
    """A toolrunner, and what its tools did."""

    def __init__(self, database: Database) -> None:
        self.actor, self.ledger = Actor(), Shaky(database)
        self.calls = Calls(Catalogue(self.actor.tools()), self.ledger, at_once=4)

    async def call(self, name: str, arguments: str = "{}", *, index: int = 0) -> Outcome:
        return await self.calls.call(SCOPE, 0, index, name, arguments)


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[Replica, Replica]]:
    async with AsyncExitStack() as stack:
        opened = [
            Replica(await stack.enter_async_context(Database.open(place(tmp_path, "toolrunner"), migrations)))
            for _ in range(2)
        ]
        for replica in opened:
            await stack.enter_async_context(replica.calls.open())
        yield opened[0], opened[1]


async def begun_and_left(replica: Replica, name: str, *, side_effects: bool) -> None:
    """A call whose process died right after its start."""
    call = Call(Key("turn", 0, 0), name, args_hash("{}"))
    assert await replica.ledger.begin(call, side_effects=side_effects, now=time.time()) is None


async def test_a_repeat_at_another_replica_waits_for_the_running_call(pair: tuple[Replica, Replica]) -> None:
    one, other = pair
    first = asyncio.create_task(one.call("act"))
    await one.actor.running.wait()
    repeat = asyncio.create_task(other.call("act"))
    done, _ = await asyncio.wait([repeat], timeout=LEASE * 3)  # longer than the lease: it is renewed
    assert not done
    one.actor.go.set()
    assert await first == await repeat == Outcome("done 1")
    assert other.actor.started == 0


async def test_another_call_under_the_same_key_is_refused_there_too(pair: tuple[Replica, Replica]) -> None:
    one, other = pair
    first = asyncio.create_task(one.call("act"))
    await one.actor.running.wait()
    with pytest.raises(WrongState):
        await other.call("act", '{"what": "other"}')
    one.actor.go.set()
    await first


async def test_of_two_that_begin_at_once_one_runs(pair: tuple[Replica, Replica]) -> None:
    for replica in pair:
        replica.actor.go.set()
    assert await asyncio.gather(*[replica.call("act") for replica in pair]) == [Outcome("done 1")] * 2
    assert sum(replica.actor.started for replica in pair) == 1


async def test_a_pure_call_of_a_dead_replica_is_run_again_when_its_lease_is_over(pair: tuple[Replica, Replica]) -> None:
    await begun_and_left(pair[0], "wait", side_effects=False)
    pair[1].actor.go.set()
    assert await pair[1].call("wait") == Outcome("done 1")


async def test_a_side_effect_of_a_dead_replica_is_told_as_unknown(pair: tuple[Replica, Replica]) -> None:
    await begun_and_left(pair[0], "act", side_effects=True)
    assert await pair[1].call("act") == LOST
    assert pair[1].actor.started == 0


async def test_what_a_paused_replica_learns_later_does_not_change_what_was_told(
    pair: tuple[Replica, Replica], tmp_path: Path
) -> None:
    await begun_and_left(pair[0], "act", side_effects=True)
    assert await pair[1].call("act") == LOST
    await pair[0].ledger.end(Key("turn", 0, 0), Outcome("it worked"), time.time())
    assert rows(place(tmp_path, "toolrunner"), "SELECT state FROM calls") == ["unknown"]
    assert await pair[1].call("act") == LOST


async def test_a_start_leaves_the_calls_of_the_living_alone(pair: tuple[Replica, Replica]) -> None:
    await begun_and_left(pair[0], "act", side_effects=True)
    assert await pair[1].ledger.lose_all() == 0
    async with asyncio.timeout(10):
        while not await pair[1].ledger.lose_all():
            await asyncio.sleep(0.01)


async def left_without_an_end(replica: Replica) -> None:
    """A pure call ended, and its replica could not note it."""
    replica.ledger.lost_at = "end"
    with pytest.raises(Unavailable):
        await replica.call("wait")


async def left_at_its_start(replica: Replica) -> None:
    """The caller of a pure call left while its start was being noted."""
    replica.ledger.lost_at, replica.ledger.committed = "begin", asyncio.Event()
    caller = asyncio.create_task(replica.call("wait"))
    await replica.ledger.committed.wait()
    caller.cancel()
    await asyncio.wait([caller])


@pytest.mark.parametrize("left", [left_without_an_end, left_at_its_start])
async def test_a_call_that_a_busy_replica_left_is_run_again_when_its_lease_is_over(
    pair: tuple[Replica, Replica], left: Callable[[Replica], Awaitable[None]]
) -> None:
    one, other = pair
    for replica in pair:
        replica.actor.go.set()
    await left(one)
    one.ledger.lost_at = ""
    one.actor.go.clear()
    busy = asyncio.create_task(one.call("act", index=1))
    async with asyncio.timeout(LEASE * 8):
        assert await other.call("wait") == Outcome("done 1")
    assert not busy.done()
    one.actor.go.set()
    await busy
