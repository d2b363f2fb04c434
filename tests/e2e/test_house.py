"""The house as a newcomer and an operator meet it: the `valor` command, sandbox Telegram, offline model."""

import http.client
import json
import re
import subprocess
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from services.cli.actors import people
from services.cli.run import Run
from tests.support.house import VALOR, environment, house, until, valor
from tests.support.terminal import Terminal

ROOT = Path(__file__).parents[2]


def test_piped_questions_are_answered_one_after_another_and_again_the_next_time(tmp_path: Path) -> None:
    for questions, answers in (
        transcript(),
        ("what is 17 * 24?\nsay bye", "17 * 24 = 408\nbye\n"),
        ("7+7", "7+7 = 14\n"),
    ):
        answered = valor(tmp_path, "up", "--chat", stdin=questions)
        assert (answered.returncode, answered.stdout) == (0, answers), answered.stderr


def transcript() -> tuple[str, str]:
    """The questions and the answers that README.md shows; on a terminal reactions are shown too."""
    block = re.search(r"```\n(you ›.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert block is not None
    lines = [line for line in block[1].splitlines() if not line.startswith("valor reacts")]
    asked = [line.removeprefix("you › ") for line in lines if line.startswith("you ›")]
    told = [line.removeprefix("valor › ") for line in lines if not line.startswith("you ›")]
    return "\n".join(asked), "".join(f"{line}\n" for line in told)


def test_the_other_commands_find_the_running_house(tmp_path: Path) -> None:
    with ExitStack() as afterwards:
        with house(tmp_path):
            assert valor(tmp_path, "send", "repeat: \x1b[31mred").stdout == "�[31mred\n"
            status = valor(tmp_path, "status")
            assert re.match(r"Health \d+ of 100\n", status.stdout), status.stderr
            assert "0 waiting" in status.stdout
            assert "; 0 promised\n" in status.stdout
            run = Run.load(tmp_path)
            assert f"Status page: http://{run.page}/\n" in status.stdout
            plain = json.loads(valor(tmp_path, "status", "--json").stdout)
            assert plain["addresses"] == run.addresses
            (process,) = plain["processes"]
            assert len(process["services"]) == 6
            assert plain["queue"]["waiting"] == 0
            page = http.client.HTTPConnection(run.page, timeout=10)
            page.request("GET", "/", headers={"Authorization": f"Bearer {run.token}"})
            assert b"of 100" in page.getresponse().read()
            page.close()
            wrong = valor(tmp_path, "pair", "AAAAAAAA")
            assert (wrong.returncode, wrong.stdout) == (1, "")
            assert "not valid" in wrong.stderr
            second = valor(tmp_path, "up")
            assert second.returncode == 2
            assert second.stderr.startswith(f"Valor runs on {tmp_path} already")
            chat = afterwards.enter_context(Terminal([*VALOR, "chat"], environment(tmp_path)))
            chat.until(lambda rows: rows == ["you ›"])
        chat.until(lambda rows: rows == ["Valor has stopped."])
        assert chat.ends() == 1
    assert valor(tmp_path, "status").returncode == 2
    kept = [path for path in tmp_path.rglob("*") if not path.name.startswith("up.")]
    assert kept
    assert not [path for path in kept if path.stat().st_mode & 0o077], "others can read it"


def test_a_killed_service_comes_back_and_a_killed_house_leaves_nothing(tmp_path: Path) -> None:
    """`kill -9` of a service, then of the parent. All logs are JSON lines: the libraries' own words are none."""
    with (tmp_path / "up.out").open("wb") as out, (tmp_path / "up.err").open("wb") as err:
        process = subprocess.Popen([*VALOR, "up", "--processes"], env=environment(tmp_path), stdout=out, stderr=err)
    until(lambda: process.poll() is not None or "Valor is up" in (tmp_path / "up.out").read_text(), limit=90)
    children = psutil.Process(process.pid).children()
    killed = {
        name: next(one for one in children if one.cmdline()[-1] == f"services.{name}")
        for name in ("pipeline", "monitor")
    }
    for one in killed.values():
        one.kill()
    assert valor(tmp_path, "send", "what is 2^12?").stdout == "2^12 = 4096\n"
    process.kill()
    process.wait()
    psutil.wait_procs(children, timeout=15)
    answered = valor(tmp_path, "up", "--chat", stdin="say still here\n")
    assert answered.stdout == "still here\n", answered.stderr
    written = [tmp_path / "up.err", *(tmp_path / "logs").iterdir(), tmp_path / "valor.log"]
    assert len(written) == 9
    lines = [line for path in written for line in path.read_text().splitlines()]
    assert all("event" in json.loads(line) for line in lines)
    assert any(json.loads(line)["event"] == "process_ended" for line in lines)


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
                await telegram.wait_for(lambda action, text=wanted: action.text == text, 60, since=0)  # type: ignore[misc]
            while (await telegram.ask(person, bot, "/promises")).text.startswith("Open promises"):
                pass  # kept is what was received, and noted a moment later
            said = [action.text for action in await telegram.record() if action.kind in {"send", "edit"}]
    assert said.count("Reminder: hello") == said.count("17 * 23 = 391") == 1
    assert said[-1].startswith("There are no open promises here.")


@pytest.mark.parametrize(
    ("arguments", "settings", "sentence"),
    [
        ([], {"VALOR_DATA": "/proc/nowhere"}, "VALOR_DATA is wrong: /proc/nowhere cannot be written"),
        ([], {"VALOR_MODLE": "x"}, "VALOR_MODLE is no setting of Valor: did you mean VALOR_MODEL?"),
        (
            ["--processes"],
            {"VALOR_PERSONA": "/nowhere"},
            "VALOR_PERSONA is wrong: /nowhere is not a readable text file.",
        ),
        (["--chat"], {"VALOR_MODEL": "google:gemini"}, "VALOR_MODEL is wrong: google:gemini needs the package"),
    ],
)
def test_a_wrong_setting_is_one_sentence_that_names_it(
    tmp_path: Path, arguments: list[str], settings: dict[str, str], sentence: str
) -> None:
    """F65, F70. The other settings: `tests/unit/cli/test_check.py`."""
    refused = valor(tmp_path, "up", *arguments, **settings)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith(sentence)
    assert len(refused.stderr.splitlines()) == 1
