"""Who is let in: strangers and their codes, and what happens while people is away."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from services.chassis.errors import Unavailable
from services.pipeline import stage
from services.pipeline.adapters.store.turns import TurnTable
from services.pipeline.model import Draft, Turn
from tests.integration.pipeline.house import (
    ADA,
    GROUP,
    MEMBERS,
    OTHER_GROUP,
    OWNER,
    STRANGER,
    House,
    message,
    until,
)
from tests.support.store import holds, place
from valor.pipeline.v1 import pipeline_pb2 as pb


async def test_a_stranger_gets_one_code_and_is_answered_once_it_is_approved(house: House) -> None:
    request = message("my secret", chat=STRANGER)
    response = await house.pipeline.submit(request)
    assert response.disposition == pb.DISPOSITION_PAIRING
    await house.pipeline.until(1, "done", STRANGER)
    code = next(part for part in house.channel.parts()).entities
    text = house.channel.texts(STRANGER)[0]
    shown = next(text[e.offset : e.offset + e.length] for e in code if e.type == "code")
    assert await house.pipeline.submit(request) == response
    ignored = await house.pipeline.submit(message("hello?", chat=STRANGER, number=2))
    assert ignored == pb.SubmitMessageResponse(disposition=pb.DISPOSITION_IGNORED)
    await house.approve(shown)
    await house.ask("and now?", chat=STRANGER, number=3)
    assert house.channel.texts(STRANGER) == [text, "answer to and now?"]
    assert house.agent.acts[0].history == [text]
    assert await house.pipeline.submit(request) == response


async def test_the_words_of_a_stranger_are_not_kept(house: House) -> None:
    """F85."""
    await house.pipeline.submit(message("swordfish @valor_bot", chat=STRANGER))
    await house.pipeline.submit(message("swordfish", chat=STRANGER, number=2))
    await house.pipeline.until(1, "done", STRANGER)
    assert not holds(place(house.data, "pipeline"), "swordfish")


async def test_a_stranger_who_edits_is_not_given_a_code_that_is_never_shown(house: House) -> None:
    edited = message("hello", chat=STRANGER, edited=True)
    assert (await house.pipeline.submit(edited)).disposition == pb.DISPOSITION_IGNORED
    assert (await house.pipeline.submit(message("hello", chat=STRANGER, number=2))).disposition == (
        pb.DISPOSITION_PAIRING
    )
    await house.pipeline.until(2, "done", STRANGER)


async def test_the_edit_of_a_strangers_message_is_not_kept_either(house: House) -> None:
    request = message("hello", chat=STRANGER)
    await house.pipeline.submit(request)
    await house.pipeline.edit(request, "swordfish")
    assert house.rows("SELECT message FROM chat_history WHERE direction = 'in'") == [""]


async def test_what_comes_while_people_is_away_is_kept_and_answered_when_people_is_back(house: House) -> None:
    await house.people.stop()
    response = await house.pipeline.submit(message("hello"))
    assert response.disposition == pb.DISPOSITION_QUEUED
    await until(lambda: house.rows("SELECT state FROM turns") == ["running"])
    assert house.channel.events == []
    await house.people.start()
    await house.pipeline.until(1, "done")
    assert house.channel.texts() == ["answer to hello"]


async def test_who_was_unknown_at_first_has_the_same_rights_in_the_end(house: House) -> None:
    await house.people.stop()
    await house.pipeline.submit(message("hello"))
    await house.pipeline.submit(message("/status", chat=OWNER))
    await house.people.start()
    await house.pipeline.until(1, "done")
    await house.ask("known now", number=2)
    late, known = (act.scope for act in house.agent.acts)
    assert (late.person_id, list(late.rights)) == (known.person_id, list(known.rights))
    assert late.rights == ["tools"]
    await house.pipeline.until(1, "done", OWNER)
    assert "id 7" in house.channel.texts(OWNER)[0]


async def test_a_person_let_in_by_name_is_not_forgotten_while_people_is_away(house: House) -> None:
    await house.people.stop()
    await house.pipeline.submit(message("hello", chat=10, sender=pb.Sender(user_id=10, username="Grace", name="G")))
    await house.people.start()
    await house.pipeline.until(1, "done", 10)
    assert house.channel.texts(10) == ["answer to hello"]


async def test_a_stranger_in_a_foreign_group_who_wrote_while_people_was_away_is_forgotten_without_a_sign(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F85."""
    for name in ("TICK", "WORKING_AFTER", "TYPING_AFTER"):
        monkeypatch.setattr(stage, name, 0.0)
    await house.people.stop()
    await house.pipeline.submit(message("@valor_bot swordfish", chat=OTHER_GROUP, user=STRANGER))
    await until(lambda: house.rows("SELECT state FROM turns") == ["running"])
    await asyncio.sleep(0.05)
    await house.people.start()
    await until(lambda: house.rows("SELECT state FROM turns") == [])
    assert house.rows("SELECT id FROM chat_history") == []
    assert house.rows("SELECT id FROM parts") == []
    assert house.channel.events == []


