"""What was taken from Telegram reaches the pipeline in order, and the last wording wins."""

import asyncio
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.chassis.errors import Exhausted, InvalidArgument, Unavailable
from services.telegram import inbox as inbox_module
from services.telegram.inbox import Inbox
from services.telegram.model import ChatType, Entity, Incoming
from tests.unit.telegram.stubs import StubPipeline, StubStore

ANNA, BOB = 8, 9


def message(text: str, number: int = 1, chat: int = ANNA, *, edited: bool = False) -> Incoming:
    return Incoming(chat, ChatType.PRIVATE, number, chat, text, edited=edited)


def inbox() -> tuple[Inbox, StubPipeline, StubStore]:
    pipeline, store = StubPipeline(), StubStore()
    return Inbox(pipeline, store), pipeline, store


async def test_a_chats_messages_are_handed_over_in_order_and_chats_side_by_side() -> None:
    box, pipeline, _ = inbox()
    pipeline.go.clear()
    done = [box.put(message(f"{chat} {number}", number, chat), number) for number in (1, 2) for chat in (ANNA, BOB)]
    pipeline.go.set()
    await asyncio.gather(*done)
    assert pipeline.told == ["8 1", "9 1", "8 2", "9 2"]


async def test_however_many_chats_write_few_calls_are_made_at_once_and_none_is_held_by_who_has_to_wait() -> None:
    """A thousand calls that wait for each other would all run out of time, and be made again."""
    box, pipeline, _ = inbox()

    def refuse(found: Incoming) -> None:
        if found.text == "too much":
            raise Exhausted("full", retry_after=60)

    pipeline.refuse = refuse
    for chat in range(1, 101):
        box.put(message("too much", 1, chat), 1)
    async with asyncio.timeout(10):
        await asyncio.gather(*(box.put(message(f"{chat}", 1, chat), 1) for chat in range(101, 1001)))
    assert pipeline.most == inbox_module.HANDS
    assert pipeline.told == [f"{chat}" for chat in range(101, 1001)]
    await box.close()


async def test_what_the_pipeline_keeps_is_not_handed_over_again_until_it_is_forgotten() -> None:
    """Covers F2."""
    box, pipeline, _ = inbox()
    for _ in range(100):
        await box.put(message("hello"), 5)
    assert pipeline.told == ["hello"]
    box.forget(0)
    await box.put(message("hello"), 5)
    assert pipeline.told == ["hello", "hello"]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["edit", "edit", "lost edit", "difference", "half a difference", "restart", "slow"]),
        st.sampled_from("abc"),
        st.integers(1, 3),
    ),
    max_size=15,
)


@dataclass
class Story:
    """One message, its edits, and how the service hears of them. Its events are numbered 1, 2, …"""

    pipeline: StubPipeline = field(default_factory=StubPipeline)
    texts: list[str] = field(default_factory=lambda: ["a"])
    read: int = 0
    """How far the cursor is."""

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.inbox, self.done = Inbox(self.pipeline, StubStore()), list[asyncio.Future[None]]()

    def push(self) -> None:
        version = len(self.texts)
        self.done.append(self.inbox.put(message(self.texts[-1], edited=version > 1), version))

    async def difference(self, size: int, pieces: int = 99) -> None:
        """The message is told in its present wording in every slice."""
        self.pipeline.go.set()
        now, text = len(self.texts), self.texts[-1]
        while self.read < now and pieces:
            version = min(self.read + size, now)
            found = message(text, edited=self.read > 0)
            await self.inbox.put(found, version, exact=version == now)
            self.read, pieces = version, pieces - 1
        if self.read == now:
            self.inbox.forget(0)

    async def restart(self) -> None:
        await self.inbox.close()
        self.begin()

    async def play(self, what: str, text: str, size: int) -> None:
        if "edit" in what:
            self.texts.append(text)
        if what == "edit":
            self.push()
        elif what == "difference":
            await self.difference(size)
        elif what == "half a difference":
            await self.difference(size, 1)
        elif what == "restart":
            await self.restart()
        elif what == "slow":
            (self.pipeline.go.clear if self.pipeline.go.is_set() else self.pipeline.go.set)()
        for _ in range(4):
            await asyncio.sleep(0)


@given(STEPS)
@settings(max_examples=300, deadline=None)
def test_the_last_wording_wins_however_pushes_and_differences_tell_of_it(steps: list[tuple[str, str, int]]) -> None:
    """Covers F53. A piece of a difference tells a message as it is now under a number of long ago."""

    async def scenario() -> None:
        story = Story()
        story.push()
        for step in steps:
            await story.play(*step)
        await story.difference(2)
        await asyncio.gather(*story.done)
        assert story.pipeline.kept[ANNA, 1][1].text == story.texts[-1]

    asyncio.run(scenario())


async def test_an_edit_back_and_forth_is_handed_over_although_the_pipeline_is_slow() -> None:
    box, pipeline, _ = inbox()
    await box.put(message("a"), 1)
    pipeline.go.clear()
    done = [box.put(message("b", edited=True), 2), box.put(message("a", edited=True), 3)]
    pipeline.go.set()
    await asyncio.gather(*done)
    assert pipeline.kept[ANNA, 1][1].text == "a"


