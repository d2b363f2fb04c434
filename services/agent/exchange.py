"""Both directions of a turn's stream without the wire: events go out, acknowledgements and results come in."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from services.agent.deltas import Deltas
from services.agent.model import Call, Event, HostCall, Result, Steer, Step, ToolFinished, ToolStarted
from services.chassis.errors import InvalidArgument


class Exchange:
    """The `ports.Host` of a turn whose caller reads `events` and answers them."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._deltas = Deltas(self._put, asyncio.get_running_loop())
        self._changed = asyncio.Event()
        self._closed = False
        self._steers: list[Steer] = []
        self._acks: dict[int, asyncio.Future[str]] = {}
        self._results: dict[tuple[int, int], asyncio.Future[str]] = {}

    def say(self, text: str) -> None:
        """More text of the answer."""
        self._deltas.add(text)

    def restart(self) -> None:
        """What was said so far is not the answer."""
        self._deltas.restart()

    def steers(self) -> list[Steer]:
        """What was said meanwhile, and was not taken before."""
        taken, self._steers = self._steers, []
        return taken

    async def store(self, step: Step) -> None:
        """Send a step and wait for its Ack."""
        waiting: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._acks[step.step] = waiting
        self.send(step)
        await waiting

    async def ask(self, step: int, call: Call) -> str:
        """Send a host call and wait for its result."""
        waiting: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._results[step, call.index] = waiting
        self.send(HostCall(step, call.index, call.name, call.arguments or "{}"))
        return await waiting

    def started(self, step: int, call: Call) -> None:
        """A tool call begins."""
        self.send(ToolStarted(step, call.index, call.name))

    def finished(self, step: int, call: Call, result: Result) -> None:
        """A tool call is over."""
        self.send(ToolFinished(step, call.index, result.failed))

    def steer(self, steer: Steer) -> None:
        """The caller has more to say."""
        self._steers.append(steer)

    def acknowledge(self, step: int) -> None:
        """The caller has stored a step.

        Raises:
            InvalidArgument: No step waits under this number.
        """
        _settle(self._acks.pop(step, None), "", "ack.step")

    def answer(self, step: int, index: int, content: str) -> None:
        """The caller has served a host call.

        Raises:
            InvalidArgument: No host call waits under this step and index.
        """
        _settle(self._results.pop((step, index), None), content, "host_result.index")

    def send(self, event: Event) -> None:
        """Send an event; the text before it goes first."""
        self._deltas.flush()
        self._put(event)

    def close(self) -> None:
        """Nothing follows."""
        self._deltas.flush()
        self._closed = True
        self._changed.set()

    async def events(self) -> AsyncIterator[Event]:
        """Everything that is sent, until it is closed."""
        while self._events or not self._closed:
            if self._events:
                yield self._events.popleft()
            else:
                self._changed.clear()
                await self._changed.wait()

    def _put(self, event: Event) -> None:
        self._events.append(event)
        self._changed.set()


def _settle(waiting: "asyncio.Future[str] | None", value: str, field: str) -> None:
    if waiting is None:
        raise InvalidArgument(f"{field} names nothing that waits for an answer.", field=field)
    if not waiting.done():
        waiting.set_result(value)
