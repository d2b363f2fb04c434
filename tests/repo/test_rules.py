"""The repository's own rules: budgets, names, no hosts, no secrets, no leftovers."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from tests.support import store

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for path in (ROOT / "services").rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

SERVICES = sorted(
    path.parent.name for path in (ROOT / "services").glob("*/__main__.py") if path.parent.name not in {"cli", "testdc"}
)
CALLED = sorted(
    path.parts[-3] for path in (ROOT / "protos" / "valor").glob("*/v1/*.proto") if path.parts[-3] != "common"
)

FILE_LINES, FUNCTION_LINES = 400, 40


def tracked(*patterns: str) -> list[Path]:
    """The files that git knows, or would take up."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name and length in lines of every function of a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{path.relative_to(ROOT)}:{node.name}", (node.end_lineno or 0) - node.lineno + 1


def test_no_file_is_too_long() -> None:
    long = {
        str(path.relative_to(ROOT)): n for path in SOURCES if (n := len(path.read_text().splitlines())) > FILE_LINES
    }
    assert not long


def test_most_files_are_short() -> None:
    lengths = sorted(len(path.read_text().splitlines()) for path in SOURCES)
    assert lengths[int(len(lengths) * 0.9)] <= 260


def test_nine_functions_in_ten_fit_on_a_screen() -> None:
    lengths = sorted(length for path in SOURCES for _, length in functions(path))
    assert lengths[int(len(lengths) * 0.9)] <= 25
    assert not [name for path in SOURCES for name, length in functions(path) if length > FUNCTION_LINES + 10]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_one_name_everywhere(service: str) -> None:
    assert service in PROJECT["project"]["optional-dependencies"], f"pyproject.toml: no extra {service}"
    assert (ROOT / "tests" / "unit" / service).is_dir(), f"tests/unit/{service} is missing"
    assert f"\nFROM service AS {service}\n" in (ROOT / "Dockerfile").read_text(), f"Dockerfile: no stage {service}"
    assert f"`{service}`" in (ROOT / "README.md").read_text(), f"README.md: no row for {service}"
    settings = (ROOT / "services" / service / "settings.py").read_text()
    assert f'env_prefix="{service.upper()}_"' in settings, f"services/{service}/settings.py: another prefix"
    chart = ROOT / "charts" / "valor"
    assert f"\n  {service}:\n" in (chart / "values.yaml").read_text(), f"values.yaml: no services.{service}"
    assert (chart / "files" / "dashboards" / f"{service}.json").exists(), f"no dashboard {service}.json"
    assert f"- image: valor-{service}\n" in (ROOT / "skaffold.yaml").read_text(), f"skaffold.yaml: no valor-{service}"
    metrics = ROOT / "services" / service / "metrics.py"
    names = re.findall(r'(?:Counter|Gauge|Histogram)\(\s*"(\w+)"', metrics.read_text()) if metrics.exists() else []
    assert all(name.startswith(f"{service}_") for name in names), f"{metrics}: a metric of another name"


@pytest.mark.parametrize("service", CALLED)
def test_a_contract_belongs_to_a_service_of_its_name(service: str) -> None:
    contract = (ROOT / "protos" / "valor" / service / "v1" / f"{service}.proto").read_text()
    assert f"package valor.{service}.v1;" in contract
    assert f"service {service.capitalize()}Service {{" in contract
    assert service in SERVICES


@pytest.mark.parametrize("service", CALLED)
def test_every_call_says_who_may_make_it(service: str) -> None:
    contract = import_module(f"valor.{service}.v1.{service}_pb2").DESCRIPTOR.services_by_name
    methods = {method.name for offered in contract.values() for method in offered.methods}
    callers = import_module(f"services.{service}.servicer").CALLERS
    assert set(callers) == methods
    assert {name for names in callers.values() for name in names} <= {*SERVICES, "cli"}


def test_the_lock_names_no_host() -> None:
    assert "://" not in (ROOT / "constraints.txt").read_text()


