"""Messages that join a running turn instead of waiting for their own, and a question that changes while tools act.

Whatever joins has a waiting turn of its own until the running one commits that it covers it. So a crash at any moment
leaves exactly one of the two: answered by the running turn, or waiting.
"""

import asyncio
from collections.abc import AsyncIterator, Container, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager

from services.chassis import logs
from services.chassis.errors import ValorError
from services.pipeline import router
from services.pipeline.model import Checkpoint, Role, Steer, Turn
from services.pipeline.ports import Run, Steers

log = logs.get()


def steers(running: Turn, found: Sequence[Turn], *, more: bool = True, known: Container[int] = ()) -> Iterator[Steer]:
    """What the running turn is told, of the turns behind it and of itself: up to the first that has to wait.

    Without `more` it is told of itself and of the turns that it knows alone: their questions have changed.
    """
    for turn in found:
        if turn.turn_id == running.turn_id:
            yield _steer(turn, turn.message.text, rewords=True)
            continue
        route = router.route(turn.message)
        joins = more or turn.turn_id in known
        if not joins or not isinstance(route, router.Ask) or not _may_join(running, turn):
            return
        yield _steer(turn, route.text, rewords=False)


def _may_join(running: Turn, turn: Turn) -> bool:
    """Only whoever asked, for a turn acts with the rights of its person; and only what somebody wrote."""
    known = turn.role is not Role.UNKNOWN and turn.person_id == running.person_id
    return known and not turn.message.promise_id


def _steer(turn: Turn, text: str, *, rewords: bool) -> Steer:
    return Steer(turn.turn_id, turn.message.version, turn.message.sender.name, text, turn.message.send_time, rewords)


def _turns(steer_ids: Iterable[str]) -> set[int]:
    return {Steer.parse(steer_id)[0] for steer_id in steer_ids}


class Feed:
    """Tells one run what joins it, each thing once."""

    def __init__(self, store: Steers, turn: Turn, run: Run) -> None:
        self._store, self._turn, self._run = store, turn, run
        self._sent: set[str] = set()
        self.told: tuple[str, ...] = ()
        """What earlier attempts were told and the answer has to fit, in its last wording."""
        self._sending, self._more = asyncio.Lock(), True
        self.wake = asyncio.Event()

    @property
    def has_joined(self) -> bool:
        """The run was told of something that somebody wrote since it began."""
        return bool(self.told or self._sent)

    def enough(self) -> None:
        """Nothing joins any more: the run needs what is left of its steps for what it was told."""
        self._more = False

    async def catch_up(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Tell a run that goes on from checkpoints what has joined or changed since.

        What has changed so that it cannot join any more is answered by a turn of its own, whatever was thought of it.
        """
        told = [steer_id for checkpoint in checkpoints for steer_id in checkpoint.steer_ids]
        changed = await self._store.changed(told)
        self.told = tuple(told)
        await self.send()
        alone = changed - _turns(self._sent)
        self.told = tuple(steer_id for steer_id in told if Steer.parse(steer_id)[0] not in alone)

    async def send(self) -> None:
        """Tell the run what has joined since."""
        async with self._sending:
            known = _turns((*self.told, *self._sent))
            found = await self._store.joining(self._turn)
            for steer in steers(self._turn, found, more=self._more, known=known):
                if steer.steer_id not in self._sent:
                    await self._run.steer(steer)
                    self._sent.add(steer.steer_id)

    async def follow(self) -> None:
        """Send whenever something happens in the lane, until cancelled."""
        while True:
            await self.wake.wait()
            self.wake.clear()
            try:
                await self.send()
            except ValorError as error:  # it waits as its own turn; what broke the run, its reader is told
                log.warning("steer_failed", reason=error.reason)


class Steering:
    """The feeds of all running turns."""

    def __init__(self, store: Steers) -> None:
        self._store = store
        self._feeds: dict[str, Feed] = {}

    def look_at(self, lane: str) -> None:
        """Something happened in a lane."""
        feed = self._feeds.get(lane)
        if feed is not None:
            feed.wake.set()

    @asynccontextmanager
    async def feed(self, turn: Turn, run: Run) -> AsyncIterator[Feed]:
        """Feed a run until the block ends."""
        feed = self._feeds[turn.message.lane] = Feed(self._store, turn, run)
        following = asyncio.create_task(feed.follow())
        try:
            yield feed
        finally:
            following.cancel()
            if self._feeds.get(turn.message.lane) is feed:
                del self._feeds[turn.message.lane]
