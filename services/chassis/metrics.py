"""The metrics every server has (rate, errors, duration), and the port that shows all of them."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Histogram, start_http_server

from services.chassis.errors import SettingsError

STARTED = Counter("grpc_server_started", "RPCs begun.", ["grpc_service", "grpc_method"])
HANDLED = Counter("grpc_server_handled", "RPCs ended, by code.", ["grpc_service", "grpc_method", "grpc_code"])
SECONDS = Histogram(
    "grpc_server_handling_seconds",
    "Duration of RPCs.",
    ["grpc_service", "grpc_method"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1, 3, 10, 30, 100),
)
NO_DEADLINE = Counter("grpc_server_without_deadline", "Unary RPCs that came without a deadline.", ["grpc_method"])


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