async def test_an_edit_of_a_link_alone_is_an_edit() -> None:
    box, pipeline, _ = inbox()
    first = replace(message("here"), entities=(Entity("text_link", 0, 4, "https://a"),))
    await box.put(first, 1)
    await box.put(replace(first, entities=(Entity("text_link", 0, 4, "https://b"),), edited=True), 2)
    assert pipeline.kept[ANNA, 1][1].entities[0].value == "https://b"


async def test_a_deletion_never_overtakes_what_was_written_before_it() -> None:
    box, pipeline, _ = inbox()
    pipeline.go.clear()
    written = [box.put(message("one", 1), 1), box.put(message("two", 2, BOB), 2)]
    gone = box.delete(0, [1, 2])
    written.append(box.put(message("three", 3), 3))
    pipeline.go.set()
    await asyncio.gather(*written, gone)
    assert sorted(map(str, pipeline.told[:2])) == ["one", "two"]
    assert set(pipeline.told[2:]) == {(1, 2), "three"}


async def test_a_deletion_waits_for_no_other_message() -> None:
    box, pipeline, _ = inbox()

    def refuse(found: Incoming) -> None:
        if found.chat_id == BOB:
            raise Exhausted("full", retry_after=60)

    pipeline.refuse = refuse
    box.put(message("stuck", 2, BOB), 2)
    await box.put(message("one", 1), 1)
    async with asyncio.timeout(10):
        await box.delete(0, [1])
    assert pipeline.told == ["one", (1,)]
    await box.close()


async def test_what_the_pipeline_refuses_for_good_is_buried_and_the_next_goes_on() -> None:
    box, pipeline, store = inbox()

    def refuse(found: Incoming) -> None:
        if found.text == "poison":
            raise InvalidArgument("No.")

    pipeline.refuse = refuse
    await asyncio.gather(box.put(message("poison", 1), 1), box.put(message("fine", 2), 2))
    assert pipeline.told == ["fine"]
    assert "poison" in store.letters[0].raw


async def test_a_grave_that_cannot_be_dug_now_is_dug_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk must not end the task that hands messages over: nobody would start it again."""
    monkeypatch.setattr(inbox_module, "PAUSES", (0.0,))
    box, pipeline, store = inbox()

    def refuse(found: Incoming) -> None:
        if found.text == "poison":
            raise InvalidArgument("No.")

    pipeline.refuse, store.fail = refuse, [Unavailable("The disk is full.")]
    await asyncio.wait_for(asyncio.gather(box.put(message("poison", 1), 1), box.put(message("fine", 2), 2)), 10)
    assert pipeline.told == ["fine"]
    assert len(store.letters) == 1


async def test_a_deletion_that_is_refused_for_good_is_let_go() -> None:
    box, pipeline, _ = inbox()
    pipeline.refuse_delete = InvalidArgument("No.")
    await box.delete(0, [1])


async def test_who_stops_waiting_for_a_message_does_not_disturb_its_way(caplog: pytest.LogCaptureFixture) -> None:
    box, pipeline, _ = inbox()
    pipeline.go.clear()
    waiting = asyncio.gather(box.put(message("one", 1), 1), box.put(message("two", 2), 2))
    await asyncio.sleep(0)
    waiting.cancel()
    pipeline.go.set()
    await box.put(message("three", 3), 3)
    await box.close()
    assert pipeline.told == ["one", "two", "three"]


async def test_closing_ends_what_is_on_its_way() -> None:
    box, pipeline, _ = inbox()
    pipeline.go.clear()
    done = box.put(message("one"), 1)
    await asyncio.sleep(0)
    await box.close()
    assert done.cancelled()
    assert pipeline.told == []


async def test_a_chat_that_cannot_go_on_is_told_of_and_nothing_overtakes_it_in_silence() -> None:
    box, pipeline, store = inbox()

    async def break_down(*_: object) -> None:
        raise RuntimeError("a bug")

    pipeline.submit = store.bury = break_down  # type: ignore[method-assign, assignment]
    done = box.put(message("hello"), 5)
    with pytest.raises(RuntimeError, match="a bug"):
        await box.watch()
    assert done.cancelled()


async def test_a_pipeline_that_is_full_is_asked_again_when_it_says_and_nothing_overtakes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Covers F37."""
    box, pipeline, _ = inbox()
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    full = [Exhausted("full", retry_after=7.0), Exhausted("full", retry_after=3.0), Unavailable("away")]

    def refuse(_: Incoming) -> None:
        if full:
            raise full.pop(0)

    pipeline.refuse = refuse
    sleep = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda seconds: pause(seconds) if seconds else sleep(0))
    await asyncio.gather(*(box.put(message(f"{number}", number), number) for number in (1, 2, 3)))
    assert pipeline.told == ["1", "2", "3"]
    assert pauses == [7.0, 3.0, inbox_module.PAUSES[2]]
