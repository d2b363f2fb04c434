"""Search in documents, on real files."""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.chassis.database import Database
from services.toolrunner import migrations
from services.toolrunner.adapters import folder
from services.toolrunner.adapters.library import Library
from services.toolrunner.tools import search_knowledge
from tests.support.store import place

HANDBOOK = """Welcome.

# Deploying
Run the deployment from the main branch. Rollbacks take five minutes.

# Holidays
Ask Ada. The café is closed in August.
"""


@pytest.fixture
def books(tmp_path: Path) -> Path:
    path = tmp_path / "knowledge"
    (path / "team").mkdir(parents=True)
    (path / "team" / "handbook.md").write_text(HANDBOOK)
    (path / "notes.txt").write_text("Ada knows the deployment by heart.")
    return path


@pytest.fixture
async def library(books: Path, tmp_path: Path) -> AsyncIterator[Library]:
    async with Database.open(place(tmp_path, "toolrunner"), migrations) as database:
        yield Library(database, books)


async def _places(library: Library, query: str, limit: int = 5) -> list[tuple[str, str]]:
    return [(passage.document, passage.section) for passage in await library.search(query, limit)]


@pytest.mark.parametrize(
    ("query", "place"),
    [
        pytest.param("rollback", ("team/handbook.md", "Deploying"), id="by the beginning of a word"),
        pytest.param("HOLIDAYS", ("team/handbook.md", "Holidays"), id="by the heading, any case"),
        pytest.param("cafe august", ("team/handbook.md", "Holidays"), id="without accents"),
        pytest.param("ada by heart", ("notes.txt", ""), id="where most words are"),
        pytest.param("how long does a rollback take?", ("team/handbook.md", "Deploying"), id="a question"),
        pytest.param('deploy* OR "main', ("team/handbook.md", "Deploying"), id="search syntax is words"),
    ],
)
async def test_the_best_passage_comes_first(library: Library, query: str, place: tuple[str, str]) -> None:
    assert (await _places(library, query))[0] == place


async def test_a_passage_names_document_section_and_snippet(library: Library) -> None:
    tool = search_knowledge.bind(library)
    told = str(await tool.run(json.dumps({"query": "rollbacks", "limit": 1})))
    assert told.startswith("[team/handbook.md › Deploying]\nRun the deployment")


async def test_nothing_found_is_said(library: Library, books: Path) -> None:
    tool = search_knowledge.bind(library)
    for query in ("zeppelin", "?!"):
        assert await tool.run(json.dumps({"query": query})) == "Nothing found in 2 documents."
    (books / "notes.txt").unlink()
    (books / "team" / "handbook.md").unlink()
    assert await tool.run(json.dumps({"query": "rollbacks"})) == "There are no documents to search."


async def test_at_most_as_many_passages_as_asked_for(library: Library) -> None:
    assert len(await library.search("ada deployment", 1)) == 1
    assert len(await library.search("ada deployment", 5)) == 3


async def test_the_index_follows_the_files(library: Library, books: Path) -> None:
    assert await _places(library, "zeppelin") == []
    (books / "new.md").write_text("# Air\nA zeppelin.")
    assert await _places(library, "zeppelin") == [("new.md", "Air")]
    (books / "new.md").write_text("# Air\nA balloon flies.")
    assert await _places(library, "zeppelin") == []
    assert await _places(library, "balloon") == [("new.md", "Air")]
    (books / "new.md").unlink()
    assert await _places(library, "balloon") == []


async def test_what_did_not_change_is_not_read_again(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    await library.refresh()
    monkeypatch.delattr(folder, "read")
    assert len(await library.search("ada", 5)) == 2


async def test_a_missing_folder_has_no_documents(tmp_path: Path) -> None:
    async with Database.open(place(tmp_path, "toolrunner"), migrations) as database:
        library = Library(database, tmp_path / "nowhere")
        assert await library.search("x", 5) == []
        assert await library.count() == 0


def _outside(books: Path) -> Path:
    secret = books.parent / "secret.md"
    secret.write_text("zeppelin")
    return secret


@pytest.mark.parametrize("kind", ["link to a file", "link to a folder", "link inside", "fifo", "too large", "bad name"])
def test_what_is_no_plain_document_is_left_out(books: Path, kind: str) -> None:
    before = folder.look(books).versions
    match kind:
        case "link to a file":
            (books / "link.md").symlink_to(_outside(books))
        case "link to a folder":
            _outside(books)
            (books / "link").symlink_to(books.parent, target_is_directory=True)
        case "link inside":
            (books / "link.md").symlink_to(books / "notes.txt")
        case "fifo":
            os.mkfifo(books / "pipe.md")
        case "too large":
            (books / "large.md").write_bytes(b"x" * (folder.MAX_BYTES + 1))
        case _:
            Path(os.fsdecode(bytes(books) + b"/\xff.md")).write_text("x")
    found = folder.look(books)
    assert found.versions == before
    assert found.refused == (0 if kind == "link to a folder" else 1)


def test_there_is_a_limit_to_the_number_of_documents(books: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "MAX_DOCUMENTS", 1)
    found = folder.look(books)
    assert (len(found.versions), found.refused) == (1, 1)


@pytest.mark.parametrize("name", ["../secret.md", "link.md", "/etc/passwd", "../knowledge-of-others/a.md"])
def test_a_path_that_leads_out_is_not_read(books: Path, name: str) -> None:
    (books / "link.md").symlink_to(_outside(books))
    sibling = books.parent / "knowledge-of-others"
    sibling.mkdir()
    (sibling / "a.md").write_text("theirs")
    with pytest.raises(PermissionError, match="leads out"):
        folder.read(books, name)


async def test_a_document_that_cannot_be_read_is_tried_again(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_: Path, name: str) -> str:
        raise FileNotFoundError(2, "gone", name)

    with monkeypatch.context() as patch:
        patch.setattr(folder, "read", gone)
        assert await library.search("ada", 5) == []
    assert len(await library.search("ada", 5)) == 2


async def test_bytes_that_are_no_text_do_not_break_the_index(library: Library, books: Path) -> None:
    (books / "binary.txt").write_bytes(bytes(range(256)) + b" zeppelin")
    assert await _places(library, "zeppelin") == [("binary.txt", "")]
