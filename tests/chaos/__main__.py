"""`python -m tests.chaos --messages 1000 --seed 7`: the crash test. Exit code 0 only when the verdict is clean."""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from services.testdc.model import Action
from tests.chaos import store
from tests.chaos.house import House, house
from tests.chaos.judge import Verdict, judge
from tests.chaos.people import Writers
from tests.chaos.tormentor import OTHERS, Tormentor

NAMED = 20
"""Messages that are named where something went wrong; the folder of the run holds all."""


def main() -> None:
    """Run, and say what became of the messages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1000, help="how many questions people write")
    parser.add_argument("--seed", type=int, default=7, help="the same seed makes the same people and the same faults")
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite", help="postgres: two replicas each")
    parser.add_argument("--pause", type=float, default=2.0, help="seconds between two kills, on average")
    parser.add_argument("--faults", type=float, default=4.0, help="seconds between two other faults; 0: kills alone")
    parser.add_argument("--only", choices=OTHERS, nargs="*", default=OTHERS, help="the other faults")
    parser.add_argument("--rate", type=float, default=7.0, help="questions a second")
    parser.add_argument(
        "--patience", type=float, default=60.0, help="seconds for the last answers after the last fault"
    )
    parser.add_argument("--folder", type=Path, help="keep the data here, to look at a run that failed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="valor-chaos-") as scratch, store.opened(options.store) as server:
        clean = asyncio.run(run(options, options.folder or Path(scratch), server))
    sys.exit(0 if clean else 1)


async def run(options: argparse.Namespace, folder: Path, server: store.Server | None) -> bool:
    """One run; true when nothing was lost, doubled, out of order or done twice."""
    async with house(folder, random.Random(options.seed), server) as place:
        writers = Writers(place.sandbox, place.cast, random.Random(options.seed + 1), lively=options.faults > 0)
        tormentor = Tormentor(place, random.Random(options.seed + 2))
        await torment(options, writers, tormentor)
        verdict = await settle(options.patience, place, writers)
        questions = "\n".join(json.dumps(asdict(question)) for question in writers.questions)
        (folder / "questions.jsonl").write_text(questions)
        record = "\n".join(json.dumps(asdict(action)) for action in await the_record(place))
        (folder / "record.jsonl").write_text(record)
    report(verdict, tormentor)
    repeated = len(place.model.repeated)
    print(f"{verdict} kills={tormentor.kills} seed={options.seed} tools_repeated={repeated}")  # noqa: T201
    return verdict.clean and not repeated


async def torment(options: argparse.Namespace, writers: Writers, tormentor: Tormentor) -> None:
    """People write while things fail."""
    tasks = [asyncio.create_task(tormentor.torment(options.pause, ("kill",)))]
    if options.faults:
        tasks.append(asyncio.create_task(tormentor.torment(options.faults, tormentor.possible(options.only))))
    progress = asyncio.create_task(show(writers, tormentor, options.messages))
    await writers.write(options.messages, options.messages / options.rate)
    for task in (*tasks, progress):
        task.cancel()
    await asyncio.gather(*tasks, progress, return_exceptions=True)


async def settle(patience: float, place: House, writers: Writers) -> Verdict:
    """Wait until every question is answered, or patience ends; then look a little longer for doubles."""
    begin = time.monotonic()
    while (verdict := await look(place, writers)).answered != verdict.sent and time.monotonic() < begin + patience:
        await asyncio.sleep(0.5)
    print(f"settled {time.monotonic() - begin:.0f} s after the last fault")  # noqa: T201
    await asyncio.sleep(3)
    return await look(place, writers)


async def look(place: House, writers: Writers) -> Verdict:
    """The verdict on the record so far."""
    return judge(writers.questions, await the_record(place), place.cast.bot.id)


async def the_record(place: House) -> list[Action]:
    """Everything that happened in the sandbox."""
    record, since = list[Action](), 0
    while page := await place.sandbox.record(since):
        record += page
        since = page[-1].seq
    return record


async def show(writers: Writers, tormentor: Tormentor, total: int) -> None:
    """Say every few seconds how far the run is."""
    while True:
        await asyncio.sleep(10)
        print(f"… {writers.required} of {total} written, {tormentor.kills} kills", flush=True)  # noqa: T201


def report(verdict: Verdict, tormentor: Tormentor) -> None:
    """Say what happened, and name what went wrong."""
    print("faults:", ", ".join(f"{name} {count}" for name, count in tormentor.done.most_common()))  # noqa: T201
    for name in ("lost", "doubled", "out_of_order"):
        if tokens := getattr(verdict, name):
            print(f"{name}: {', '.join(tokens[:NAMED])}{' …' if len(tokens) > NAMED else ''}")  # noqa: T201


if __name__ == "__main__":
    main()
