"""`python -m tests.chaos --messages 1000 --seed 7`: the crash test. Exit code 0 only when the verdict is clean."""

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.cli.plan import Run
from services.testdc.remote import Sandbox
from tests.chaos.judge import Verdict, judge
from tests.chaos.people import Cast, Writers, assemble, usernames
from tests.chaos.tormentor import Tormentor

BOT_TOKEN = "4242:chaos-needs-no-secret"
MODES = ("returns_first", "duplicate", "forgotten")
"""What Telegram may make of a repeated random id; the run switches between them."""


def main() -> None:
    """Run, and say what became of the messages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1000, help="how many questions people write")
    parser.add_argument("--seed", type=int, default=7, help="the same seed makes the same people and the same faults")
    parser.add_argument("--pause", type=float, default=2.0, help="seconds between two kills, on average")
    parser.add_argument("--rate", type=float, default=7.0, help="questions a second")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds for the last answers after the last kill")
    parser.add_argument("--folder", type=Path, help="keep the data here, to look at a run that failed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="valor-chaos-") as scratch:
        clean = asyncio.run(run(options, options.folder or Path(scratch)))
    sys.exit(0 if clean else 1)


async def run(options: argparse.Namespace, folder: Path) -> bool:
    """One run; true when nothing was lost, doubled or out of order."""
    chance = random.Random(options.seed)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sandbox.json").write_text(json.dumps({"bot_token": BOT_TOKEN}))
    cast = assemble(folder / "testdc", BOT_TOKEN)
    async with house(folder, cast) as (process, sandbox):
        writers = Writers(sandbox, cast, chance)
        tormentor = Tormentor(process.pid, random.Random(options.seed + 1))
        await torment(options, sandbox, writers, tormentor)
        verdict = await settle(options.patience, sandbox, writers, cast)
    report(verdict, tormentor)
    print(f"{verdict} kills={tormentor.count} seed={options.seed}")  # noqa: T201
    return verdict.clean


async def torment(options: argparse.Namespace, sandbox: Sandbox, writers: Writers, tormentor: Tormentor) -> None:
    """People write while services are killed."""
    tasks = [asyncio.create_task(tormentor.torment(options.pause)), asyncio.create_task(switch_modes(sandbox))]
    progress = asyncio.create_task(show(writers, tormentor, options.messages))
    await writers.write(options.messages, options.messages / options.rate)
    for task in (*tasks, progress):
        task.cancel()
    await asyncio.gather(*tasks, progress, return_exceptions=True)


async def switch_modes(sandbox: Sandbox) -> None:
    """Let the sandbox remember random ids in another way every few seconds."""
    while True:
        for mode in MODES:
            await sandbox.limits(random_ids=mode)
            await asyncio.sleep(5)


async def settle(patience: float, sandbox: Sandbox, writers: Writers, cast: Cast) -> Verdict:
    """Wait until every question is answered, or patience ends; then look a little longer for doubles."""
    end = time.monotonic() + patience
    while (verdict := await look(sandbox, writers, cast)).answered != verdict.sent and time.monotonic() < end:
        await asyncio.sleep(0.5)
    await asyncio.sleep(3)
    return await look(sandbox, writers, cast)


async def look(sandbox: Sandbox, writers: Writers, cast: Cast) -> Verdict:
    """The verdict on the record so far."""
    record, since = [], 0
    while page := await sandbox.record(since):
        record += page
        since = page[-1].seq
    return judge(writers.questions, record, cast.bot.id)


@asynccontextmanager
async def house(folder: Path, cast: Cast) -> AsyncIterator[tuple[Process, Sandbox]]:
    """Valor in separate processes on this folder, until the block ends."""
    environment = {
        **os.environ,
        "VALOR_DATA": str(folder),
        "VALOR_ALLOW": usernames(cast.people),
        "VALOR_GROUPS": ",".join(str(group.id) for group in cast.groups),
        "PIPELINE_RATE_PER_MINUTE": "100000",
    }
    with (folder / "up.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.cli", "up", "--processes", env=environment, stdout=log, stderr=log
        )
        try:
            found = await running(folder, process)
            if found.sandbox is None:
                raise LookupError("the house has no sandbox")
            host, _, port = found.sandbox.control.rpartition(":")
            async with Sandbox.connect(host, int(port), found.sandbox.token) as sandbox:
                yield process, sandbox
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await process.wait()


async def running(folder: Path, process: Process) -> Run:
    """Wait until the house says where it is and has said that it is up."""
    while b"Valor is up" not in (folder / "up.log").read_bytes():
        if process.returncode is not None:
            sys.exit((folder / "up.log").read_text())
        await asyncio.sleep(0.05)
    return Run.load(folder)


async def show(writers: Writers, tormentor: Tormentor, total: int) -> None:
    """Say every few seconds how far the run is."""
    while True:
        await asyncio.sleep(10)
        print(f"… {len(writers.questions)} of {total} written, {tormentor.count} kills", flush=True)  # noqa: T201


def report(verdict: Verdict, tormentor: Tormentor) -> None:
    """Name what went wrong, and whom the kills hit."""
    print("kills:", ", ".join(f"{name} {count}" for name, count in tormentor.kills.items()))  # noqa: T201
    for name in ("lost", "doubled", "out_of_order"):
        if tokens := getattr(verdict, name):
            print(f"{name}: {', '.join(tokens)}")  # noqa: T201


if __name__ == "__main__":
    main()
