"""Services that call each other over a network: who calls is proved by a certificate, and each call has its callers."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.chassis import credential, server
from services.chassis.client import connect
from services.chassis.credential import Certificate, Credential, Token
from services.chassis.errors import Denied, SettingsError, Unauthenticated, Unavailable, ValorError
from services.chassis.health import Health
from services.chassis.settings import ProcessSettings
from tests.integration.chassis.echo import NAME, Echo, echo, same
from tests.support.authority import Authority
from tests.support.process import TOKEN


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def own(authority: Authority, tmp_path: Path) -> Path:
    """The folder of the certificate of the service that is called."""
    return authority.issue(tmp_path / "echo", "echo")


@asynccontextmanager
async def _called(own: Path, proof: Credential) -> AsyncIterator[Echo]:
    """A service that `pipeline` may call, and a caller with a proof."""
    settings = ProcessSettings(tls=own, data=Path())
    offer = echo(Say=same)
    service = server.Service(NAME, offer.register, {"Say": ("pipeline",)})
    async with (
        server.serve(service, settings, Health(), grace=0) as address,
        connect(address, proof, retries=False) as caller,
    ):
        yield Echo(caller)


async def test_who_may_call_is_let_in(own: Path, authority: Authority, tmp_path: Path) -> None:
    async with _called(own, Certificate(authority.issue(tmp_path / "pipeline", "pipeline"))) as it:
        assert await it.say("hello") == "hello"


async def test_who_may_not_is_told_so(own: Path, authority: Authority, tmp_path: Path) -> None:
    async with _called(own, Certificate(authority.issue(tmp_path / "agent", "agent"))) as it:
        with pytest.raises(Denied, match="agent may not call Say"):
            await it.say()


async def test_a_method_that_names_no_callers_is_nobodys(own: Path, authority: Authority, tmp_path: Path) -> None:
    settings = ProcessSettings(tls=own, data=Path())
    proof = Certificate(authority.issue(tmp_path / "pipeline", "pipeline"))
    async with server.serve(echo(Say=same), settings, Health(), grace=0) as address, connect(address, proof) as caller:
        with pytest.raises(Denied):
            await Echo(caller).say()


async def test_a_certificate_without_a_name_is_nobodys(own: Path, authority: Authority, tmp_path: Path) -> None:
    async with _called(own, Certificate(authority.issue(tmp_path / "nobody", ""))) as it:
        with pytest.raises(Unauthenticated):
            await it.say()


@pytest.mark.parametrize("proof", ["of another authority", "the token alone"])
async def test_nobody_else_gets_as_far_as_a_call(own: Path, proof: str, tmp_path: Path) -> None:
    if proof == "the token alone":
        other: Credential = Token(TOKEN)
    else:
        other = Certificate(Authority().issue(tmp_path / "stranger", "pipeline"))
    async with _called(own, other) as it:
        with pytest.raises(ValorError) as error:
            await it.say(timeout=2)
    assert isinstance(error.value, Unavailable)


async def test_a_callee_of_another_authority_is_not_called(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority().issue(tmp_path / "stranger", "echo")
    async with _called(stranger, Certificate(authority.issue(tmp_path / "pipeline", "pipeline"))) as it:
        with pytest.raises(Unavailable):
            await it.say(timeout=2)


@pytest.mark.parametrize("name", ["tls.crt", "tls.key", "ca.crt"])
def test_what_is_missing_is_named(name: str, own: Path) -> None:
    (own / name).unlink()
    with pytest.raises(SettingsError, match=f"VALOR_TLS is wrong: .*{name} cannot be read"):
        Certificate(own)


async def test_a_renewed_certificate_is_noticed(
    own: Path, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credential, "LOOK", 0.01)
    noticed = asyncio.create_task(Certificate(own).replaced())
    await asyncio.sleep(0.05)
    assert not noticed.done()
    renewed = authority.issue(tmp_path / "renewed", "echo")
    (renewed / "tls.crt").replace(own / "tls.crt")
    await asyncio.wait_for(noticed, 5)


PEOPLE = """
from services.chassis import app, credential
from services.people import __main__ as people
credential.LOOK = 0.05
app.main("people", people.Settings, people.serve)
"""


async def test_a_process_whose_certificate_is_renewed_drains_and_ends(
    own: Path, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VALOR_TLS", str(own))
    monkeypatch.setenv("VALOR_DATA", str(tmp_path))
    monkeypatch.delenv("VALOR_DATABASE", raising=False)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", PEOPLE, stderr=-1)
    assert process.stderr is not None
    assert json.loads(await process.stderr.readline())["event"] == "serving"
    (authority.issue(tmp_path / "renewed", "people") / "tls.crt").replace(own / "tls.crt")
    async with asyncio.timeout(60):
        events = [json.loads(line)["event"] for line in (await process.stderr.read()).splitlines()]
        assert events == ["certificate_replaced", "stopping", "stopped"]
        assert await process.wait() == 0
