"""The errors that services raise and hand to each other.

ValorError
├── InvalidArgument    the request is wrong; names the field
├── NotFound           there is no such thing
├── WrongState         a legal request at the wrong moment
├── LostOwnership      somebody else owns it now; start over
├── Exhausted          a limit is reached; says when to come back
├── Unauthenticated    the caller did not say who it is
├── Denied             the caller may not do this
├── Unavailable        something this depends on is away; the same call may work later
├── TimedOut           it took longer than it may
└── Internal           a bug; details stand in the log alone

SettingsError          a setting is missing or wrong; ends the process with one sentence

`status.py` maps the tree to gRPC and back, so an error that a callee raises arrives at its caller as the same class.
"""


class ValorError(Exception):
    """A failure with a stable reason.

    Attributes:
        message: One plain sentence without internals.
        reason: Stable UPPER_SNAKE name for programs, at most 63 characters.
        retry_after: Seconds until the same call may succeed; None where waiting does not help or nobody knows.
        field: The request's field that is wrong; empty where none is.
    """

    default_reason = "INTERNAL"

    def __init__(self, message: str, *, reason: str = "", retry_after: float | None = None, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default_reason
        self.retry_after = retry_after
        self.field = field


class InvalidArgument(ValorError):
    """The request is wrong and will stay wrong; `field` names the culprit."""

    default_reason = "INVALID_ARGUMENT"


class NotFound(ValorError):
    """There is no such thing."""

    default_reason = "NOT_FOUND"


class WrongState(ValorError):
    """The request is legal, but not in the state that the thing is in."""

    default_reason = "WRONG_STATE"


class LostOwnership(ValorError):
    """Somebody else owns it now: whoever gets this must stop writing."""

    default_reason = "LOST_OWNERSHIP"


class Exhausted(ValorError):
    """A limit is reached; `retry_after` says when to come back."""

    default_reason = "EXHAUSTED"


class Unauthenticated(ValorError):
    """The caller did not prove who it is."""

    default_reason = "UNAUTHENTICATED"


class Denied(ValorError):
    """The caller is known and may not do this."""

    default_reason = "DENIED"


class Unavailable(ValorError):
    """Something this depends on is away; the same call may work later."""

    default_reason = "UNAVAILABLE"


class TimedOut(ValorError):
    """It took longer than it may; whether it happened is unknown."""

    default_reason = "TIMED_OUT"


class Internal(ValorError):
    """A bug. The message is generic, the details stand in the log."""

    default_reason = "INTERNAL"


class SettingsError(Exception):
    """A setting is missing or wrong. The text is one sentence that names it and says what to do."""
