"""The test that `helm test` runs tells a house that works from one that does not, and from one that lets anybody in."""

import asyncio
import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType

import pytest

from services.chassis.health import Health
from services.people.__main__ import serve
from services.people.settings import Settings
from tests.support.authority import Authority
from tests.support.chart import FOLDER

SERVES = "valor.people.v1.PeopleService"


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authority: Authority) -> ModuleType:
    """The script, with certificates where the pod has them."""
    spec = importlib.util.spec_from_file_location("installation", FOLDER / "files" / "test.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "OURS", authority.issue(tmp_path / "ours", "test"))
    monkeypatch.setattr(module, "FORGED", Authority().issue(tmp_path / "forged", "pipeline"))
    monkeypatch.setattr(module, "SECONDS", 5)
    return module


@pytest.fixture
def authority() -> Authority:
    return Authority()


@asynccontextmanager
async def people(folder: Path, authority: Authority, health: Health) -> AsyncIterator[tuple[str, str]]:
    """A service as in a pod: the address of its calls, and that of its health."""
    settings = Settings(data=folder, tls=authority.issue(folder / "people", "people"))
    async with health.serve("127.0.0.1:0") as probes, serve(settings, health) as calls:
        yield calls, probes


async def test_a_house_that_works_passes(
    script: ModuleType, tmp_path: Path, authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    async with people(tmp_path, authority, Health()) as (calls, probes):
        assert await asyncio.to_thread(script.main, calls, [f"{probes}/{SERVES}", f"{probes}/"])
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 5
    assert all(line.startswith("ok ") for line in said)


async def test_who_does_not_serve_fails_it(script: ModuleType, tmp_path: Path, authority: Authority) -> None:
    health = Health()
    async with people(tmp_path, authority, health) as (calls, probes):
        await health.set(SERVES, serving=False)
        assert not await asyncio.to_thread(script.main, calls, [f"{probes}/{SERVES}"])


async def test_who_lets_the_test_s_own_name_in_fails_it(
    script: ModuleType, tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "OURS", authority.issue(tmp_path / "another", "pipeline"))
    async with people(tmp_path, authority, Health()) as (calls, _):
        assert not await asyncio.to_thread(script.main, calls, [])
