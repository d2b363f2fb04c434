"""What was measured in the last 24 hours."""

from services.monitor.history import MINUTES, History, Point
from services.monitor.model import Check, Figures, Health, Memory, Process, Queue, Seen

ROOM = Memory(1, 1)


def _add(history: History, time: float, score: int, waiting: float | None = None, *sizes: int) -> None:
    queue = None if waiting is None else Queue(oldest_waiting=waiting, dead=1)
    processes = tuple(Process(str(size), (), Figures(resident=size)) for size in sizes)
    health = Health(score, (Check("agent", score, ""),), time)
    history.add(Seen((), ROOM, queue, processes=processes), health)


def test_a_minute_is_as_bad_as_its_worst_moment() -> None:
    history = History()
    _add(history, 6_000.0, 100, 0.0, 7, 5)
    _add(history, 6_030.0, 40, 80.0, 9)
    _add(history, 6_059.9, 100, None)
    _add(history, 6_060.0, 90)
    assert history.points == (
        Point(6_000.0, 40, {"agent": 40}, 80.0, 12, 1),
        Point(6_060.0, 90, {"agent": 90}, None, None, None),
    )


def test_it_holds_a_day_and_no_more() -> None:
    history = History()
    for minute in range(MINUTES + 100):
        _add(history, minute * 60.0, 100)
    assert len(history.points) == MINUTES == 1_440
    assert (history.points[0].time, history.points[-1].time) == (100 * 60.0, (MINUTES + 99) * 60.0)
