"""How long to wait before something that failed is tried again."""

from collections.abc import Sequence


def pause(pauses: Sequence[float], failures: int) -> float:
    """Seconds after so many failures before this one, from 0 on; the last of `pauses` for ever."""
    return pauses[min(failures, len(pauses) - 1)]
