"""Where pushed updates go."""

from collections import OrderedDict
from typing import Any

from services.chassis import logs
from services.telegram.adapters import translate
from services.telegram.adapters.store import SqlStore
from services.telegram.receive import Receiver
from services.telegram.stop import Stopper

log = logs.get()

PEERS = 10_000
"""Peers whose keys are known to be in the table."""


class Intake:
    """Translates pushes for the receiver. Until there is one they are dropped: the difference brings them."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self._known: OrderedDict[int, int] = OrderedDict()
        self._receiver: Receiver | None = None
        self._stopper: Stopper | None = None

    def open(self, receiver: Receiver, stopper: Stopper) -> None:
        """From now on updates go to this receiver, and stops to this stopper."""
        self._receiver, self._stopper = receiver, stopper

    async def updates(self, updates: Any) -> None:
        """Take what Telegram pushed."""
        if self._receiver is None or self._stopper is None:
            return
        try:
            push, people = translate.push(updates)
            await self._know(people.access_hashes())
            for stop in push.stops:
                self._stopper.take(stop)
            await self._receiver.push(push)
        except Exception:  # whatever is wrong with one push, the difference brings its content
            log.exception("push_broke")
            self._receiver.lose()

    def lose(self) -> None:
        """The connection was lost."""
        if self._receiver is not None:
            self._receiver.lose()

    async def _know(self, hashes: dict[int, int]) -> None:
        new = {number: value for number, value in hashes.items() if self._known.get(number) != value}
        if not new:
            return
        await self._store.know(new)
        self._known.update(new)
        while len(self._known) > PEERS:
            self._known.popitem(last=False)
