"""The world on disk: one SQLite file, written in one transaction per turn of the event loop.

Whoever sends bytes to a client commits first, so a client never knows more than the file, even after `kill -9`.
Without a folder the file is SQLite's private temporary one: the same code, bounded memory, gone with the process.
"""

import os
import sqlite3
from pathlib import Path
from typing import Any

CACHE_KIB = 32 * 1024
# A checkpoint waits for the disk and with it every client; rare ones keep that out of the usual round trip.
CHECKPOINT_PAGES = 8000

SCHEMA = """
CREATE TABLE facts(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE auth_keys(id BLOB PRIMARY KEY, key BLOB NOT NULL, salt INTEGER NOT NULL, account INTEGER) WITHOUT ROWID;
CREATE TABLE accounts(id INTEGER PRIMARY KEY, name TEXT, username TEXT, bot INTEGER, token TEXT);
CREATE TABLE groups(id INTEGER PRIMARY KEY, title TEXT, kind TEXT, created REAL);
CREATE TABLE members(chat INTEGER, account INTEGER, admin INTEGER, PRIMARY KEY(chat, account)) WITHOUT ROWID;
CREATE TABLE blocks(bot INTEGER, person INTEGER, PRIMARY KEY(bot, person)) WITHOUT ROWID;
CREATE TABLE boxes(id INTEGER PRIMARY KEY, pts INTEGER, qts INTEGER, last_id INTEGER, changed REAL);
CREATE TABLE posts(
  id INTEGER PRIMARY KEY, sender INTEGER, chat INTEGER, text TEXT, entities TEXT, media TEXT, reply_to INTEGER,
  date REAL, edit_date REAL, deleted INTEGER, random_id INTEGER, ids TEXT, reactions TEXT, dialog TEXT);
CREATE INDEX posts_by_dialog ON posts(dialog, id);
CREATE TABLE copies(box INTEGER, message_id INTEGER, post INTEGER, PRIMARY KEY(box, message_id)) WITHOUT ROWID;
CREATE TABLE log(
  box INTEGER, pts INTEGER, kind TEXT, post INTEGER, message_id INTEGER, PRIMARY KEY(box, pts)) WITHOUT ROWID;
CREATE TABLE reaction_log(
  account INTEGER, qts INTEGER, post INTEGER, actor INTEGER, date REAL, old TEXT, new TEXT,
  PRIMARY KEY(account, qts)) WITHOUT ROWID;
CREATE TABLE random_ids(
  account INTEGER, chat INTEGER, random_id INTEGER, post INTEGER,
  PRIMARY KEY(account, chat, random_id)) WITHOUT ROWID;
CREATE TABLE record(seq INTEGER PRIMARY KEY, body TEXT NOT NULL);
"""
TOPICS = """
ALTER TABLE accounts ADD COLUMN forum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE groups ADD COLUMN forum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE posts ADD COLUMN topic INTEGER;
CREATE INDEX posts_by_topic ON posts(topic, id) WHERE topic IS NOT NULL;
CREATE TABLE closed_topics(topic INTEGER PRIMARY KEY);
"""
VERSIONS = (SCHEMA, TOPICS)
"""What makes a world of each version from one of the version before; only appended to."""


class FolderError(Exception):
    """The world cannot be kept in this folder; the message says why and names it."""


class Store:
    """The open file. Rows are tuples; every write belongs to the transaction that the next `commit` ends."""

    def __init__(self, folder: Path | None = None) -> None:
        """FolderError when the folder cannot be used, is in use, or holds a world of another version."""
        self._database = _open_file(folder) if folder else _open_temporary()

    def execute(self, sql: str, *values: Any) -> None:
        """Write."""
        self._database.execute(sql, values)

    def execute_many(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        """Write once per row."""
        self._database.executemany(sql, rows)

    def insert(self, sql: str, *values: Any) -> int:
        """Write a row; its row id."""
        return self._database.execute(sql, values).lastrowid or 0

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows of a query, or of a write with RETURNING."""
        return self._database.execute(sql, values).fetchall()

    def row(self, sql: str, *values: Any) -> tuple[Any, ...] | None:
        """The only row, if there is one."""
        return next(iter(self.rows(sql, *values)), None)

    def fact(self, name: str) -> Any:
        """A single value kept under a name; None when there is none."""
        found = self.row("SELECT value FROM facts WHERE name = ?", name)
        return found and found[0]

    def set_fact(self, name: str, value: bytes) -> None:
        """Keep a single value under a name."""
        self.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", name, value)

    def commit(self) -> None:
        """Put everything written so far on disk; cheap when there is nothing."""
        if self._database.in_transaction:
            self._database.commit()

    def close(self) -> None:
        """Commit and let go of the file."""
        self.commit()
        self._database.close()


def _open_temporary() -> sqlite3.Connection:
    database = sqlite3.connect("")
    database.execute("PRAGMA journal_mode=MEMORY")
    database.execute("PRAGMA synchronous=OFF")
    database.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
    database.executescript("".join(VERSIONS))
    return database


def _open_file(folder: Path) -> sqlite3.Connection:
    path = folder / "world.sqlite"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # It holds tokens and keys: nobody else may read it.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        database = sqlite3.connect(path, timeout=0)
    except OSError as err:
        raise FolderError(f"the folder {folder} cannot be used: {err.strerror}") from err
    try:
        _prepare(database)
    except sqlite3.OperationalError as err:
        database.close()
        if err.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            raise FolderError(f"the folder {folder} is in use by another sandbox") from err
        raise FolderError(f"the folder {folder} cannot be used: {err}") from err
    except (sqlite3.DatabaseError, ValueError) as err:
        database.close()
        raise FolderError(f"the file {path} is no world of this sandbox ({err})") from err
    return database


def _prepare(database: sqlite3.Connection) -> None:
    # The exclusive lock keeps a second sandbox away; the system drops it with the process, however that ends.
    database.execute("PRAGMA locking_mode=EXCLUSIVE")
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=NORMAL")
    database.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
    database.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if not 0 <= version <= len(VERSIONS):
        raise ValueError(f"it has version {version}, and this sandbox knows {len(VERSIONS)}")
    if version < len(VERSIONS):
        steps = "".join(VERSIONS[version:])
        database.executescript(f"BEGIN; {steps} PRAGMA user_version={len(VERSIONS)}; COMMIT;")
    else:
        database.execute("UPDATE facts SET value = value WHERE name = ''")