async def test_a_stranger_who_wrote_while_people_was_away_gets_a_code_and_no_answer(house: House) -> None:
    """F85."""
    await house.people.stop()
    for number in (1, 2):
        await house.pipeline.submit(message("swordfish", chat=STRANGER, number=number))
    await house.people.start()
    await house.pipeline.until(1, "done", STRANGER)
    await until(lambda: house.rows("SELECT state FROM turns") == ["done"])
    assert [text.startswith("Hello! I am Valor") for text in house.channel.texts(STRANGER)] == [True]
    assert house.rows("SELECT message FROM chat_history WHERE direction = 'in'") == [""]
    assert house.agent.acts == []


async def test_a_stranger_whose_code_could_not_be_written_down_at_once_is_still_not_answered(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = iter([True])

    async def finish(self: TurnTable, turn: Turn, drafts: Sequence[Draft], *rest: Any, **named: Any) -> bool:
        if next(broken, False):
            raise Unavailable("The disk is full.")
        return await real(self, turn, drafts, *rest, **named)

    real = TurnTable.finish
    monkeypatch.setattr(TurnTable, "finish", finish)
    await house.people.stop()
    await house.pipeline.submit(message("swordfish", chat=STRANGER))
    await house.people.start()
    await house.pipeline.until(1, "done", STRANGER)
    assert [text.startswith("Hello! I am Valor") for text in house.channel.texts(STRANGER)] == [True]
    assert house.agent.acts == []


async def test_what_is_forgotten_does_not_give_its_numbers_to_what_comes_next(house: House) -> None:
    await house.people.stop()
    gone = await house.pipeline.submit(message("@valor_bot hello", chat=OTHER_GROUP, user=STRANGER))
    await house.people.start()
    await until(lambda: house.rows("SELECT state FROM turns") == [])
    turn = await house.ask("hello")
    assert turn.turn_id != gone.turn_id


async def test_a_flood_while_people_is_away_leaves_no_rate_behind(house: House) -> None:
    await house.people.stop()
    for number in (1, 2):
        await house.pipeline.submit(message(f"{number}", number=number))
    assert house.rows("SELECT COUNT(*) FROM rate") == [0]
    await house.people.start()
    await house.pipeline.until(2, "done")
    assert house.channel.texts() == ["answer to 1", "answer to 2"]


async def test_stop_that_had_to_wait_for_people_says_so(house: House) -> None:
    await house.people.stop()
    await house.pipeline.submit(message("/stop"))
    await house.people.start()
    await house.pipeline.until(1, "done")
    assert house.channel.texts() == ["There was nothing to stop."]


async def test_a_member_is_known_for_a_while_without_people(house: House) -> None:
    await house.ask("hello")
    await house.people.stop()
    await house.ask("again", number=2)
    assert house.channel.texts() == ["answer to hello", "answer to again"]


async def test_in_a_listed_group_everybody_is_answered_even_if_people_was_away(house: House) -> None:
    await house.people.stop()
    await house.pipeline.submit(message("@valor_bot hello", chat=GROUP, user=STRANGER))
    await house.people.start()
    await house.pipeline.until(1, "done", GROUP)
    assert house.agent.acts[0].scope.rights == ["tools"]


async def test_the_scope_that_an_agent_gets_is_signed_and_names_person_chat_and_turn(house: House) -> None:
    """F80."""
    turns = [await house.ask("hello", chat=chat) for chat in MEMBERS[:2]]
    scopes = [act.scope for act in house.agent.acts]
    assert [scope.turn_id for scope in scopes] == [turn.turn_id for turn in turns]
    assert [scope.address.chat_id for scope in scopes] == list(MEMBERS[:2])
    assert len({scope.person_id for scope in scopes}) == 2
    assert len({act.start.scope.signature for act in house.agent.acts}) == 2
    assert house.agent.acts[0].start.history == []
    assert ADA not in {scope.address.chat_id for scope in scopes}
