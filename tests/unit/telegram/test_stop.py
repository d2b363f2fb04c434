"""The stop button on its way to the pipeline."""

import asyncio

import pytest

from services.chassis.errors import Unavailable
from services.telegram import stop
from services.telegram.model import Draft, Stop, Typing
from services.telegram.stop import Stopper
from tests.unit.telegram.stubs import StubPipeline

DRAFT = Draft("12", 8, 3, "On and on", 0)


class Away(StubPipeline):
    """A pipeline that is away."""

    async def stop(self, chat_id: int, topic_id: int, turn_id: str) -> None:
        await super().stop(chat_id, topic_id, turn_id)
        raise Unavailable("The pipeline is away.")


async def handed_over(stopper: Stopper) -> None:
    while stopper._tasks:
        await asyncio.sleep(0)


async def test_a_stop_is_handed_over_with_the_turn_of_its_draft() -> None:
    pipeline = StubPipeline()
    stopper = Stopper(pipeline)
    for event in (DRAFT, Draft("13", 9, 0, "shown by a message", 77), Typing("14", 8, 0)):
        stopper.note(event)
    stopper.take(Stop(8, 3, DRAFT.draft_id))
    stopper.take(Stop(9, 0, Draft("13", 9, 0, "", 0).draft_id))
    await handed_over(stopper)
    assert pipeline.told == [(8, 3, "12")]


async def test_it_is_tried_a_few_times_and_then_the_person_has_to_press_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop, "PAUSES", (0.0, 0.0))
    pipeline = Away()
    stopper = Stopper(pipeline)
    stopper.note(DRAFT)
    stopper.take(Stop(8, 3, DRAFT.draft_id))
    await handed_over(stopper)
    assert pipeline.told == [(8, 3, "12")] * 3


async def test_what_is_on_its_way_at_the_end_is_given_up() -> None:
    stopper = Stopper(Away())
    stopper.note(DRAFT)
    stopper.take(Stop(8, 3, DRAFT.draft_id))
    await stopper.close()
    assert not stopper._tasks


async def test_the_memory_for_drafts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop, "DRAFTS", 10)
    stopper = Stopper(StubPipeline())
    for number in range(100):
        stopper.note(Draft(str(number), 8, 0, "", 0))
    assert len(stopper._turns) == 10
