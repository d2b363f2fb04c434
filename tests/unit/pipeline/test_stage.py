"""What people see while a turn runs, over time."""

import asyncio
import itertools
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.errors import Unavailable
from services.pipeline import stage
from services.pipeline.model import ChatType, Draft, Preview, Turn, Typing
from services.pipeline.orchestrate import REACTIONS
from services.pipeline.ports import Parts, Renderer
from services.pipeline.stage import Cue, Scene, Stage, cue
from tests.unit.pipeline.messages import turn

Shown = list[tuple[float, Cue]]


def play(*, private: bool, texts: dict[float, str], end: float) -> Shown:
    """Everything a turn shows that ends at `end`, whose text grows at the times given."""
    scene, shown = Scene(private=private), []
    for tick in range(1, round(end / stage.TICK)):
        now = tick * stage.TICK
        scene.text = max((at, text) for at, text in {-1.0: "", **texts}.items() if at <= now)[1]
        while (due := cue(scene, now)) is not None:
            shown.append((now, due))
            if due is Cue.SEEN:
                scene.seen = True
            elif due is Cue.TYPING:
                scene.typing_at = now
            else:
                scene.shown_at, scene.shown_text = now, scene.text
    return shown


def times(shown: Shown, *cues: Cue) -> list[float]:
    return [at for at, due in shown if due in cues]


@pytest.mark.parametrize("private", [True, False])
def test_a_quick_answer_shows_nothing(*, private: bool) -> None:
    assert play(private=private, texts={0.1: "quick"}, end=0.3) == []


def test_who_has_to_wait_sees_typing_again_and_again_and_one_sign() -> None:
    shown = play(private=True, texts={}, end=10)
    assert times(shown, Cue.TYPING) == pytest.approx([0.3, 4.3, 8.3])
    assert times(shown, Cue.SEEN) == pytest.approx([1.0])


def test_in_private_a_growing_text_is_drafted_once_a_second() -> None:
    shown = play(private=True, texts={at / 10: "x" * at for at in range(2, 100)}, end=10)
    drafts = times(shown, Cue.DRAFT)
    assert drafts[0] == pytest.approx(0.5)
    assert len(drafts) == 10
    assert times(shown, Cue.MESSAGE, Cue.EDIT) == []
    assert max(times(shown, Cue.TYPING), default=0) < 0.5


def test_a_draft_that_does_not_grow_is_kept_alive() -> None:
    shown = play(private=True, texts={0.1: "thinking about it"}, end=60)
    assert times(shown, Cue.DRAFT) == pytest.approx([0.5, 25.5, 50.5])


def test_in_a_group_there_is_one_message_and_edits_every_three_seconds() -> None:
    shown = play(private=False, texts={at / 10: "x" * at for at in range(2, 200)}, end=20)
    assert times(shown, Cue.MESSAGE) == pytest.approx([3.0])
    assert times(shown, Cue.EDIT) == pytest.approx([6.0, 9.0, 12.0, 15.0, 18.0])
    assert times(shown, Cue.DRAFT) == []
    assert max(times(shown, Cue.TYPING)) < 3.0


def test_in_a_group_a_text_that_does_not_grow_is_not_edited() -> None:
    """F109."""
    shown = play(private=False, texts={0.1: "thinking"}, end=60)
    assert times(shown, Cue.MESSAGE, Cue.EDIT) == pytest.approx([3.0])


growth = st.dictionaries(st.floats(0, 30).map(lambda at: round(at, 1)), st.text("ab", max_size=3), max_size=40)


@given(st.booleans(), growth, st.floats(0.1, 60))
def test_the_pace_of_frames_holds_however_the_text_comes(private: bool, texts: dict[float, str], end: float) -> None:
    shown = play(private=private, texts=texts, end=end)
    for cues, pause in [
        ((Cue.DRAFT,), stage.DRAFT_AGAIN),
        ((Cue.MESSAGE, Cue.EDIT), stage.MESSAGE_AGAIN),
        ((Cue.TYPING,), stage.TYPING_AGAIN),
    ]:
        found = times(shown, *cues)
        assert all(later - earlier >= pause - 1e-6 for earlier, later in pairwise(found))
    assert len(times(shown, Cue.SEEN)) <= 1
    assert len(times(shown, Cue.MESSAGE)) <= 1
    assert private or not times(shown, Cue.DRAFT)
    assert not private or not times(shown, Cue.MESSAGE, Cue.EDIT)


def test_the_sign_is_one_that_telegram_knows() -> None:
    """F94."""
    assert stage.SEEN in REACTIONS
    assert all(len(emoji) == 1 or "\u200d" in emoji for emoji in REACTIONS)


