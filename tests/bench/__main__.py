"""`python -m tests.bench`: measures the house against its bars; a table, and the figures in build/bench.json."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path

from tests.bench import figures
from tests.bench.figures import Figure
from tests.bench.stage import Stage, save, stage

JSON = Path("build/bench.json")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each load lasts")
    parser.add_argument("--count", type=int, default=500, help="questions of one chat")
    parser.add_argument("--sessions", type=int, default=10_000, help="live sessions to reach; 0 leaves them out")
    parser.add_argument("--only", default="", help="measurements whose name contains this")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="valor-bench-") as scratch:
        measured = asyncio.run(measure(options, Path(scratch)))
    save(JSON, [{**asdict(figure), "met": figure.met} for figure in measured])
    show(measured)


async def measure(options: argparse.Namespace, scratch: Path) -> list[Figure]:
    """Every measurement, one after another, on one stage."""
    measured: list[Figure] = []
    plan: dict[str, Callable[[Stage], Awaitable[list[Figure]]]] = {
        "start": figures.start,
        "one chat": lambda on: figures.one_chat(on, options.count),
        "busy chats": lambda on: figures.busy_chats(on, options.seconds),
        "saturated": lambda on: figures.saturated(on, options.seconds),
        "floor": lambda on: figures.floor_latency(on, options.count),
        "live sessions": lambda on: figures.live_sessions(on, options.sessions),
    }
    for name, work in plan.items():
        if options.only in name and (name != "live sessions" or options.sessions):
            print(f"measuring: {name} …", file=sys.stderr, flush=True)  # noqa: T201
            people = options.sessions if name == "live sessions" else 100
            async with stage(scratch / name.replace(" ", "-"), people) as on:
                measured += await work(on)
    return measured


def show(measured: list[Figure]) -> None:
    """The table, and how many bars are met."""
    print(f"{'figure':<46} {'measured':>10} {'bar':>9}")  # noqa: T201
    for figure in measured:
        sign = "" if figure.bar is None else "ok" if figure.met else "MISSED"
        bar = "" if figure.bar is None else f"{'≥' if figure.higher else '≤'} {figure.bar:g}"
        print(f"{figure.name:<46} {figure.value:>10.1f} {bar:>9} {figure.unit:<6} {sign}")  # noqa: T201
    bars = [figure for figure in measured if figure.bar is not None]
    print(f"bars met: {sum(figure.met for figure in bars)} of {len(bars)}")  # noqa: T201


if __name__ == "__main__":
    main()
