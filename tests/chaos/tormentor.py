"""Kills services, one after another, at random moments."""

import asyncio
import random
from dataclasses import dataclass, field

import psutil

VICTIMS = ("people", "toolrunner", "agent", "pipeline", "telegram", "monitor")


@dataclass
class Tormentor:
    """Sends SIGKILL to processes of the house that `house` is the parent of."""

    house: int
    chance: random.Random
    kills: dict[str, int] = field(default_factory=lambda: dict.fromkeys(VICTIMS, 0))

    @property
    def count(self) -> int:
        """Kills so far."""
        return sum(self.kills.values())

    async def torment(self, pause: float) -> None:
        """Kill for ever, every `pause` seconds on average."""
        while True:
            await asyncio.sleep(self.chance.uniform(0.3, 1.7) * pause)
            self.kill(self.chance.choice(VICTIMS))

    def kill(self, victim: str) -> None:
        """Kill one service, if it runs; one that is down already does not count."""
        for process in psutil.Process(self.house).children():
            if process.cmdline()[-1:] == [f"services.{victim}"]:
                process.kill()
                self.kills[victim] += 1
