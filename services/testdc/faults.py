"""What can go wrong with a call on purpose."""

from dataclasses import dataclass
from typing import Literal

FaultKind = Literal["error", "delay", "drop_before", "drop_after", "swallow", "slow_send"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one call.

    error: refused with `code` and `message` · delay: carried out `seconds` later · drop_before, drop_after: the
    connection is lost before or after the call is carried out · swallow: neither carried out nor answered ·
    slow_send: a message takes `seconds` to be made, and its random id is RANDOM_ID_DUPLICATE meanwhile.
    """

    kind: FaultKind
    code: int = 0
    message: str = ""
    seconds: float = 0.0


DROP_BEFORE, DROP_AFTER, SWALLOW = Fault("drop_before"), Fault("drop_after"), Fault("swallow")


def error(code: int, message: str) -> Fault:
    """Refused, e.g. `error(500, "INTERNAL")` or `error(-503, "Timeout")`."""
    return Fault("error", code=code, message=message)


def flood(seconds: int) -> Fault:
    """Refused with FLOOD_WAIT."""
    return error(420, f"FLOOD_WAIT_{seconds}")


def delay(seconds: float) -> Fault:
    """Carried out later."""
    return Fault("delay", seconds=seconds)


def slow_send(seconds: float = 1.0) -> Fault:
    """A message that takes its time."""
    return Fault("slow_send", seconds=seconds)
