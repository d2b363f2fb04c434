"""Writes an image that holds one static program to standard output, as `docker save` would.

    image.py NAME PROGRAM [ARGUMENT …]

The program stands in the root folder, and is what the image runs, as nobody, with the arguments if it is given none.
"""

import hashlib
import io
import json
import platform
import sys
import tarfile
from pathlib import Path

NOBODY = "65534:65534"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def layer(program: Path) -> bytes:
    """An archive with nothing but the program."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo(program.name)
        entry.size, entry.mode = program.stat().st_size, 0o755
        with program.open("rb") as file:
            tar.addfile(entry, file)
    return archive.getvalue()


def write(name: str, program: Path, arguments: list[str]) -> None:
    """Write the image."""
    content = layer(program)
    config = {
        "architecture": ARCHITECTURES[platform.machine()],
        "os": "linux",
        "config": {"User": NOBODY, "Entrypoint": [f"/{program.name}"], "Cmd": arguments},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(content).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    files = {
        "manifest.json": json.dumps(manifest).encode(),
        "config.json": json.dumps(config).encode(),
        "layer.tar": content,
    }
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as tar:
        for path, data in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


if __name__ == "__main__":
    write(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
