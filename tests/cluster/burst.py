"""Ten times the load at once: replicas come, and nobody waits long. Later they go again."""

import asyncio
import time
from collections.abc import Callable

from tests.cluster.kube import until
from tests.cluster.load import Load
from tests.cluster.release import NAME, Release
from tests.cluster.values import FEWEST

TIMES = 10
GROW = 60.0
"""Seconds within which there are more replicas."""
LASTS = 60.0
"""Seconds that a burst takes."""
PATIENT = 5.0
"""Seconds that the oldest waiting turn may have waited, at its end."""
SHRINK = 480.0
"""Seconds until there are few again: what was wanted is kept for 5 minutes, and Kubernetes takes its time."""

SCALED = f"{NAME}-pipeline"


async def burst(release: Release, load: Load, say: Callable[[str], None]) -> float:
    """Write ten times as fast for a minute; seconds until the pipeline had more ready replicas.

    Raises TimeoutError where they do not come, or where turns still wait too long at the end.
    """
    await until("the fewest replicas", lambda: _replicas(release, FEWEST, FEWEST), GROW)
    load.rate *= TIMES
    waiting = asyncio.create_task(_waiting(release))
    scale_out = await until("more replicas of the pipeline", lambda: _replicas(release, FEWEST + 1), GROW)
    say(f"{TIMES} times the load: more than {FEWEST} replicas after {scale_out:.0f} s")
    ages = await waiting
    load.rate /= TIMES
    say(f"the oldest waiting turn had waited {max(ages):.1f} s at worst, {ages[-1]:.1f} s in the end")
    return scale_out


async def _waiting(release: Release) -> list[float]:
    """The age of the oldest waiting turn, seconds, again and again, until the burst is over and it is short."""
    ages = list[float]()

    async def over() -> bool:
        ages.append(float((await release.status())["queue"]["oldest_waiting_seconds"]))
        return time.monotonic() > begin + LASTS and ages[-1] < PATIENT

    begin = time.monotonic()
    await until("turns that wait for a short time", over, 2 * LASTS)
    return ages


async def scale_in(release: Release) -> None:
    """Wait until there are few replicas again. Raises TimeoutError."""
    await until("few replicas of the pipeline", lambda: _replicas(release, FEWEST, FEWEST), SHRINK)


async def _replicas(release: Release, least: int, most: int = 100) -> bool:
    return least <= await release.kube.replicas(SCALED) <= most
