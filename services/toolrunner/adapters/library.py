"""The documents of a folder in a full-text index that follows the files."""

import asyncio
from functools import partial
from pathlib import Path

from services.chassis import fulltext, logs
from services.chassis.database import Database
from services.chassis.writer import Transaction
from services.toolrunner.adapters import folder
from services.toolrunner.documents import Section, sections, words
from services.toolrunner.metrics import DOCUMENTS
from services.toolrunner.model import Passage

log = logs.get()


class Library:
    """The knowledge of `ports.Knowledge` on the store's full text."""

    def __init__(self, database: Database, path: Path) -> None:
        self._database, self._path = database, path
        self._one_at_a_time = asyncio.Lock()

    async def search(self, query: str, limit: int) -> list[Passage]:
        """The best passages, best first."""
        await self.refresh()
        found = words(query)
        return await self._database.read(partial(_search, words=found, limit=limit)) if found else []

    async def count(self) -> int:
        """How many documents are indexed."""
        return int(await self._database.read(lambda tx: tx.value("SELECT count(*) FROM documents")))

    async def refresh(self) -> None:
        """Index what is new or changed, forget what is gone: one look at the folder, one transaction a document."""
        async with self._one_at_a_time:
            listing = await asyncio.to_thread(folder.look, self._path)
            known = await self._database.read(_versions)
            for name in known.keys() - listing.versions.keys():
                await self._database.write(partial(_forget, name=name))
            changed = [name for name, version in listing.versions.items() if known.get(name) != version]
            for name in changed:
                await self._index(name, listing.versions[name])
        DOCUMENTS.set(len(listing.versions))
        if changed:
            log.info("documents_indexed", changed=len(changed), known=len(listing.versions), refused=listing.refused)

    async def _index(self, name: str, version: str) -> None:
        try:
            text = await asyncio.to_thread(folder.read, self._path, name)
        except OSError as error:  # gone or locked since the look: the next look sees it
            log.warning("document_unreadable", document=name, error=error.strerror)
            return
        await self._database.write(partial(_replace, name=name, version=version, found=sections(text)))


def _versions(tx: Transaction) -> dict[str, str]:
    return {row["name"]: row["version"] for row in tx.all("SELECT name, version FROM documents")}


def _forget(tx: Transaction, *, name: str) -> None:
    tx.run("DELETE FROM sections WHERE document = :name", name=name)
    tx.run("DELETE FROM documents WHERE name = :name", name=name)


def _replace(tx: Transaction, *, name: str, version: str, found: list[Section]) -> None:
    tx.lock(f"document {name}")
    _forget(tx, name=name)
    tx.run("INSERT INTO documents (name, version) VALUES (:name, :version)", name=name, version=version)
    for section in found:
        tx.run(
            "INSERT INTO sections (document, heading, body) VALUES (:name, :heading, :body)",
            name=name,
            heading=section.heading,
            body=section.body,
        )


_SEARCH = {
    # A word in a heading says more than one in the text.
    "sqlite": "SELECT document, heading, snippet(sections, 2, '', '', '…', 48) AS snippet FROM sections"
    " WHERE sections MATCH :match ORDER BY bm25(sections, 0, 5, 1) LIMIT :limit",
    "postgresql": "SELECT document, heading, ts_headline('simple', body, query,"
    ' \'StartSel="", StopSel="", MaxWords=48, MinWords=24\') AS snippet'
    " FROM sections, to_tsquery('simple', :match) AS query WHERE words @@ query"
    " ORDER BY ts_rank(words, query, 1) DESC, id LIMIT :limit",
}


def _search(tx: Transaction, *, words: list[str], limit: int) -> list[Passage]:
    rows = tx.all(_SEARCH[tx.dialect], match=fulltext.any_of(words, tx.dialect), limit=limit)
    return [Passage(row["document"], row["heading"], row["snippet"]) for row in rows]
