"""What people see while their turn runs: typing, then the answer as it grows. Quick answers show nothing of it."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from services.chassis import logs, tracing
from services.chassis.errors import Unavailable
from services.pipeline.model import ChatType, Preview, Turn, Typing
from services.pipeline.ports import Audience, Parts, Renderer

log = logs.get()

TICK = 0.1
FRAMES = 3
"""What may be shown in one tick, over all chats: 30 a second, the pace that Telegram advises bots to keep overall
(https://core.telegram.org/bots/faq). Who was shown last waits longest."""
TYPING_AFTER = 0.3
"""Seconds. Most answers are there before; a typing sign for them would only cost."""
TYPING_AGAIN = 4.0
"""Telegram shows typing for 5 s."""
DRAFT_AFTER = 0.5
DRAFT_AGAIN = 1.0
"""One frame a second and chat: inside the pace that Telegram is reported to allow for drafts."""
DRAFT_KEEP = 25.0
"""A native draft fades after about 30 s without a frame."""
MESSAGE_AFTER = 3.0
MESSAGE_AGAIN = 3.0
"""In groups a preview is a real message, and edits share the limit of sends: 20 a minute."""
WORKING_AFTER = 1.0
"""Seconds until a reaction says that the message was seen."""
SEEN = "👀"


class Cue(Enum):
    """What is to be shown next."""

    TYPING = auto()
    DRAFT = auto()
    MESSAGE = auto()
    EDIT = auto()
    SEEN = auto()


@dataclass
class Scene:
    """What one running turn has shown so far; times in seconds since it began, -1 for never."""

    private: bool
    text: str = ""
    shown_text: str = ""
    typing_at: float = -1.0
    shown_at: float = -1.0
    seen: bool = False


def cue(scene: Scene, now: float) -> Cue | None:
    """What a scene shows at a time, if anything."""
    if not scene.seen and now >= WORKING_AFTER:
        return Cue.SEEN
    if scene.text and scene.private:
        return Cue.DRAFT if _draft_is_due(scene, now) else None
    if scene.text and now >= MESSAGE_AFTER:
        if scene.shown_at < 0:
            return Cue.MESSAGE
        return Cue.EDIT if scene.text != scene.shown_text and now >= scene.shown_at + MESSAGE_AGAIN else None
    quiet = scene.typing_at < 0 or now >= scene.typing_at + TYPING_AGAIN
    return Cue.TYPING if quiet and now >= TYPING_AFTER and scene.shown_at < 0 else None


def _draft_is_due(scene: Scene, now: float) -> bool:
    if scene.shown_at < 0:
        return now >= DRAFT_AFTER
    new = scene.text != scene.shown_text and now >= scene.shown_at + DRAFT_AGAIN
    return new or now >= scene.shown_at + DRAFT_KEEP


class Stage:
    """Plays the scenes of all running turns; one clock for all of them."""

    def __init__(
        self, audience: Audience, parts: Parts, renderer: Renderer, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._audience, self._parts, self._renderer, self._clock = audience, parts, renderer, clock
        self._scenes: dict[str, tuple[Turn, Scene, float]] = {}

    def open(self, turn: Turn) -> None:
        """A turn begins."""
        nobody_wrote = turn.promise is not None
        scene = Scene(private=turn.message.chat_type is ChatType.PRIVATE, seen=nobody_wrote)
        self._scenes[turn.run] = (turn, scene, self._clock())

    def say(self, turn: Turn, text: str) -> None:
        """The answer has grown to this text."""
        self._scenes[turn.run][1].text = text

    def close(self, turn: Turn) -> None:
        """The turn is over: nothing of it is shown any more."""
        self._scenes.pop(turn.run, None)

    async def play(self) -> None:
        """Show what is due, for ever."""
        while True:
            await asyncio.sleep(TICK)
            for turn, scene, due, now in self._due():
                try:
                    if turn.run in self._scenes:
                        await self._show(turn, scene, due, now)
                except Unavailable as error:
                    log.warning("frame_dropped", turn_id=str(turn.turn_id), cause=error.message)
                except Exception:  # the worker loop: a frame that breaks must not take all others with it
                    log.exception("frame_broke", turn_id=str(turn.turn_id))

    def _due(self) -> list[tuple[Turn, Scene, Cue, float]]:
        """What this tick shows, at most one cue a turn; its turns go to the end of the queue."""
        clock, due = self._clock(), list[tuple[Turn, Scene, Cue, float]]()
        for turn, scene, start in self._scenes.values():
            found = cue(scene, clock - start)
            if found is not None:
                due.append((turn, scene, found, clock - start))
                if len(due) == FRAMES:
                    break
        for turn, *_ in due:
            self._scenes[turn.run] = self._scenes.pop(turn.run)
        return due

    async def _show(self, turn: Turn, scene: Scene, due: Cue, now: float) -> None:
        message = turn.message
        if due is Cue.SEEN:
            scene.seen = True
            with tracing.span("seen", turn.trace):
                await self._parts.react(turn, SEEN, by_agent=False)
        elif due is Cue.TYPING:
            scene.typing_at = now
            self._audience.show(Typing(turn.turn_id, message.account, message.address))
        else:
            scene.shown_at, scene.shown_text = now, scene.text
            await self._show_text(turn, scene, due)

    async def _show_text(self, turn: Turn, scene: Scene, due: Cue) -> None:
        glimpse = self._renderer.glimpse(scene.text)
        if due is Cue.MESSAGE:
            with tracing.span("preview", turn.trace):
                await self._parts.add_preview(turn, glimpse)
            return
        target = await self._parts.preview_id(turn) if due is Cue.EDIT else 0
        if (due is Cue.DRAFT or target) and turn.run in self._scenes:
            message = turn.message
            self._audience.show(Preview(turn.turn_id, message.account, message.address, glimpse.text, target))
