"""F95: what every process measures moves when it happens: calls, the store, the event loop."""

import asyncio
import time
from pathlib import Path

import pytest

from services.chassis import client, metrics
from services.chassis.database import Database
from services.chassis.errors import NotFound, Unavailable
from services.chassis.writer import Transaction
from tests.integration.chassis import migrations_of_a_test as migrations
from tests.integration.chassis.echo import NAME, Context, Echo, Text, serving
from tests.support.metrics import change, metric
from tests.support.process import CREDENTIAL, free_port

ECHO = {"grpc_service": NAME, "grpc_method": "Say"}


async def test_a_call_is_counted_by_who_made_it_whether_or_not_it_arrived() -> None:
    async def missing(_request: Text, _: Context) -> Text:
        raise NotFound("no")

    async with serving(Say=missing) as echo:
        found = change("grpc_client_handled_total", **ECHO, grpc_code="NOT_FOUND")
        with pytest.raises(NotFound):
            await echo.say()
        assert found() == 1
    gone = change("grpc_client_handled_total", **ECHO, grpc_code="UNAVAILABLE")
    async with client.connect(f"127.0.0.1:{free_port()}", CREDENTIAL) as caller:
        with pytest.raises(Unavailable):
            await Echo(caller).say()
    assert gone() == 1


async def test_a_store_is_up_and_counts_its_work(tmp_path: Path) -> None:
    """Tables that carry an account's number are their service's."""
    name, functions = "counted", change("valor_database_functions_total", service="counted", kind="write")
    groups = change("valor_database_transaction_seconds_count", service=name, kind="write")
    async with Database.open(tmp_path / f"{name}-4242.db", migrations) as database:
        assert metric("valor_database_up", service=name) == 1
        await asyncio.gather(*(database.write(_note) for _ in range(20)))
    assert functions() == 20
    assert 1 <= groups() <= 20


@pytest.mark.sqlite
async def test_a_store_that_refuses_is_down_until_it_takes_something(tmp_path: Path) -> None:
    name = "refusing"
    refusals = change("valor_database_refusals_total", service=name, reason="DATABASE_REFUSED")
    async with Database.open(tmp_path / f"{name}.db", migrations) as database:
        with pytest.raises(Unavailable):
            await database.write(_refuse)
        assert (refusals(), metric("valor_database_up", service=name)) == (1, 0)
        await database.write(_note)
        assert metric("valor_database_up", service=name) == 1


def _note(tx: Transaction) -> int:
    return tx.run("INSERT INTO notes (text) VALUES ('x')")


def _refuse(_tx: Transaction) -> None:
    raise Unavailable("The disk is full.", reason="DATABASE_REFUSED")


async def test_what_blocks_the_event_loop_is_seen() -> None:
    late = change("valor_event_loop_delay_seconds_sum")
    watch = asyncio.create_task(metrics.watch_the_loop())
    looks = change("valor_event_loop_delay_seconds_count")
    while not looks():
        await asyncio.sleep(0.01)
    time.sleep(0.5)  # noqa: ASYNC251 (this blocks it)
    while looks() < 2:
        await asyncio.sleep(0.01)
    watch.cancel()
    assert late() > 0.2


def test_a_process_says_what_it_runs() -> None:
    metrics.announce("echo")
    assert metric("valor_build_info", service="echo", version="0.1.0") == 1
