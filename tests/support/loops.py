"""What an event loop reports when something of ours dies and nobody looks."""

import logging
from collections.abc import Iterable

EVENT_OF_GRPC = "Exception in callback PollerCompletionQueue._handle_events"


def died_unseen(records: Iterable[logging.LogRecord]) -> list[str]:
    """The messages of asyncio's own log, without what gRPC has left of an earlier test.

    gRPC has one queue of events for all loops of a process: what a cancelled call still reports may reach the loop
    of the next test, and finds its own one closed. In a service there is one loop, and it ends with the process.
    """
    return [record.getMessage() for record in records if record.name == "asyncio" and not _of_an_earlier_test(record)]


def _of_an_earlier_test(record: logging.LogRecord) -> bool:
    cause = record.exc_info[1] if record.exc_info else None
    return record.getMessage().startswith(EVENT_OF_GRPC) and str(cause) == "Event loop is closed"
