"""The folder of documents: what lies in it, and nothing beyond it."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = {".md", ".txt"}

MAX_BYTES = 1 << 20
"""The size of one document at most: a long book."""

MAX_DOCUMENTS = 2_000
"""More would make the look before each search slow."""


@dataclass(frozen=True)
class Listing:
    """What a look into the folder found."""

    versions: dict[str, str]
    """Path inside the folder → what changes when the file does."""
    refused: int
    """Documents left out: links, too large, too many, or with a name that cannot be shown."""


def look(folder: Path) -> Listing:
    """All documents in the folder and below. A folder that does not exist has none."""
    versions: dict[str, str] = {}
    refused = 0
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for path in sorted(Path(parent, name) for name in files if Path(name).suffix.lower() in SUFFIXES):
            name, version = path.relative_to(folder).as_posix(), _version(path)
            if version and name.isprintable() and len(versions) < MAX_DOCUMENTS:
                versions[name] = version
            else:
                refused += 1
    return Listing(versions, refused)


def _version(path: Path) -> str:
    """Changes when the file does; empty where it is no plain document."""
    try:
        found = path.lstat()
    except FileNotFoundError:  # gone since its folder was listed
        return ""
    plain = stat.S_ISREG(found.st_mode) and found.st_size <= MAX_BYTES
    return f"{found.st_size}-{found.st_mtime_ns}" if plain else ""


def read(folder: Path, name: str) -> str:
    """The text of a document that `look` found; bytes that are no UTF-8 become �.

    Raises:
        OSError: It cannot be read, or it is not inside the folder any more.
    """
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise PermissionError(f"{name} leads out of the folder.")
    with path.open("rb") as file:
        return file.read(MAX_BYTES).decode(errors="replace").replace("\0", "\ufffd")
