"""The health score, a pure function of what was seen.

    score = 100 - sum of cost x (1 - wellness), and never below 0

Each part has a wellness from 0 (broken) to 1 (well) and a cost, the points that are gone when it is broken:

    part              cost   well (1)                 broken (0)
    telegram, agent,
    pipeline            60   all replicas well        none of them, or no replica is found
    people              40   all replicas well        none: strangers and members alike wait
    other services      20   all replicas well        none
    waiting             40   oldest claimable turn    60 s or more, or the pipeline does not say
                             waits 2 s at most
    dead letters        20   none                     10 or more
    memory              20   20 % is available        5 % or less, of this machine or container
    resources           20   each process is below    one process is at the emergency, or no process
                             the memory limit         says what it uses

Between well and broken a part falls in a straight line; for a service it is the share of replicas that are well: that
take calls, or stand by while another does. So a house without Telegram, or one that cannot think, is below 50 whatever
else is well, and one dead letter is seen (98) before it hurts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.chassis.ladder import MB, Limits, Step
from services.monitor.model import Check, Health, Memory, Part, Process, Queue, Seen

VITAL = dict.fromkeys(("telegram", "agent", "pipeline"), 60) | {"people": 40}
OTHER, WAITING, DEAD, MEMORY, RESOURCES = 20, 40, 20, 20, 20

TARGET, MINIMUM = 97, 85
"""Where the score ought to be, and below what somebody is told."""

STEPS = {Step.CLEAN: "clean up", Step.SHED: "take no new work", Step.RESTART: "be restarted"}


@dataclass(frozen=True)
class Line:
    """One line of the table above."""

    name: str
    cost: int
    wellness: float
    detail: str

    @property
    def check(self) -> Check:
        """As people are shown it."""
        return Check(self.name, round(100 * self.wellness), self.detail)


def judge(seen: Seen, now: float, limits: Limits) -> Health:
    """The score of what was seen, with its parts; `limits` of each process."""
    lines = [*map(_service, seen.parts), _memory(seen.memory)]
    if seen.processes:
        lines.append(_resources(seen.processes, limits))
    if seen.asked:
        lines += [_waiting(seen.queue), _dead(seen.queue)]
    lost = sum(line.cost * (1 - line.wellness) for line in lines)
    return Health(max(0, round(100 - lost)), tuple(line.check for line in lines), now)


def _service(part: Part) -> Line:
    return Line(part.name, VITAL.get(part.name, OTHER), part.wellness, _words(part))


def _words(part: Part) -> str:
    if not part.replicas:
        return f"{part.name} has no address."
    troubles = [replica.trouble for replica in part.replicas if replica.trouble]
    if not part.served and any(replica.standby for replica in part.replicas):
        troubles.insert(0, f"{part.name} lives, and nobody is at work.")
    number = len(part.replicas)
    if troubles:
        return " ".join(troubles if number == 1 else [f"{len(part.well)} of {number} replicas are well.", *troubles])
    return f"{part.name} takes calls." if number == 1 else f"{part.name} takes calls: {number} replicas."


def _waiting(queue: Queue | None) -> Line:
    if queue is None:
        return Line("waiting", WAITING, 0.0, "The pipeline does not say what waits.")
    detail = (
        f"{queue.waiting} turns wait, the oldest for {queue.oldest_waiting:.1f} s; {queue.running} run;"
        f" {queue.undelivered} parts are not delivered."
    )
    return Line("waiting", WAITING, _falling(queue.oldest_waiting, well=2.0, broken=60.0), detail)


def _dead(queue: Queue | None) -> Line:
    if queue is None:
        return Line("dead letters", DEAD, 0.0, "The pipeline does not say how many turns are dead.")
    return Line("dead letters", DEAD, _falling(queue.dead, well=0, broken=10), f"{queue.dead} turns are dead letters.")


def _memory(memory: Memory) -> Line:
    share = memory.available / memory.total if memory.total else 0.0
    detail = f"{memory.available >> 20} of {memory.total >> 20} MB available."
    return Line("memory", MEMORY, 1 - _falling(share, well=0.05, broken=0.20), detail)


def _resources(processes: Sequence[Process], limits: Limits) -> Line:
    known = [(each, each.figures.resident) for each in processes if each.figures.resident is not None]
    if not known:
        return Line("resources", RESOURCES, 0.0, "No process says what it uses.")
    largest = max(size for _, size in known)
    words = [f"The largest of {len(known)} processes holds {largest // MB} MB; the limit is {limits.memory // MB} MB."]
    words += [f"{_name(each)} is to {STEPS[each.step]}: {size // MB} MB." for each, size in known if each.step in STEPS]
    words += [f"{_name(each)}: {each.trouble}." for each in processes if each.trouble]
    return Line("resources", RESOURCES, _falling(largest, well=limits.memory, broken=limits.emergency), " ".join(words))


def _name(process: Process) -> str:
    return f"{', '.join(process.names)} at {process.address}"


def _falling(value: float, *, well: float, broken: float) -> float:
    """1 up to `well`, 0 from `broken` on, a straight line between."""
    return min(1.0, max(0.0, (broken - value) / (broken - well)))
