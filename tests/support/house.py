"""The `valor` command as people run it, and a house that it starts."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

VALOR = [sys.executable, "-m", "services.cli"]
OURS = ("VALOR_", "TELEGRAM_", "PIPELINE_", "AGENT_", "TOOLRUNNER_", "PEOPLE_", "MONITOR_", "TESTDC_", "OTEL_")


def environment(data: Path, **settings: str) -> dict[str, str]:
    """This data folder and these settings, and of the developer's own settings none."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**outside, "VALOR_DATA": str(data), **settings}


def valor(data: Path, *arguments: str, stdin: str | bytes = b"", **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    ended = subprocess.run(
        [*VALOR, *arguments],
        env=environment(data, **settings),
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        capture_output=True,
        check=False,
        timeout=120,
    )
    return subprocess.CompletedProcess(ended.args, ended.returncode, ended.stdout.decode(), ended.stderr.decode())


@contextmanager
def house(data: Path, *arguments: str, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """`valor up` until the block ends; it has to stop within 10 s then. `up.out` and `up.err` hold what it says."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / "up.out").open("wb") as out, (data / "up.err").open("wb") as err:
        process = subprocess.Popen(
            [*VALOR, "up", *arguments], env=environment(data, **settings), stdout=out, stderr=err
        )
    try:
        until(lambda: process.poll() is not None or "Valor is up" in (data / "up.out").read_text(), limit=90)
        assert process.poll() is None, (data / "up.err").read_text()
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0


def until(holds: Callable[[], bool], limit: float = 60.0) -> None:
    """Wait for a condition of other processes."""
    end = time.monotonic() + limit
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
