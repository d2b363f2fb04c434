"""`valor dead` against a running house."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from services.chassis import client
from services.cli import dead as cli_dead
from services.cli.__main__ import app
from services.cli.actors import people
from services.cli.run import Run
from tests.support.house import house, valor
from valor.common.v1 import common_pb2 as common
from valor.pipeline.v1 import pipeline_pb2 as pb
from valor.pipeline.v1 import pipeline_pb2_grpc as rpc


async def report(run: Run, *texts: str, readable: bool) -> None:
    """What telegram does when an update was refused; a readable one is a question of the sandbox's person."""
    assert run.sandbox is not None
    async with (
        people(run.sandbox) as (_, person, bot),
        client.connect(run.addresses["pipeline"], run.credential) as caller,
    ):
        account = common.Account(channel="telegram", account_id=bot.id, username=bot.username or "")
        for number, text in enumerate(texts, start=900_001):
            request = pb.ReportPoisonRequest(account=account, content=f"raw {text}", cause="it\nbroke " + "x" * 100)
            if readable:
                submission = request.submission
                submission.CopyFrom(pb.SubmitMessageRequest(account=account, message_id=number, text=text))
                submission.address.chat_id = submission.sender.user_id = person.id
                submission.chat_type = pb.CHAT_TYPE_PRIVATE
            await caller.call(rpc.PipelineServiceStub(caller.channel).ReportPoison, request, timeout=5)


def dead(*arguments: str) -> Result:
    """`valor dead …`, in this process."""
    return CliRunner().invoke(app, ["dead", *arguments])


def letters() -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(dead("list", "--json").stdout)
    return found


def test_dead_letters_are_listed_shown_replayed_and_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALOR_DATA", str(tmp_path))
    monkeypatch.setattr(cli_dead, "PAGE", 1)
    with house(tmp_path):
        assert (dead("list").stdout, letters()) == ("There are no dead letters.\n", [])
        run = Run.load(tmp_path)
        asyncio.run(report(run, "what is 17 * 23?", readable=True))
        asyncio.run(report(run, "???", readable=False))
        table = dead("list").stdout.splitlines()
        assert re.fullmatch(r"LETTER +KIND +SINCE +CHAT +MESSAGE +REASON +CAUSE", table[0])
        assert re.match(r"2 +update +\d{4}-\d\d-\d\dT[\d:]{8}Z +UPDATE_UNREADABLE +it broke x+…$", table[1])
        assert [letter["letter"] for letter in letters()] == ["2", "1"]
        assert dead("show", "2").stdout.endswith("\n\nraw ???\n")
        assert json.loads(dead("show", "1", "--json").stdout)["content"] == "raw what is 17 * 23?"
        for _ in range(2):
            assert re.fullmatch(r"Letter 1 is replayed: turn \d+ answers it now\.\n", dead("replay", "1").stdout)
        refused = dead("replay", "2")
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert "nothing to replay" in refused.stderr
        assert dead("drop", "2").stdout == "Letter 2 is dropped.\n"
        assert letters() == []
        assert dead("show", "x").exit_code == 1
        assert "0 dead (1 dropped)" in valor(tmp_path, "status").stdout
        assert valor(tmp_path, "send", "say hello").stdout == "hello\n"
    assert dead("list").exit_code == 2
