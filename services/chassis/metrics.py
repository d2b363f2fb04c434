"""The metrics that every process has: calls (rate, errors, duration), the store, the event loop; and their port.

Names begin with `grpc_` where the field has a name for it, else with `valor_`; those of a service with the service's.
"""

import asyncio
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from itertools import product
from typing import Literal

from prometheus_client import Counter, Gauge, Histogram, start_http_server

from services.chassis.errors import SettingsError, Unavailable

BUILD = Gauge("valor_build_info", "1: this process runs a service in a version.", ["service", "version"])

STARTED = Counter("grpc_server_started", "RPCs begun.", ["grpc_service", "grpc_method"])
HANDLED = Counter("grpc_server_handled", "RPCs ended, by code.", ["grpc_service", "grpc_method", "grpc_code"])
SECONDS = Histogram(
    "grpc_server_handling_seconds",
    "Duration of RPCs.",
    ["grpc_service", "grpc_method"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1, 3, 10, 30, 100),
)
NO_DEADLINE = Counter("grpc_server_without_deadline", "Unary RPCs that came without a deadline.", ["grpc_method"])
CALLED = Counter(
    "grpc_client_handled",
    "Unary RPCs that this process called, by code: also those that never arrived.",
    ["grpc_service", "grpc_method", "grpc_code"],
)

DATABASE_UP = Gauge("valor_database_up", "1 while a service's store takes what it is given.", ["service"])
DATABASE_SECONDS = Histogram(
    "valor_database_transaction_seconds",
    "Duration of transactions, each of a group of functions: a write ends with a durable commit.",
    ["service", "kind"],
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1, 3, 10),
)
DATABASE_FUNCTIONS = Counter("valor_database_functions", "Functions given to the store.", ["service", "kind"])
DATABASE_WAITING = Gauge("valor_database_waiting_functions", "Functions that wait for the store.", ["service", "kind"])
DATABASE_REFUSALS = Counter(
    "valor_database_refusals", "Functions that the store did not do, or perhaps did: by reason.", ["service", "reason"]
)
DATABASE_AGAIN = Counter(
    "valor_database_repeats", "Functions that ran again because of another process or a lost connection.", ["service"]
)
DATABASE_RECONNECTS = Counter("valor_database_reconnects", "Connections that were lost and made again.", ["service"])

LOOP_DELAY = Histogram(
    "valor_event_loop_delay_seconds",
    "How much later than asked for the event loop wakes up: all that a process does waits as long.",
    buckets=(0.002, 0.01, 0.05, 0.2, 1, 5),
)
LOOK = 0.25
"""Seconds between two looks at the event loop."""


def announce(*services: str) -> None:
    """Say which services this process runs, and in which version."""
    try:
        ours = version("valor")
    except PackageNotFoundError:  # it runs from its sources
        ours = "unknown"
    for service in services:
        BUILD.labels(service, ours).set(1)


def called(path: bytes, code: str) -> None:
    """An RPC that this process called has ended; `path` as gRPC has it, b"/package.Service/Method"."""
    _called(path, code).inc()


@cache
def _called(path: bytes, code: str) -> Counter:
    _, service, method = path.decode().split("/")
    return CALLED.labels(service, method, code)


def service_of(tables: str) -> str:
    """The service that tables belong to, by their name; those of an account carry its number as well."""
    return re.split("[-_]", tables)[0]


class Measures:
    """What is measured of a store by those who work with it; of all threads of a service and kind together."""

    def __init__(self, tables: str, kind: Literal["write", "read"], waiting: Callable[[], int]) -> None:
        service = service_of(tables)
        self._up = DATABASE_UP.labels(service)
        self._seconds = DATABASE_SECONDS.labels(service, kind)
        self._functions = DATABASE_FUNCTIONS.labels(service, kind)
        self._again = DATABASE_AGAIN.labels(service)
        prepare(DATABASE_RECONNECTS, (service,))
        self._service = service
        prepare(DATABASE_REFUSALS, (service,), ("DATABASE_REFUSED", "COMMIT_UNKNOWN"))
        self._up.set(1)
        DATABASE_WAITING.labels(service, kind).set_function(waiting)

    @contextmanager
    def group(self, size: int) -> Iterator[None]:
        """A group of functions runs inside."""
        self._functions.inc(size)
        with self._seconds.time():
            yield

    def again(self) -> None:
        """A function of a group has to run again, alone."""
        self._again.inc()

    def ended(self, outcomes: Iterable[object]) -> None:
        """What became of each function of a group: an `Unavailable` is the store's."""
        refusals = [outcome.reason for outcome in outcomes if isinstance(outcome, Unavailable)]
        self._up.set(not refusals)
        for reason in refusals:
            DATABASE_REFUSALS.labels(self._service, reason).inc()


def prepare(counter: Counter | Histogram, *values: Iterable[str]) -> None:
    """Show 0 for every combination of label values that can come, so that the first event is a change like any other.

    A counter that appears with its first event has no rate then, and no alert sees it.
    """
    for labels in product(*values):
        counter.labels(*labels)


async def watch_the_loop() -> None:
    """Measure the event loop, until cancelled."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(LOOK)
        LOOP_DELAY.observe(time.perf_counter() - began - LOOK)


@contextmanager
def serve(listen: str) -> Iterator[str]:
    """Show the process's metrics at http://<listen>/metrics until the block ends; yields the address."""
    host, _, port = listen.rpartition(":")
    try:
        server, thread = start_http_server(int(port), host)
    except OSError:
        raise SettingsError(f"Cannot listen on {listen}: the address is taken or not ours.") from None
    try:
        yield f"{host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
