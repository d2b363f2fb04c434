"""Two processes that could speak for the account: one does, the other connects to nothing until it may."""

import asyncio
import signal
import time

import pytest

from services.chassis.database import Database
from services.chassis.errors import LostOwnership
from services.telegram import migrations, ownership
from services.telegram.adapters.lease import SqlLease
from services.telegram.adapters.store import SqlStore
from services.telegram.model import ACCOUNT_BOX, Cursor
from services.telegram.ownership import Ownership
from services.testdc.model import Account
from tests.integration.telegram.scene import Scene, quiet
from tests.integration.telegram.test_process import started
from tests.support.sandbox import until

pytestmark = pytest.mark.postgres


@pytest.fixture
def _short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"LEASE": 1.0, "BEAT": 0.2, "MARGIN": 0.3, "LOOK": 0.05}.items():
        monkeypatch.setattr(ownership, name, seconds)


async def first_words(scene: Scene, person: Account) -> None:
    """Wait until what a person writes arrives: the very first start reads from its own moment on."""
    await until(lambda: scene.rows("SELECT pts FROM cursor WHERE box = 0"), 20)
    scene.say(person, "hello")
    await scene.received(person.id, "hello")


@pytest.mark.usefixtures("_short_leases")
async def test_a_standby_connects_to_nothing_and_takes_over_at_once_when_the_owner_leaves(
    scene: Scene, anna: Account
) -> None:
    """Covers F44, F45."""
    async with scene.telegram() as owner:
        await first_words(scene, anna)
        accepted = scene.dc.accepted
        async with scene.telegram(wait=False) as standby:
            await quiet(1.5)  # longer than a lease
            assert scene.dc.accepted == accepted
            assert (owner.said[-1], standby.said) == (True, [False])
    async with scene.telegram(wait=False) as next_one:
        began = time.monotonic()
        await next_one.online()
        assert time.monotonic() - began < 1.0  # the lease was given up, not waited for


async def test_a_killed_owner_is_replaced_within_fifteen_seconds(scene: Scene, anna: Account) -> None:
    """Covers F3, F45."""
    async with started(scene) as owner:
        await owner.online()
        await first_words(scene, anna)
        async with scene.telegram(wait=False) as standby:
            await owner.kill()
            died = time.monotonic()
            scene.say(anna, "are you there?")
            part = scene.pipeline.send(anna.id, "yes")
            await until(lambda: standby.serving, 20)
            assert time.monotonic() - died < 15
            await scene.received(anna.id, "hello", "are you there?")
            await scene.delivered(part)
    assert scene.seen(anna) == ["yes"]


async def test_an_owner_that_was_paused_says_nothing_more_and_becomes_the_standby(scene: Scene, anna: Account) -> None:
    """Covers F45. What it was about to send when it was paused is sent by the other, once."""
    scene.dc.world.limits.duplicate_key_grace = 0
    scene.dc.world.limits.random_ids = "forgotten"
    async with started(scene) as owner:
        await owner.online()
        await first_words(scene, anna)
        async with scene.telegram(wait=False) as standby:
            owner.process.send_signal(signal.SIGSTOP)
            parts = [scene.pipeline.send(anna.id, text) for text in ("one", "two")]
            await until(lambda: standby.serving, 20)
            await scene.delivered(*parts)
            owner.process.send_signal(signal.SIGCONT)
            await until(lambda: owner.log.read_text().count("standing_by") > 0, 20)
            parts = [scene.pipeline.send(anna.id, text) for text in ("three", "four")]
            await scene.delivered(*parts)
            scene.say(anna, "still there?")
            await scene.received(anna.id, "hello", "still there?")
            assert standby.said == [False, True]
    assert scene.seen(anna) == ["one", "two", "three", "four"]


@pytest.mark.usefixtures("_short_leases")
async def test_who_is_the_owner_no_more_moves_no_cursor(scene: Scene) -> None:
    async with (
        Database.open(scene.database, migrations) as one,
        Database.open(scene.database, migrations) as other,
    ):
        old, new = SqlLease(one), SqlLease(other)
        assert await old.take(0.2)
        assert not await new.take(0.2)
        store = SqlStore(one, old)
        await store.advance(ACCOUNT_BOX, Cursor(1, 1, 1))
        async with asyncio.timeout(5):
            while not await new.take(5):
                await asyncio.sleep(0.01)
        with pytest.raises(LostOwnership):
            await store.advance(ACCOUNT_BOX, Cursor(2, 2, 2))
        with pytest.raises(LostOwnership):
            await store.save_session(None)
        assert not await old.renew(5)
        await old.give_up()
        assert not await old.take(5)
    assert scene.cursor == 1


async def test_who_leaves_while_it_takes_the_lease_lets_the_next_one_in_at_once(scene: Scene) -> None:
    async with (
        Database.open(scene.database, migrations) as one,
        Database.open(scene.database, migrations) as other,
    ):

        async def own() -> None:
            async with Ownership(SqlLease(one), alone=False).held():
                await asyncio.Event().wait()

        leaving = asyncio.create_task(own())
        await asyncio.sleep(0)  # it has asked
        leaving.cancel()
        await asyncio.wait([leaving])
        assert await SqlLease(other).take(5)
