"""What failed at the model, in our words. Messages name no key, no address and no text; the log has the kind."""

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic_ai.exceptions import (
    AgentRunError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelServerError,
    ModelTimeoutError,
    ModelUnavailableError,
)

from services.chassis import logs
from services.chassis.errors import Exhausted, TimedOut, Unavailable, ValorError, WrongState

log = logs.get()

TABLE: tuple[tuple[type[Exception], type[ValorError], str, str], ...] = (
    (ModelRateLimitError, Exhausted, "MODEL_RATE_LIMITED", "The model's provider takes no more requests for now."),
    (ModelUnavailableError, Unavailable, "MODEL_OVERLOADED", "The model is overloaded."),
    (ModelServerError, Unavailable, "MODEL_OVERLOADED", "The model's provider failed."),
    (ModelTimeoutError, TimedOut, "MODEL_TIMEOUT", "The model fell silent."),
    (TimeoutError, TimedOut, "MODEL_TIMEOUT", "The model took too long."),
    (ModelConnectionError, Unavailable, "MODEL_UNREACHABLE", "The model cannot be reached, or its answer broke off."),
    (ModelAuthenticationError, WrongState, "MODEL_REFUSED_KEY", "The model's provider refuses the key."),
    (ModelQuotaExceededError, WrongState, "MODEL_NO_CREDIT", "The account at the model's provider has no credit left."),
    (ModelNotFoundError, WrongState, "MODEL_UNKNOWN", "The model's provider does not know the model."),
    (ModelContextWindowExceededError, WrongState, "MODEL_CONTEXT_EXCEEDED", "The text is too long for the model."),
    (ModelHTTPError, WrongState, "MODEL_REFUSED_REQUEST", "The model's provider refuses the request."),
    (AgentRunError, Unavailable, "MODEL_UNREACHABLE", "The model's answer cannot be read."),
)
"""First match counts: what pydantic-ai raises → what we raise, its reason and message."""


@contextmanager
def translated() -> Iterator[None]:
    """Turn what a model request raises into ours.

    Raises:
        ValorError: The model failed; see `TABLE`.
    """
    try:
        yield
    except (AgentRunError, TimeoutError) as error:
        _, cls, reason, message = next(row for row in TABLE if isinstance(error, row[0]))
        details = {name: getattr(error, name, None) for name in ("status_code", "provider_error_type")}
        log.warning("model_request_failed", reason=reason, kind=type(error).__name__, **details)
        after = error.retry_after if isinstance(error, ModelAPIError) else None
        raise cls(message, reason=reason, retry_after=after) from error
