"""What people see while a turn runs, and that exactly one text stays."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from services.chassis.errors import WrongState
from services.pipeline import failures, stage
from services.pipeline.adapters.markdown import MarkdownRenderer
from services.pipeline.model import Draft
from tests.integration.pipeline.house import ADA, GROUP, House, message, until
from tests.support.scripted_agent import Act, echo
from valor.pipeline.v1 import pipeline_pb2 as pb

FINAL = "the whole answer"


@pytest.fixture(autouse=True)
def _hurried_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules of pace have their own tests; here everything is shown as soon as there is something to show."""
    for name in ("TYPING_AFTER", "DRAFT_AFTER", "MESSAGE_AFTER"):
        monkeypatch.setattr(stage, name, 0.0)
    monkeypatch.setattr(stage, "TICK", 0.005)
    monkeypatch.setattr(stage, "WORKING_AFTER", 100.0)
    monkeypatch.setattr(stage, "DRAFT_AGAIN", 0.02)
    monkeypatch.setattr(stage, "MESSAGE_AGAIN", 0.02)


class Speaker:
    """Says the beginning of an answer, and the rest when it is let."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def __call__(self, act: Act) -> str:
        await act.say("the whole")
        await self.go.wait()
        return FINAL


@pytest.fixture
def speaker(house: House) -> Speaker:
    house.agent.script = speaker = Speaker()
    return speaker


async def ask(house: House) -> None:
    await house.pipeline.submit(message("@valor_bot hello", chat=GROUP))


async def shown(house: House) -> None:
    await until(lambda: house.rows("SELECT receipt_id FROM parts WHERE kind = 'preview' AND receipt_id IS NOT NULL"))


async def test_in_a_group_the_final_text_edits_the_preview(house: House, speaker: Speaker) -> None:
    """F12, F16."""
    await ask(house)
    await shown(house)
    assert house.channel.texts(GROUP) == ["the whole"]
    speaker.go.set()
    turn = await house.pipeline.until(1, "done", GROUP)
    post = house.channel.posts[0]
    assert house.channel.texts(GROUP) == [FINAL]
    assert (post.reply_to, list(turn.answer_message_ids)) == (1, [post.message_id])
    house.agent.script = echo
    await house.ask("and?", chat=GROUP, number=2, reply_to_message_id=post.message_id)
    assert house.agent.acts[-1].start.reply_to.text == FINAL


async def test_a_growing_answer_is_shown_by_edits_of_the_preview_and_none_comes_after_the_end(house: House) -> None:
    """F12."""

    async def talk(act: Act) -> str:
        for _ in range(40):
            await act.say("more ")
            await asyncio.sleep(0.005)
        return FINAL

    house.agent.script = talk
    await ask(house)
    await house.pipeline.until(1, "done", GROUP)
    kinds = [event.WhichOneof("event") for event in house.channel.events]
    drafts = [event.draft for event in house.channel.events if event.HasField("draft")]
    assert len(drafts) > 1
    assert {draft.target_message_id for draft in drafts} == {house.channel.posts[0].message_id}
    assert [len(draft.text) for draft in drafts] == sorted({len(draft.text) for draft in drafts})
    assert kinds[-1] == "part"


async def test_in_private_a_growing_answer_is_a_draft_and_never_a_message(house: House, speaker: Speaker) -> None:
    await house.pipeline.submit(message("hello"))
    await until(lambda: any(event.HasField("draft") for event in house.channel.events))
    assert house.channel.posts == []
    speaker.go.set()
    await house.pipeline.until(1, "done")
    draft = next(event.draft for event in house.channel.events if event.HasField("draft"))
    assert (draft.text, draft.target_message_id, draft.address.chat_id) == ("the whole", 0, ADA)
    assert [post.texts for post in house.channel.posts] == [[FINAL]]


async def test_typing_is_shown_before_there_is_text(house: House) -> None:
    go = asyncio.Event()

    async def think(act: Act) -> str:
        await go.wait()
        return FINAL

    house.agent.script = think
    await house.pipeline.submit(message("hello"))
    await until(lambda: any(event.HasField("typing") for event in house.channel.events))
    go.set()
    await house.pipeline.until(1, "done")


async def test_a_text_that_begins_anew_is_shown_anew(house: House) -> None:
    go = asyncio.Event()

    async def rethink(act: Act) -> str:
        await act.say("let me look that up")
        await act.say("it", restart=True)
        await act.say(" is 7")
        await go.wait()
        return FINAL

    house.agent.script = rethink
    await ask(house)
    await until(
        lambda: (
            house.channel.texts(GROUP) == ["it is 7"]
            or any(event.draft.text == "it is 7" for event in house.channel.events)
        )
    )
    go.set()
    await house.pipeline.until(1, "done", GROUP)


async def test_stop_turns_a_standing_preview_into_a_word(house: House, speaker: Speaker) -> None:
    await ask(house)
    await shown(house)
    await house.ask("/stop", chat=GROUP, number=2)
    assert house.channel.texts(GROUP) == ["Stopped.", "Stopped."]
    assert [post.reply_to for post in house.channel.posts] == [1, 2]


async def test_a_failure_takes_the_place_of_the_preview(house: House) -> None:
    go = asyncio.Event()

    async def fail(act: Act) -> None:
        await act.say("the whole")
        await go.wait()
        raise WrongState("too many", reason="STEP_LIMIT")

    house.agent.script = fail
    await ask(house)
    await shown(house)
    go.set()
    await house.pipeline.until(1, "failed", GROUP)
    await until(lambda: house.channel.texts(GROUP) == [failures.WORDS["STEP_LIMIT"]])


async def test_a_replayed_turn_answers_below_the_words_of_its_failure(house: House, speaker: Speaker) -> None:
    async def fail(act: Act) -> None:
        await act.say("the whole")
        await shown(house)
        raise WrongState("too many", reason="STEP_LIMIT")

    house.agent.script = fail
    await ask(house)
    turn = await house.pipeline.until(1, "failed", GROUP)
    await until(lambda: house.channel.texts(GROUP) == [failures.WORDS["STEP_LIMIT"]])
    house.agent.script = speaker
    await house.pipeline.replay(turn.turn_id)
    await until(lambda: len(house.channel.posts) == 2)
    speaker.go.set()
    await house.pipeline.until(1, "done", GROUP)
    assert house.channel.texts(GROUP) == [failures.WORDS["STEP_LIMIT"], FINAL]


async def test_a_preview_that_is_refused_holds_nothing_up(house: House, speaker: Speaker) -> None:
    house.channel.refuse = lambda part: "CHAT_RESTRICTED" if part.kind == pb.PART_KIND_PREVIEW else ""
    await ask(house)
    await until(lambda: house.rows("SELECT id FROM parts WHERE error IS NOT NULL"))
    speaker.go.set()
    await house.pipeline.until(1, "done", GROUP)
    assert [post.texts for post in house.channel.posts] == [[FINAL]]


async def test_stop_after_a_refused_preview_says_so_once(house: House, speaker: Speaker) -> None:
    house.channel.refuse = lambda part: "CHAT_RESTRICTED" if part.kind == pb.PART_KIND_PREVIEW else ""
    await ask(house)
    await until(lambda: house.rows("SELECT id FROM parts WHERE error IS NOT NULL"))
    await house.ask("/stop", chat=GROUP, number=2)
    assert house.channel.texts(GROUP) == ["Stopped."]


async def test_an_edit_of_the_question_keeps_the_preview_for_the_next_attempt(house: House, speaker: Speaker) -> None:
    request = message("@valor_bot hello", chat=GROUP)
    await house.pipeline.submit(request)
    await shown(house)
    await house.pipeline.edit(request, "@valor_bot good evening")
    await until(lambda: len(house.agent.acts) == 2)
    speaker.go.set()
    await house.pipeline.until(1, "done", GROUP)
    assert house.channel.texts(GROUP) == [FINAL]


Step = Callable[[House, Speaker], Awaitable[None]]


async def written(house: House, speaker: Speaker) -> None:
    await house.unfollow()
    await ask(house)
    await until(lambda: house.rows("SELECT id FROM parts WHERE kind = 'preview'"))


async def sent(house: House, speaker: Speaker) -> None:
    house.channel.go.clear()
    await ask(house)
    await until(lambda: house.channel.texts(GROUP))


async def received(house: House, speaker: Speaker) -> None:
    await ask(house)
    await shown(house)


async def ended(house: House, speaker: Speaker) -> None:
    await received(house, speaker)
    await house.unfollow()
    speaker.go.set()
    await house.pipeline.until(1, "answering", GROUP)


async def ended_before_the_preview_was_received(house: House, speaker: Speaker) -> None:
    await sent(house, speaker)
    speaker.go.set()
    await house.pipeline.until(1, "answering", GROUP)


async def edited(house: House, speaker: Speaker) -> None:
    await received(house, speaker)
    house.channel.go.clear()
    speaker.go.set()
    await until(lambda: house.channel.texts(GROUP) == [FINAL])


async def stopped(house: House, speaker: Speaker) -> None:
    await received(house, speaker)
    await house.unfollow()
    await house.pipeline.submit(message("/stop", chat=GROUP, number=2))


@pytest.mark.parametrize(
    "step",
    [written, sent, received, ended, ended_before_the_preview_was_received, edited],
    ids=lambda step: step.__name__,
)
@pytest.mark.sqlite
async def test_a_crash_at_any_step_leaves_one_text_the_right_one(house: House, speaker: Speaker, step: Step) -> None:
    await step(house, speaker)
    await house.crash()
    speaker.go.set()
    house.channel.go.set()
    await house.pipeline.until(1, "done", GROUP)
    assert house.channel.texts(GROUP) == [FINAL]
    assert house.channel.blind == []


@pytest.mark.sqlite
async def test_a_crash_after_stop_still_says_so(house: House, speaker: Speaker) -> None:
    await stopped(house, speaker)
    await house.crash()
    await house.pipeline.until(2, "done", GROUP)
    assert house.channel.texts(GROUP) == ["Stopped.", "Stopped."]
    assert (await house.pipeline.turn(1, GROUP)).state == pb.TURN_STATE_CANCELLED


async def test_a_stage_that_breaks_stops_no_turn(
    house: House, speaker: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: MarkdownRenderer, markdown: str) -> Draft:
        raise ValueError("no such Markdown")

    monkeypatch.setattr(MarkdownRenderer, "glimpse", broken)
    await ask(house)
    await house.pipeline.submit(message("hello"))
    await asyncio.sleep(0.05)
    speaker.go.set()
    await house.pipeline.until(1, "done", GROUP)
    await house.pipeline.until(1, "done")
    assert house.channel.texts(GROUP) == house.channel.texts() == [FINAL]
