"""What processes use, from what their pages say now and said before."""

from collections import deque
from collections.abc import Mapping, Sequence

from services.chassis.ladder import Limits, Rung, Step, climb
from services.monitor.model import Figures, Part, Process

WINDOW = 60.0
"""Seconds over which first words are counted."""


class Processes:
    """All processes of the house, one measurement after another."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._past: dict[str, deque[tuple[float, Figures]]] = {}
        self._rungs: dict[str, Rung] = {}

    def see(self, parts: Sequence[Part], pages: Mapping[str, Figures | str], now: float) -> tuple[Process, ...]:
        """What each process uses; `pages` as they were read at `now`."""
        inside = residents(parts)
        for memory in (self._past, self._rungs):
            for gone in memory.keys() - inside.keys():
                del memory[gone]
        return tuple(self._process(address, names, pages[address], now) for address, names in inside.items())

    def _process(self, address: str, names: tuple[str, ...], page: Figures | str, now: float) -> Process:
        if isinstance(page, str):
            return Process(address, names, trouble=page)
        past = self._past.setdefault(address, deque())
        if past and _younger(page, past[-1][1]):
            past.clear()
            self._rungs.pop(address, None)
        past.append((now, page))
        while len(past) > 2 and past[1][0] <= now - WINDOW:
            past.popleft()
        texts = (page.texts or 0) - (past[0][1].texts or 0)
        seconds = page.text_seconds - past[0][1].text_seconds
        step = self._step(address, page.resident, now)
        return Process(address, names, page, cpu=_cpu(past), texts=texts, text_seconds=seconds, step=step)

    def _step(self, address: str, resident: int | None, now: float) -> Step | None:
        if resident is None:
            return None
        self._rungs[address] = climb(self._rungs.get(address, Rung()), resident, self._limits, now)
        return self._rungs[address].step


def residents(parts: Sequence[Part]) -> dict[str, tuple[str, ...]]:
    """The services in each process, by the address of its metrics page."""
    inside: dict[str, tuple[str, ...]] = {}
    for part in parts:
        for replica in part.replicas:
            if replica.metrics:
                inside[replica.metrics] = (*inside.get(replica.metrics, ()), part.name)
    return inside


def first_text(processes: Sequence[Process]) -> float | None:
    """Seconds until people saw a first word, on average over the last minute; None where nobody waited for one."""
    texts = sum(process.texts for process in processes)
    return sum(process.text_seconds for process in processes) / texts if texts else None


def _younger(page: Figures, before: Figures) -> bool:
    """Another process has taken the address: its counters began anew."""
    return (page.cpu_seconds or 0.0) < (before.cpu_seconds or 0.0) or (page.texts or 0) < (before.texts or 0)


def _cpu(past: Sequence[tuple[float, Figures]]) -> float | None:
    if len(past) < 2:
        return None
    (then, before), (now, page) = past[-2], past[-1]
    if page.cpu_seconds is None or before.cpu_seconds is None or now <= then:
        return None
    return (page.cpu_seconds - before.cpu_seconds) / (now - then)
