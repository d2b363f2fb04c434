"""The disk fills up, or the process is killed in the middle of writing."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.sqlite

FULL = """
import asyncio, json, resource, sys
from pathlib import Path

from services.chassis.database import Database
from services.chassis.errors import Unavailable
from tests.integration.chassis import migrations_of_a_test as migrations

TEXT = "x" * 9_000


def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


async def main(path):
    written, refused = [], []
    async with Database.open(path, migrations) as database:

        async def write(number):
            try:
                await database.write(lambda tx: tx.run("INSERT INTO notes VALUES (:id, :text)", id=number, text=TEXT))
                written.append(number)
            except Unavailable as error:
                refused.append(error.reason)

        limit(400_000)
        await asyncio.gather(*[write(number) for number in range(100)])
        full = len(refused)
        limit(resource.RLIM_INFINITY)
        await asyncio.gather(*[write(number) for number in range(100, 120)])
        found = await database.read(lambda tx: [row["id"] for row in tx.all("SELECT id FROM notes ORDER BY id")])
    print(json.dumps({"full": full, "refused": sorted(set(refused)), "after": len(refused) - full,
                      "written": sorted(written), "found": found}))


asyncio.run(main(Path(sys.argv[1])))
"""


def test_a_full_disk_refuses_and_when_there_is_room_again_it_goes_on(tmp_path: Path) -> None:
    told = json.loads(_python(FULL, tmp_path / "test.db").communicate()[0])
    assert told["full"] > 0
    assert told["refused"] == ["DATABASE_REFUSED"]
    assert told["after"] == 0
    assert told["found"] == told["written"]
    assert set(range(100, 120)) <= set(told["written"])


KILLED = """
import asyncio, sys
from pathlib import Path

from services.chassis.database import Database
from tests.integration.chassis import migrations_of_a_test as migrations


def both(tx, text):
    number = tx.value("INSERT INTO notes (text) VALUES (:text) RETURNING id", text=text)
    tx.run("INSERT INTO copies VALUES (:id, :text)", id=number, text=text)
    return number


async def main(path):
    async with Database.open(path, migrations) as database:

        async def write(name):
            while True:
                print(await database.write(lambda tx: both(tx, name)), flush=True)

        await asyncio.gather(*[write(f"writer {number}") for number in range(20)])


asyncio.run(main(Path(sys.argv[1])))
"""


def test_a_kill_leaves_whole_transactions_and_all_that_were_confirmed(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    confirmed: set[int] = set()
    for _ in range(3):
        with _python(KILLED, path) as process:
            assert process.stdout is not None
            confirmed |= {int(process.stdout.readline()) for _ in range(300)}
            process.kill()
            confirmed |= {int(line) for line in process.stdout if line.endswith("\n")}
    database = sqlite3.connect(path)
    notes, copies = (database.execute(f"SELECT id, text FROM {name} ORDER BY id").fetchall() for name in TABLES)  # noqa: S608 (ours)
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
    assert notes == copies
    assert confirmed <= {number for number, _ in notes}


TABLES = ("notes", "copies")


def _python(program: str, path: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", program, str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
