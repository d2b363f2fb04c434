"""Generates `protos/gen` from the contracts: messages, stubs and their types. KEDA's contract is taken as it is."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).parents[1]
PROTOS = ROOT / "protos"
PACKAGES = ("externalscaler", "valor")


def generate(target: Path) -> None:
    """Write the generated code of every contract below `target`."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # where the plugins are
    files = sorted(str(path.relative_to(PROTOS)) for name in PACKAGES for path in (PROTOS / name).rglob("*.proto"))
    kinds = ("python_out", "mypy_out", "grpc_python_out", "mypy_grpc_out=async_only")
    outputs = [f"--{kind}{':' if '=' in kind else '='}{target}" for kind in kinds]
    if protoc.main(["protoc", f"-I{PROTOS}", f"-I{protoc_include()}", *outputs, *files]) != 0:
        sys.exit(1)
    for name in PACKAGES:
        (target / name / "py.typed").touch()


def protoc_include() -> Path:
    """Where the well-known types stand."""
    return Path(protoc.__file__).parent / "_proto"


def differences(fresh: Path) -> list[str]:
    """The files in which the committed code differs from freshly generated code."""
    trees = [
        {
            path.relative_to(root): path.read_bytes()
            for path in root.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        for root in (fresh, PROTOS / "gen")
    ]
    return sorted(str(path) for path in trees[0] | trees[1] if trees[0].get(path) != trees[1].get(path))


def main() -> None:
    """Generate, or with --check fail where the committed code is not what the contracts say."""
    with tempfile.TemporaryDirectory() as fresh:
        generate(Path(fresh))
        if "--check" not in sys.argv:
            shutil.rmtree(PROTOS / "gen", ignore_errors=True)
            shutil.copytree(fresh, PROTOS / "gen")
        elif stale := differences(Path(fresh)):
            sys.exit(f"Run `make protos`; not what the contracts say: {', '.join(stale)}")


if __name__ == "__main__":
    main()
