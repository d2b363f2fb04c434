"""People as its callers see it, on a real database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.chassis.client import Caller
from services.chassis.errors import InvalidArgument, NotFound, Unauthenticated
from services.people.__main__ import serve
from services.people.settings import Settings
from tests.support.process import TOKEN, running
from valor.people.v1 import people_pb2 as pb
from valor.people.v1 import people_pb2_grpc as rpc


@pytest.fixture
async def people(tmp_path: Path) -> AsyncIterator["People"]:
    async with running(serve, Settings(data=tmp_path, token=TOKEN, owner="7")) as caller:
        yield People(caller)


class People:
    """The calls of these tests."""

    def __init__(self, caller: Caller) -> None:
        self._caller, self._stub = caller, rpc.PeopleServiceStub(caller.channel)

    async def resolve(self, user_id: int, channel: str = "telegram") -> pb.ResolvePersonResponse:
        request = pb.ResolvePersonRequest(identity=pb.Identity(channel=channel, user_id=user_id))
        return await self._caller.call(self._stub.ResolvePerson, request, timeout=5)

    async def pair(self, user_id: int, request_id: str) -> str:
        identity = pb.Identity(channel="telegram", user_id=user_id, name="Eve")
        request = pb.CreatePairingRequest(identity=identity, request_id=request_id)
        return (await self._caller.call(self._stub.CreatePairing, request, timeout=5)).code

    async def approve(self, code: str) -> pb.ApprovePairingResponse:
        return await self._caller.call(self._stub.ApprovePairing, pb.ApprovePairingRequest(code=code), timeout=5)


async def test_the_same_person_is_found_again_and_another_is_another(people: People) -> None:
    first, again, other = await people.resolve(8), await people.resolve(8), await people.resolve(9)
    assert first == again
    assert first.person_id != other.person_id
    assert first.role == pb.ROLE_GUEST
    assert (await people.resolve(7)).role == pb.ROLE_OWNER


async def test_a_stranger_is_let_in_by_the_code_once(people: People) -> None:
    code = await people.pair(8, "message-1")
    approved = await people.approve(code.lower())
    assert (approved.identity.user_id, approved.identity.name) == (8, "Eve")
    assert (await people.resolve(8)).role == pb.ROLE_MEMBER
    with pytest.raises(NotFound, match="not valid"):
        await people.approve(code)


async def test_a_repeated_request_gets_the_same_code_and_a_new_one_none(people: People) -> None:
    code = await people.pair(8, "message-1")
    assert await people.pair(8, "message-1") == code
    assert await people.pair(8, "message-2") == ""


async def test_a_wrong_code_lets_nobody_in(people: People) -> None:
    await people.pair(8, "message-1")
    with pytest.raises(NotFound):
        await people.approve("AAAAAAAA")
    assert (await people.resolve(8)).role == pb.ROLE_GUEST


@pytest.mark.parametrize(("channel", "user_id", "field"), [("", 8, "identity.channel"), ("web", 0, "identity.user_id")])
async def test_a_bad_identity_is_refused_by_name(people: People, channel: str, user_id: int, field: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        await people.resolve(user_id, channel)
    assert error.value.field == field


async def test_people_survive_a_restart(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, token=TOKEN)
    async with running(serve, settings) as caller:
        code = await People(caller).pair(8, "message-1")
    async with running(serve, settings) as caller:
        await People(caller).approve(code)
        assert (await People(caller).resolve(8)).role == pb.ROLE_MEMBER


async def test_a_caller_without_the_token_is_refused(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, token="another-token-of-another-run")
    async with running(serve, settings) as caller:
        with pytest.raises(Unauthenticated):
            await People(caller).resolve(8)