def test_every_dependency_is_locked() -> None:
    locked = {line.split("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines()}
    extras = PROJECT["project"]["optional-dependencies"].values()
    wanted = [*PROJECT["project"]["dependencies"], *(one for extra in extras for one in extra)]
    names = {re.split(r"[\[=<>]", one)[0].lower() for one in wanted if not one.startswith("valor[")}
    assert names <= locked


def test_the_generated_code_is_what_the_contracts_say() -> None:
    check = [sys.executable, str(ROOT / "scripts" / "protos.py"), "--check"]
    assert subprocess.run(check, check=False, capture_output=True).returncode == 0


def test_no_leftovers() -> None:
    words = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX|HA" + r"CK)\b")
    found = [
        str(path.relative_to(ROOT))
        for path in tracked("*.py", "*.md", "*.proto", "Makefile", "*.sh")
        if words.search(path.read_text())
    ]
    assert not found


def test_no_sleeping_tests() -> None:
    """Tests wait for conditions. A pause inside a loop that waits for what another process does is one."""
    sleeping = re.compile(r"^\s+(?:await asyncio|time)\.sleep\((?!0\)|0\.0\d+\)|.*#)", re.MULTILINE)
    folders = ("tests/unit", "tests/integration", "tests/e2e")
    found = [
        str(path.relative_to(ROOT))
        for path in tracked("tests/*.py")
        if str(path.relative_to(ROOT)).startswith(folders) and sleeping.search(path.read_text())
    ]
    assert not found


SCANNED = ("services", "scripts", "docs", "protos/valor", "charts", ":!charts/valor/files/dashboards", "k8s", "*.md")


def test_no_secret_is_committed(tmp_path: Path) -> None:
    """F116. The scan finds a planted secret, and in the repository nothing but the public constants of its baseline."""
    scan = [sys.executable, "-m", "detect_secrets.pre_commit_hook", "--baseline", ".secrets.baseline"]
    planted = tmp_path / "planted.py"
    planted.write_text('AWS = "AKIA' + "IOSFODNN7EXAMPLA" + '"\n')
    assert subprocess.run([*scan, str(planted)], cwd=ROOT, check=False, capture_output=True).returncode == 1
    names = [str(path.relative_to(ROOT)) for path in tracked(*SCANNED)]
    clean = subprocess.run([*scan, *names], cwd=ROOT, check=False, capture_output=True, text=True)
    assert clean.returncode == 0, clean.stdout


def test_only_telegram_and_the_sandbox_know_the_client_library() -> None:
    """F44. Nobody else can open the account."""
    users = {
        path.relative_to(ROOT / "services").parts[0]
        for path in SOURCES
        if re.search(r"^\s*(?:import|from) telethon", path.read_text(), re.MULTILINE)
    }
    assert users == {"telegram", "testdc"}


def test_nothing_deletes_a_database_s_side_files() -> None:
    """F61."""
    assert not [path for path in SOURCES if re.search(r"-(wal|shm)\b", path.read_text())]


def test_one_module_sends_what_people_read() -> None:
    """F40."""
    sends = re.compile(r"messages\.(?:Send|Edit|Forward|Upload)\w*Request|\.(?:send|forward|edit)_(?:message|file)s?\(")
    senders = [str(path.relative_to(ROOT)) for path in SOURCES if sends.search(path.read_text())]
    ours = [sender for sender in senders if not sender.startswith("services/testdc/")]
    assert ours == ["services/telegram/adapters/sender.py"]


def imports(path: Path) -> set[str]:
    """The top-level modules that a file imports."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {name.split(".")[0] for name in plain | {n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)}}


def test_no_transaction_is_open_across_a_call() -> None:
    """F60. What gets a transaction cannot wait, and stands where nothing can be called: it does SQL and ends."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.AsyncFunctionDef):
                given = [ast.unparse(one.annotation) for one in node.args.args if one.annotation is not None]
                assert "Transaction" not in given, f"{path}: {node.name} may wait in a transaction"
    calls = {"grpc", "valor", "telethon", "aiohttp", "httpx2", "pydantic_ai", "requests", "socket", "subprocess"}
    holders = [path for path in SOURCES if re.search(r"import .*\bTransaction\b", path.read_text())]
    assert holders
    assert not {str(path): found for path in holders if (found := imports(path) & calls)}


def test_nothing_reads_what_a_terminal_shows() -> None:
    """F72. Other programs are asked by their interfaces; what has happened is read from what they return."""
    scrapers = {"pexpect", "ptyprocess", "pty", "pyte", "libtmux", "curses", "termios"}
    found = {str(path): used for path in SOURCES if (used := imports(path) & scrapers)}
    assert not found
    assert not [path for path in SOURCES if re.search(r"\btmux\b|\bscreen -", path.read_text())]


def test_tests_touch_no_database_that_was_not_made_for_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """F76."""
    monkeypatch.setenv("VALOR_DATABASE", "postgresql://127.0.0.1/production")
    with pytest.raises(RuntimeError, match="not made for it"):
        store.place(tmp_path, "pipeline")


def statements(path: Path) -> str:
    """All that stands in quotes in a file, docstrings too."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return "\n".join(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def test_nothing_empties_a_store() -> None:
    """F76. There is no call that a mistaken address could make dangerous."""
    empties = re.compile(r"\b(?:TRUNCATE|DROP (?:TABLE|SCHEMA|DATABASE)|FLUSH\w*)\b")
    assert not [path for path in SOURCES if empties.search(statements(path))]


def test_a_table_has_one_owner() -> None:
    """F78. Whoever else needs what stands in it asks the owner: its API has contract tests of its own."""
    made = re.compile(r"create_table\(\s*\"(\w+)\"")
    used = re.compile(r"\b(?:FROM|INTO|UPDATE|JOIN) (\w+)")
    own: dict[str, set[str]] = {
        service: {name for path in SOURCES if path.parts[-3] == service for name in made.findall(path.read_text())}
        for service in SERVICES
    }
    tables = set().union(*own.values())
    assert {"turns", "calls", "persons", "cursor"} <= tables
    for path in SOURCES:
        service = path.relative_to(ROOT / "services").parts[0]
        foreign = tables - own.get(service, set())
        assert not foreign & set(used.findall(statements(path))), f"{path} uses a table of another service"
