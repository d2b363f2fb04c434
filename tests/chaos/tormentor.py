"""Makes things fail at random moments: processes, networks, the disk, Telegram."""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from services.testdc.faults import error, flood
from tests.chaos.house import House
from tests.chaos.links import STORES
from tests.support.wire import Wire

VICTIMS = ("people", "toolrunner", "agent", "pipeline", "telegram", "monitor")
MODES = ("returns_first", "duplicate", "forgotten")
"""What Telegram may make of a repeated random id."""
SEND = "messages.sendMessage"


@dataclass
class Tormentor:
    """Torments a house whose processes are our children."""

    house: House
    chance: random.Random
    done: Counter[str] = field(default_factory=Counter)
    """How often each thing happened."""
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def kills(self) -> int:
        """Processes killed so far."""
        return self.done["kill"]

    def possible(self, faults: Iterable[str]) -> tuple[str, ...]:
        """Those of the faults that this house can suffer: a service has a disk, or there is a server."""
        alien = "restart postgres" if self.house.server is None else "fill"
        return tuple(name for name in faults if name != alien)

    async def torment(self, pause: float, faults: tuple[str, ...]) -> None:
        """One fault after another, every `pause` seconds on average, until cancelled; what began comes to its end."""
        try:
            while True:
                await asyncio.sleep(self.chance.uniform(0.3, 1.7) * pause)
                name = self.chance.choice(faults)
                task = asyncio.create_task(self._do(name), name=name)
                self._running.add(task)
                task.add_done_callback(self._running.discard)
        finally:
            await asyncio.gather(*self._running, return_exceptions=True)
            await self._calm()

    async def _do(self, name: str) -> None:
        with suppress(psutil.NoSuchProcess):  # it was killed meanwhile
            await FAULTS[name](self)
            self.done[name] += 1

    async def _calm(self) -> None:
        await self.house.sandbox.clear_faults()
        await self.house.sandbox.thaw()
        await self.house.sandbox.accept()

    def _process(self, names: tuple[str, ...]) -> psutil.Process:
        """A running process of one of these services; psutil.NoSuchProcess where it is down."""
        name = self.chance.choice(names)
        children = psutil.Process(os.getpid()).children()
        found = [process for process in children if process.cmdline()[-1:] == [f"services.{name}"]]
        if not found:
            raise psutil.NoSuchProcess(0, name)
        return self.chance.choice(found)

    async def kill(self) -> None:
        """The process is gone at once."""
        self._process(VICTIMS).kill()

    async def stop(self) -> None:
        """The process is told to end, and is started again."""
        self._process(VICTIMS).terminate()

    async def pause(self) -> None:
        """The process does nothing for a while and then goes on as if nothing had been."""
        process = self._process(VICTIMS)
        process.suspend()
        await asyncio.sleep(self.chance.uniform(0.5, 12))
        process.send_signal(signal.SIGCONT)

    async def cut(self) -> None:
        """A network breaks."""
        await self._link().sever(self.chance.uniform(0, 4))

    async def hold(self) -> None:
        """A network falls silent."""
        await self._link().hold(self.chance.uniform(0.5, 5))

    def _link(self) -> Wire:
        return self.house.links[self.chance.choice(sorted(self.house.links))]

    async def fill(self) -> None:
        """The disk of a service is full: no file of it can grow."""
        process = self._process(STORES)
        process.rlimit(psutil.RLIMIT_FSIZE, (0, psutil.RLIM_INFINITY))
        await asyncio.sleep(self.chance.uniform(0.5, 4))
        process.rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))

    async def restart_postgres(self) -> None:
        """The database's server is killed and comes back."""
        if self.house.server is not None:
            await self.house.server.restart()

    async def telegram_breaks(self) -> None:
        """Telegram's connections end, by reset or politely, or are refused for a while."""
        sandbox, seconds = self.house.sandbox, self.chance.uniform(0, 4)
        if self.chance.random() < 0.5:
            await sandbox.refuse()
        await sandbox.kill_connections(self.house.cast.bot, reset=self.chance.random() < 0.5)
        await asyncio.sleep(seconds)
        await sandbox.accept()

    async def telegram_freezes(self) -> None:
        """Telegram's connections fall silent."""
        await self.house.sandbox.freeze(self.house.cast.bot)
        await asyncio.sleep(self.chance.uniform(0.5, 5))
        await self.house.sandbox.thaw()

    async def telegram_floods(self) -> None:
        """Telegram wants a pause, or fails, or does it without saying so."""
        fault = self.chance.choice([flood(1), flood(3), error(500, "INTERNAL"), error(-503, "Timeout")])
        await self.house.sandbox.fault(SEND, fault, times=self.chance.randint(1, 4))

    async def telegram_pushes(self) -> None:
        """Pushes are lost, doubled, or come in another order."""
        sandbox = self.house.sandbox
        match self.chance.choice(("drop", "double", "reorder", "too long")):
            case "drop":
                await sandbox.drop_pushes(self.chance.randint(1, 5))
            case "double":
                await sandbox.duplicate_pushes(on=True)
                await asyncio.sleep(self.chance.uniform(0.5, 3))
                await sandbox.duplicate_pushes(on=False)
            case "reorder":
                await sandbox.hold_pushes()
                await asyncio.sleep(self.chance.uniform(0.2, 2))
                await sandbox.release_pushes(reverse=True)
            case _:
                await sandbox.push_too_long(self.house.cast.bot)

    async def switch(self) -> None:
        """Telegram remembers random ids in another way."""
        await self.house.sandbox.limits(random_ids=self.chance.choice(MODES))


FAULTS: dict[str, Callable[[Tormentor], Awaitable[None]]] = {
    "kill": Tormentor.kill,
    "stop": Tormentor.stop,
    "pause": Tormentor.pause,
    "cut": Tormentor.cut,
    "hold": Tormentor.hold,
    "fill": Tormentor.fill,
    "restart postgres": Tormentor.restart_postgres,
    "telegram breaks": Tormentor.telegram_breaks,
    "telegram freezes": Tormentor.telegram_freezes,
    "telegram floods": Tormentor.telegram_floods,
    "telegram pushes": Tormentor.telegram_pushes,
    "switch": Tormentor.switch,
}
OTHERS = tuple(name for name in FAULTS if name != "kill")
