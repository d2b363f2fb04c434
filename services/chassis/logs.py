"""JSON logs: one event name and fields a line, the ids of chat, turn and trace from the context, secrets masked.

Message texts are never logged; that is the caller's promise, the secrets are ours.
"""

import logging
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from types import TracebackType
from typing import Any, TextIO, cast

import structlog

from services.chassis import tracing

_secrets: set[str] = set()


def hide(secret: str) -> None:
    """Mask this value wherever it would appear in a line from now on."""
    if len(secret) >= 4:
        _secrets.add(secret)


class _Lossy:
    """Writes to a stream as long as it can be written: a full disk must cost lines, and nothing that logs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def setup(level: str = "info", stream: TextIO = sys.stderr) -> None:
    """Send all logs of the process, the libraries' too, to a stream as JSON lines; what it refuses is lost."""
    lossy = cast("TextIO", _Lossy(stream))
    chain: list[Any] = [
        structlog.contextvars.merge_contextvars,
        _trace,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*chain, structlog.processors.format_exc_info, _mask, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(lossy),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(lossy)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*chain, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _mask,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(logging.WARNING, logging.getLevelName(level.upper())), force=True)


def get() -> Any:
    """A logger: `log.info("turn_finished", parts=2)`."""
    return structlog.get_logger()


def crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What `sys.excepthook` should be: an error that ends the process is a masked line like any other."""
    get().critical("crashed", exc_info=(kind, error, trace))


def _trace(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if trace_id := tracing.trace_id():
        event["trace_id"] = trace_id
    return event


def _mask(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        text = value if isinstance(value, str) else None
        if text is None and not isinstance(value, int | float | bool | None):
            text = str(value)
        if text is not None:
            for secret in _secrets:
                text = text.replace(secret, "***")
            event[key] = text
    return event
