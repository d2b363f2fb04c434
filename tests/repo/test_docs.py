"""What the pages for people say exists: commands, options, settings, files, links, metrics; and the contents agree."""

import ast
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer.main

from services.chassis.settings import ProcessSettings, environment_name
from services.cli.__main__ import app
from services.cli.plan import SERVICES

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TRANSCRIPT = re.compile(r"```\nyou ›.*?```", re.DOTALL)
"""What `tests/e2e` replays; its lines are no commands."""
README = TRANSCRIPT.sub("", (ROOT / "README.md").read_text())

FAILURES = (ROOT / "docs" / "failures.md").read_text()

OTHERS = {"OTEL_EXPORTER_OTLP_ENDPOINT"}
"""Settings that a library reads."""
INSIDE = {"VALOR_TOKEN", "VALOR_TLS", "VALOR_SCOPE_KEY", "VALOR_HEALTH", "VALOR_METRICS", "VALOR_STOP_WITH_PARENT"}
"""Settings that `valor up` chooses itself; a cluster sets them."""


def settings() -> set[str]:
    """The names of all settings that a service reads."""
    kinds: list[type[ProcessSettings]] = [import_module(f"services.{name}.settings").Settings for name in SERVICES]
    return {environment_name(kind, field) for kind in kinds for field in kind.model_fields}


def commands() -> dict[str, set[str]]:
    """The commands and their options."""
    group: Any = typer.main.get_command(app)
    return {name: {option for one in command.params for option in one.opts} for name, command in group.commands.items()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_that_is_named_exists(page: Path) -> None:
    prefixes = "|".join(("VALOR", "OTEL", "ANTHROPIC", "OPENAI", *(name.upper() for name in SERVICES)))
    named = set(re.findall(rf"\b(?:{prefixes})_[A-Z_]*[A-Z]\b", page.read_text()))
    assert named <= settings() | OTHERS


def test_the_readme_lists_every_setting_that_people_choose() -> None:
    ours = {name for name in settings() if name.startswith("VALOR_")} - INSIDE
    assert not {name for name in ours if f"`{name}`" not in README}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_is_named_exists(page: Path) -> None:
    text, targets = (
        TRANSCRIPT.sub("", page.read_text()),
        set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)),
    )
    assert set(re.findall(r"(?:`|^|; )make (?:-s )?([a-z-]+)", text, re.MULTILINE)) <= targets
    known = commands()
    for line in re.findall(r"(?:`|^|/bin/)valor ([a-z].*)", text, re.MULTILINE):
        name, *words = re.split(r"`|   ", line)[0].split()
        assert name in known, f"there is no `valor {name}`"
        assert {word.strip("[]") for word in words if "--" in word} <= known[name], line


def test_the_readme_lists_every_command() -> None:
    listed = set(re.findall(r"^valor ([a-z]+) ", README, re.MULTILINE))
    assert listed == set(commands())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_named_exists(page: Path) -> None:
    text = page.read_text()
    links = [name for name in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in name]
    assert all((page.parent / name).exists() for name in links)
    paths = re.findall(r"`((?:services|protos|tests|scripts|docs)/[\w./-]+)`", text)
    assert not [path for path in paths if not (ROOT / path).exists()]


def test_every_metric_that_is_named_exists() -> None:
    code = "".join(path.read_text() for path in (ROOT / "services").rglob("metrics.py"))
    named = set(re.findall(rf"`((?:{'|'.join(SERVICES)})_\w+)`", README))
    assert named
    assert all(f'"{name}"' in code for name in named)


def test_every_failure_that_is_guarded_names_its_test_and_is_named_by_it() -> None:
    rows = re.findall(r"^\| F(\d+) \| [^|]+ \| `(tests/[\w/]+\.py)::(\w+)` \|$", FAILURES, re.MULTILINE)
    assert len(rows) == FAILURES.count("\n| F")
    assert [int(number) for number, _, _ in rows] == sorted({int(number) for number, _, _ in rows})
    for number, path, name in rows:
        tree = ast.walk(ast.parse((ROOT / path).read_text()))
        kinds = ast.FunctionDef, ast.AsyncFunctionDef
        found = [ast.get_docstring(one) or "" for one in tree if isinstance(one, kinds) and one.name == name]
        assert found, f"F{number}: there is no {path}::{name}"
        assert re.search(rf"\bF{number}\b", found[0]), f"{path}::{name} does not name F{number}"


def test_the_head_of_the_changelog_is_what_comes_next() -> None:
    """Keep a Changelog: releases from new to old, in their six kinds of change."""
    text = (ROOT / "CHANGELOG.md").read_text()
    assert re.findall(r"^## (.*)", text, re.MULTILINE)[0] == "[Unreleased]"
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.*)", text, re.MULTILINE)) <= kinds
