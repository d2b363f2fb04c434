"""F95: who comes, and who is let in, is counted."""

from pathlib import Path

import pytest

from services.chassis.errors import NotFound
from services.people.__main__ import serve
from services.people.settings import Settings
from tests.integration.people.test_people import People
from tests.support.metrics import change
from tests.support.process import TOKEN, running


async def test_roles_and_pairings_are_counted_by_what_comes_of_them(tmp_path: Path) -> None:
    roles = {role: change("people_resolved_identities_total", role=role) for role in ("guest", "member", "owner")}
    outcomes = ("given", "asked_again", "approved", "refused")
    pairings = {outcome: change("people_pairings_total", outcome=outcome) for outcome in outcomes}
    async with running(serve, Settings(data=tmp_path, token=TOKEN, owner="7")) as caller:
        people = People(caller)
        await people.resolve(8)
        code = await people.pair(8, "message-1")
        await people.pair(8, "message-2")
        await people.approve(code)
        with pytest.raises(NotFound):
            await people.approve(code)
        await people.resolve(8)
        await people.resolve(7)
    assert {role: count() for role, count in roles.items()} == {"guest": 1, "member": 1, "owner": 1}
    assert {outcome: count() for outcome, count in pairings.items()} == dict.fromkeys(outcomes, 1)
