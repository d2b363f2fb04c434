"""The tables of the version before, brought up to date; and what that version still does to them."""

import sqlite3
from pathlib import Path
from types import ModuleType

import pytest

from services.chassis import migrate
from services.chassis.database import Database
from services.chassis.sqlite import File
from services.pipeline import migrations
from services.pipeline.adapters.store import SqlStore
from services.pipeline.gate import Pace

BUDGETS = "r0005_budgets.py"
OLD_LETTER = "INSERT INTO dead_letters (turn_id, reason, cause, create_time) VALUES (?, 'OLD', 'x', 1)"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file of the version before, with a dead turn."""
    folder = tmp_path / "old"
    folder.mkdir()
    for path in Path(str(migrations.__file__)).parent.glob("*.py"):
        if path.name < BUDGETS:
            (folder / path.name).write_bytes(path.read_bytes())
    package = ModuleType("old")
    package.__file__ = str(folder / "__init__.py")
    migrate.upgrade(File(tmp_path / "pipeline.db").engine(), package)
    connection = sqlite3.connect(tmp_path / "pipeline.db")
    with connection:
        for number in (1, 2):
            connection.execute(
                "INSERT INTO chat_history (id, channel, account_id, account_name, chat_id, topic_id, chat_type,"
                " chat_title, message_id, version, order_key, direction, disposition, user_id, user_name,"
                " message_type, message, entities, reply_to, timestamp)"
                " VALUES (?, 'telegram', 42, 'bot', 8, 0, 'private', '', ?, 1, 1, 'in', 'queued', 8, 'Ada', 'text',"
                " 'hello', '[]', 0, 0)",
                (number, number),
            )
            connection.execute(
                "INSERT INTO turns (id, history_id, lane, order_key, state, person_id, role, accept_time)"
                " VALUES (?, ?, 'telegram:42:8:0', ?, 'failed', '1', 'member', 1)",
                (number, number, number),
            )
        connection.execute(OLD_LETTER, (1,))
    connection.close()
    return tmp_path


async def test_the_letters_of_the_version_before_are_read_and_it_can_still_write_its_own(old: Path) -> None:
    async with Database.open(old / "pipeline.db", migrations) as database:
        store = SqlStore(database, Pace(60, 60))
        await database.write(lambda tx: tx.run(OLD_LETTER.replace("?", ":id"), id=2))
        letters = await store.dead_letters(2**62, 10)
        assert [(letter.letter_id, letter.kind, letter.turn_id) for letter in letters] == [
            (2, "turn", 2),
            (1, "turn", 1),
        ]
        assert await store.replay_letter(1) == 1
        usage = await database.read(lambda tx: tx.one("SELECT usage, cost FROM turns WHERE id = 1"))
        assert usage is not None
        assert tuple(usage) == ("{}", 0)


def test_bringing_it_up_to_date_twice_changes_nothing(old: Path) -> None:
    path = old / "pipeline.db"
    migrate.upgrade(File(path).engine(), migrations)
    before = list(sqlite3.connect(path).iterdump())
    migrate.upgrade(File(path).engine(), migrations)
    assert list(sqlite3.connect(path).iterdump()) == before
