"""The house as a newcomer meets it: the `valor` command, on the sandbox Telegram and the offline model."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.cli.plan import Run
from services.cli.sandbox import people

VALOR = [sys.executable, "-m", "services.cli"]


def environment(data: Path, **settings: str) -> dict[str, str]:
    return {**os.environ, "VALOR_DATA": str(data), **settings}


def valor(data: Path, *arguments: str, stdin: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*VALOR, *arguments],
        env=environment(data, **settings),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@contextmanager
def house(data: Path, *arguments: str, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """`valor up` until the block ends; it has to stop within 10 s then."""
    with (data / "up.log").open("wb") as log:
        process = subprocess.Popen([*VALOR, "up", *arguments], env=environment(data, **settings), stderr=log)
    while b"Valor is up" not in (data / "up.log").read_bytes():
        assert process.poll() is None, (data / "up.log").read_text()
        time.sleep(0.02)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


@pytest.mark.timeout(120)
def test_piped_questions_are_answered_one_after_another_and_again_the_next_time(tmp_path: Path) -> None:
    for factor in (23, 24, 25):
        answered = valor(tmp_path, "up", "--chat", stdin=f"what is 17 * {factor}?\nsay good-bye\n")
        assert answered.returncode == 0, answered.stderr
        first, second = answered.stdout.splitlines()
        assert str(17 * factor) in first
        assert "good-bye" in second


@pytest.mark.timeout(120)
@pytest.mark.parametrize("arguments", [(), ("--processes",)])
def test_other_commands_find_the_running_house(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with house(tmp_path, *arguments):
        assert "4,096" in valor(tmp_path, "send", "what is 2^12?").stdout.replace("4096", "4,096")
        status = valor(tmp_path, "status")
        assert re.match(r"Health \d+ of 100\n", status.stdout), status.stderr
        assert "0 waiting" in status.stdout
        wrong = valor(tmp_path, "pair", "AAAAAAAA")
        assert (wrong.returncode, wrong.stdout) == (1, "")
        assert "not valid" in wrong.stderr
        second = valor(tmp_path, "up")
        assert second.returncode == 2
        assert second.stderr.startswith(f"Valor runs on {tmp_path} already")
    assert valor(tmp_path, "status").returncode == 2


@pytest.mark.timeout(60)
async def test_what_is_promised_arrives_once(tmp_path: Path) -> None:
    """F18, F92."""
    with house(tmp_path):
        run = Run.load(tmp_path).sandbox
        assert run is not None
        async with people(run) as (telegram, person, bot):
            promised = await telegram.ask(person, bot, "/remind in 1 second hello")
            assert promised.text.startswith("I will remind you on")
            told = await telegram.ask(person, bot, "work out 17 * 23 and report back")
            assert told.text == "I will do that and report back here."
            for wanted in ("Reminder: hello", "17 * 23 = 391"):
                await telegram.wait_for(lambda action, text=wanted: action.text == text, 20, since=0)  # type: ignore[misc]
            await telegram.ask(person, bot, "/promises")
            said = [action.text for action in await telegram.record() if action.kind in {"send", "edit"}]
    assert said.count("Reminder: hello") == said.count("17 * 23 = 391") == 1
    assert said[-1].startswith("There are no open promises here.")


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"TELEGRAM_API_ID": "1"}, "TELEGRAM_API_HASH is not set."),
        ({"TELEGRAM_API_ID": "one"}, "TELEGRAM_API_ID is wrong"),
        ({"VALOR_MODEL": "anthropic:claude-haiku-4-5"}, "ANTHROPIC_API_KEY"),
        ({"VALOR_MODEL": "nobody:nothing"}, "VALOR_MODEL"),
        ({"VALOR_OWNER": "the boss"}, "VALOR_OWNER is wrong"),
        ({"VALOR_GROUPS": "team"}, "VALOR_GROUPS is wrong"),
        ({"VALOR_PERSONA": "/nowhere/persona.md"}, "VALOR_PERSONA"),
        ({"VALOR_DATA": "/proc/nowhere"}, "VALOR_DATA is wrong"),
    ],
)
def test_a_wrong_setting_is_one_sentence_that_names_it(tmp_path: Path, settings: dict[str, str], sentence: str) -> None:
    """F65, F70."""
    refused = valor(tmp_path, "up", **settings)
    assert refused.returncode == 2, refused.stderr
    assert sentence in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


@pytest.mark.timeout(60)
def test_nothing_outlives_a_killed_house(tmp_path: Path) -> None:
    """`kill -9` of the parent: its children end, and the same folder starts again."""
    with (tmp_path / "up.log").open("wb") as log:
        process = subprocess.Popen([*VALOR, "up", "--processes"], env=environment(tmp_path), stderr=log)
    while b"Valor is up" not in (tmp_path / "up.log").read_bytes():
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    answered = valor(tmp_path, "up", "--chat", stdin="say still here\n")
    while answered.returncode == 2:  # the children are on their way out
        answered = valor(tmp_path, "up", "--chat", stdin="say still here\n")
    assert "still here" in answered.stdout
