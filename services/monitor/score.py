"""The health score, a pure function of what was seen.

    score = 100 - sum of cost x (1 - wellness), and never below 0

Each part has a wellness from 0 (broken) to 1 (well) and a cost, the points that are gone when it is broken:

    part              cost   well (1)                 broken (0)
    telegram, agent,
    pipeline            60   takes calls              anything else
    people              40   takes calls              anything else: strangers and members alike wait
    other services      20   takes calls              anything else
    waiting             40   oldest claimable turn    60 s or more, or the pipeline does not say
                             waits 2 s at most
    dead letters        20   none                     10 or more
    memory              20   20 % is available        5 % or less

Between well and broken a part falls in a straight line. So a house without Telegram, or one that cannot think, is below
50 whatever else is well, and one dead letter is seen (98) before it hurts.
"""

from dataclasses import dataclass

from services.monitor.model import Check, Health, Memory, Probe, Queue, Seen

VITAL = dict.fromkeys(("telegram", "agent", "pipeline"), 60) | {"people": 40}
OTHER, WAITING, DEAD, MEMORY = 20, 40, 20, 20


@dataclass(frozen=True)
class Part:
    """One line of the table above."""

    name: str
    cost: int
    wellness: float
    detail: str

    @property
    def check(self) -> Check:
        """As people are shown it."""
        return Check(self.name, round(100 * self.wellness), self.detail)


def judge(seen: Seen, now: float) -> Health:
    """The score of what was seen, with its parts."""
    parts = [*map(_service, seen.probes), _memory(seen.memory)]
    if seen.asked:
        parts += [_waiting(seen.queue), _dead(seen.queue)]
    lost = sum(part.cost * (1 - part.wellness) for part in parts)
    return Health(max(0, round(100 - lost)), tuple(part.check for part in parts), now)


def _service(probe: Probe) -> Part:
    detail = probe.trouble or f"{probe.name} takes calls."
    return Part(probe.name, VITAL.get(probe.name, OTHER), 0.0 if probe.trouble else 1.0, detail)


def _waiting(queue: Queue | None) -> Part:
    if queue is None:
        return Part("waiting", WAITING, 0.0, "The pipeline does not say what waits.")
    detail = (
        f"{queue.waiting} turns wait, the oldest for {queue.oldest_waiting:.1f} s; {queue.running} run;"
        f" {queue.undelivered} parts are not delivered."
    )
    return Part("waiting", WAITING, _falling(queue.oldest_waiting, well=2.0, broken=60.0), detail)


def _dead(queue: Queue | None) -> Part:
    if queue is None:
        return Part("dead letters", DEAD, 0.0, "The pipeline does not say how many turns are dead.")
    return Part("dead letters", DEAD, _falling(queue.dead, well=0, broken=10), f"{queue.dead} turns are dead letters.")


def _memory(memory: Memory) -> Part:
    share = memory.available / memory.total if memory.total else 0.0
    sizes = ", ".join(f"{name} {size >> 20} MB" for name, size in sorted(memory.resident.items()))
    detail = f"{memory.available >> 20} of {memory.total >> 20} MB available; {sizes or 'no process can be looked at'}."
    return Part("memory", MEMORY, 1 - _falling(share, well=0.05, broken=0.20), detail)


def _falling(value: float, *, well: float, broken: float) -> float:
    """1 up to `well`, 0 from `broken` on, a straight line between."""
    return min(1.0, max(0.0, (broken - value) / (broken - well)))