@dataclass
class Watcher:
    """The audience and the store at once: everything that was shown, by whom."""

    shown: list[tuple[str, Any]] = field(default_factory=list)
    fail: bool = False
    wait: asyncio.Event | None = None

    def show(self, event: Preview | Typing) -> None:
        self.shown.append((type(event).__name__, getattr(event, "text", "")))

    async def react(self, _turn: Turn, emoji: str, **_: bool) -> None:
        if self.fail:
            raise Unavailable("The disk is full.")
        self.shown.append(("reaction", emoji))

    async def add_preview(self, _turn: Turn, draft: Draft) -> None:
        self.shown.append(("message", draft.text))

    async def preview_id(self, _turn: Turn) -> int:
        if self.wait is not None:
            await self.wait.wait()
        return 77

    def glimpse(self, markdown: str) -> Draft:
        if markdown == "broken":
            raise ValueError(markdown)
        return Draft(markdown)


class Theatre:
    """A stage with a watcher and a clock that the test turns."""

    def __init__(self) -> None:
        self.now, self.watcher = 0.0, Watcher()
        self.stage = Stage(
            self.watcher, cast("Parts", self.watcher), cast("Renderer", self.watcher), clock=lambda: self.now
        )

    async def at(self, now: float) -> list[tuple[str, Any]]:
        """What is newly shown at a time."""
        self.now, self.watcher.shown[:] = now, []
        playing = asyncio.create_task(self.stage.play())
        for _ in range(20):
            await asyncio.sleep(0)
        playing.cancel()
        return list(self.watcher.shown)


@pytest.fixture
def theatre(monkeypatch: pytest.MonkeyPatch) -> Theatre:
    monkeypatch.setattr(stage, "TICK", 0)
    return Theatre()


async def test_a_turn_is_shown_from_its_opening_to_its_close(theatre: Theatre) -> None:
    one = turn(chat=ChatType.SUPERGROUP)
    theatre.stage.open(one)
    assert await theatre.at(0.2) == []
    assert await theatre.at(0.5) == [("Typing", "")]
    theatre.stage.say(one, "so far")
    assert await theatre.at(3.1) == [("reaction", stage.SEEN), ("message", "so far")]
    theatre.stage.say(one, "so far, so good")
    assert await theatre.at(6.2) == [("Preview", "so far, so good")]
    theatre.stage.close(one)
    theatre.stage.close(one)
    assert await theatre.at(100.0) == []


async def test_nothing_is_shown_of_a_turn_that_closes_while_its_frame_is_made(theatre: Theatre) -> None:
    """F16."""
    one = turn(chat=ChatType.SUPERGROUP)
    theatre.stage.open(one)
    theatre.stage.say(one, "so far")
    await theatre.at(3.1)
    theatre.watcher.wait = asyncio.Event()
    theatre.stage.say(one, "so far, so good")
    theatre.now = 6.2
    playing = asyncio.create_task(theatre.stage.play())
    await asyncio.sleep(0.01)
    theatre.watcher.shown.clear()
    theatre.stage.close(one)
    theatre.watcher.wait.set()
    await asyncio.sleep(0.01)
    playing.cancel()
    assert theatre.watcher.shown == []


async def test_the_end_of_an_old_run_leaves_the_scene_of_the_new_one_alone(theatre: Theatre) -> None:
    """F38."""
    old, new = turn(fence=1), turn(fence=2)
    theatre.stage.open(old)
    theatre.stage.open(new)
    theatre.stage.say(old, "the old text")
    theatre.stage.say(new, "the new text")
    theatre.stage.close(old)
    theatre.stage.say(new, "the newer text")
    assert ("Preview", "the newer text") in await theatre.at(0.6)


async def test_a_frame_that_breaks_does_not_stop_the_others(theatre: Theatre) -> None:
    for number, text in enumerate(["broken", "whole"], start=1):
        one = turn(number)
        theatre.stage.open(one)
        theatre.stage.say(one, text)
    assert await theatre.at(0.6) == [("Preview", "whole")]
    theatre.watcher.fail = True
    assert await theatre.at(2.0) == []
    theatre.watcher.fail = False
    assert ("Preview", "whole") not in await theatre.at(2.1)


async def test_a_full_house_is_shown_in_turns_and_no_faster_than_telegram_likes(theatre: Theatre) -> None:
    turns = [turn(number) for number in range(1, 3 * stage.FRAMES + 1)]
    for one in turns:
        theatre.stage.open(one)
        theatre.stage.say(one, f"text {one.turn_id}")
    theatre.now = 0.6
    shown = [[one.turn_id for one, *_ in theatre.stage._due()] for _ in range(6)]
    assert [len(tick) for tick in shown] == [stage.FRAMES] * 6
    assert sorted(itertools.chain(*shown[:3])) == [one.turn_id for one in turns]
    assert shown[3:] == shown[:3]
