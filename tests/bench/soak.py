"""`python -m tests.bench.soak`: memory over a long run of steady load. Exit code 0 only when it is flat."""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.load import Answered, crowd, percentile
from tests.bench.stage import House, house, stage

BAR = 1.0
"""Megabytes an hour (architecture, section 9)."""
PEOPLE, THINKING = 20, 2.0
"""So many people, who think for so many seconds on average between an answer and the next question."""
WARM = 180.0
"""Seconds in which people do not think at all, so that caches fill; they do not count."""
LOOK = 1.0
"""Seconds between two looks at the memory."""


@dataclass(frozen=True)
class Minute:
    """A minute of the run: the lowest memory seen, which is what is really held."""

    hours: float
    megabytes: float


def main() -> None:
    """Run, and say how steep memory rose."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long the load lasts")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="valor-soak-") as scratch:
        rise = asyncio.run(run(options.minutes, Path(scratch)))
    sys.exit(0 if rise <= BAR else 1)


async def run(minutes: float, folder: Path) -> float:
    """One run; megabytes an hour."""
    async with stage(folder, PEOPLE) as on, house(on) as running, crowd(on) as people:
        await people.busy(on.people, WARM)
        watching = asyncio.create_task(watch(running, minutes))
        answers = await people.busy(on.people, minutes * 60, thinking=THINKING)
        seen = await watching
    rise = slope(seen)
    report(seen, answers, rise)
    return rise


async def watch(running: House, minutes: float) -> list[Minute]:
    """Each minute of the run."""
    seen: list[Minute] = []
    for number in range(int(minutes)):
        end, held = time.monotonic() + 60, running.memory()
        while time.monotonic() < end:
            await asyncio.sleep(LOOK)
            held = min(held, running.memory())
        seen.append(Minute(number / 60, held))
        print(f"… minute {number + 1} of {minutes:.0f}: {held:.1f} MB", flush=True)  # noqa: T201
    return seen


def slope(seen: Sequence[Minute]) -> float:
    """Megabytes an hour, by least squares."""
    return statistics.linear_regression([one.hours for one in seen], [one.megabytes for one in seen]).slope


def report(seen: Sequence[Minute], answers: Sequence[Answered], rise: float) -> None:
    """The last line is the verdict."""
    added = [answer.milliseconds for answer in answers]
    first, last = percentile(added[: len(added) // 5], 0.5), percentile(added[-len(added) // 5 :], 0.5)
    print(f"answered {len(answers)}; p50 {first:.0f} ms at first, {last:.0f} ms at last")  # noqa: T201
    sign = "ok" if rise <= BAR else "MISSED"
    print(f"memory {seen[0].megabytes:.1f} → {seen[-1].megabytes:.1f} MB, slope {rise:+.2f} MB/h (≤ {BAR:g}) {sign}")  # noqa: T201


if __name__ == "__main__":
    main()
