"""What a service imports stands in its extra: its image has nothing else."""

import ast
from collections.abc import Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
TOOLBOX = ("services.cli.__main__", "services.cli.terminal", "services.cli.wait")
"""All that the image of the commands runs. What `valor up` starts needs the packages of all services."""


def modules(service: str) -> list[str]:
    """The modules that a service's image runs."""
    files = sorted((ROOT / "services" / service).rglob("*.py"))
    return [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files]


def imports(module: str) -> Iterator[str]:
    """The modules that one imports as soon as it is imported itself; what it takes from one may be one as well."""
    path = ROOT / module.replace(".", "/")
    file = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
    for node in ast.parse(file.read_text()).body if file.exists() else ():
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def reached(wanted: list[str]) -> set[str]:
    """The modules of others that ours import, directly or by each other."""
    seen: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name not in seen:
            seen.add(name)
            wanted += imports(name) if name.startswith("services.") else ()
    return {name.partition(".")[0] for name in seen} - {"services", "valor"}


def brought(extra: Requirement, seen: set[str]) -> set[str]:
    """The names of all packages that come with one."""
    for line in requires(extra.name) or ():
        needed = Requirement(line)
        wished = [{"extra": name} for name in extra.extras or {""}]
        if str(needed) not in seen and (needed.marker is None or any(map(needed.marker.evaluate, wished))):
            seen.add(str(needed))
            brought(needed, seen)
    return {Requirement(line).name.lower().replace("_", "-") for line in seen}


@pytest.mark.parametrize("image", ["telegram", "pipeline", "agent", "toolrunner", "people", "monitor", "testdc", "cli"])
def test_an_image_has_what_its_service_imports(image: str) -> None:
    owners = packages_distributions()
    found = reached(list(TOOLBOX) if image == "cli" else modules(image))
    needed = {owner.lower().replace("_", "-") for name in found for owner in owners.get(name, ())[:1]}
    assert needed
    assert not needed - brought(Requirement(f"valor[{image}]"), set())
