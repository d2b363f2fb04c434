"""What alerts are about, case by case."""

import pytest

from services.chassis.ladder import MB, Limits, Step
from services.monitor import rules
from services.monitor.history import Point
from services.monitor.model import Figures, Health, Memory, Part, Probe, Process, Queue, Seen
from services.monitor.score import judge

WELL, AWAY, STANDBY = Probe("h:1"), Probe("h:2", "It is away."), Probe("h:3", standby=True)
IDLE = Queue()
ROOM = Memory(50, 100)
PARTS = (Part("telegram", (WELL, STANDBY)), Part("pipeline", (WELL,)), Part("agent", (WELL, WELL)))


def _part(name: str, *replicas: Probe) -> tuple[Part, ...]:
    return tuple(Part(name, replicas) if part.name == name else part for part in PARTS)


def _seen(
    parts: tuple[Part, ...] = PARTS,
    queue: Queue | None = IDLE,
    process: Process | None = None,
    *,
    asked: bool = True,
) -> Seen:
    return Seen(parts, ROOM, queue, asked, (process,) if process else ())


def _process(step: Step | None = Step.FINE, **figures: float) -> Process:
    return Process("10.0.0.1:7002", ("agent",), Figures(resident=700 * MB, **figures), step=step)  # type: ignore[arg-type]


def _judged(seen: Seen) -> Health:
    return judge(seen, 0.0, Limits())


@pytest.mark.parametrize(
    ("seen", "alerts"),
    [
        pytest.param(_seen(), [], id="all is well"),
        pytest.param(_seen(_part("agent", WELL, AWAY)), ["score_low"], id="half of the agents"),
        pytest.param(_seen(_part("agent", AWAY, AWAY)), ["score_low", "part_down agent"], id="no agent"),
        pytest.param(_seen(_part("agent")), ["score_low", "part_down agent"], id="no agent is found"),
        pytest.param(
            _seen(_part("telegram", STANDBY)), ["score_low", "no_owner telegram"], id="nobody owns the account"
        ),
        pytest.param(_seen(_part("telegram", AWAY)), ["score_low", "part_down telegram"], id="no telegram lives"),
        pytest.param(_seen(queue=None), ["score_low"], id="the pipeline does not say"),
        pytest.param(_seen(queue=None, asked=False), [], id="nobody asks the pipeline"),
        pytest.param(_seen(queue=Queue(oldest_waiting=20.0)), [], id="waits a while"),
        pytest.param(_seen(queue=Queue(oldest_waiting=30.0)), ["score_low", "waiting_long"], id="waits long"),
        pytest.param(_seen(queue=Queue(waiting=5_000)), [], id="one chat floods, and is worked on"),
        pytest.param(_seen(queue=Queue(oldest_undelivered=299.0)), [], id="parts are on their way"),
        pytest.param(_seen(queue=Queue(oldest_undelivered=300.0)), ["parts_stuck"], id="parts are stuck"),
        pytest.param(_seen(process=_process(Step.CLEAN)), [], id="a process cleans up"),
        pytest.param(_seen(process=_process(Step.SHED)), ["memory_shed 10.0.0.1:7002"], id="a process sheds"),
        pytest.param(
            _seen(process=_process(Step.RESTART)), ["memory_restart 10.0.0.1:7002"], id="a process is too large"
        ),
        pytest.param(_seen(process=_process(None)), [], id="nobody knows what a process uses"),
        pytest.param(_seen(process=_process(flood_wait=59.0)), [], id="a short flood wait"),
        pytest.param(_seen(process=_process(flood_wait=60.0)), ["flood_wait_long"], id="a long flood wait"),
        pytest.param(_seen(process=_process(model_limited=0.0)), [], id="the model takes requests"),
        pytest.param(_seen(process=_process(model_limited=3.0)), ["model_limited"], id="the model takes none"),
    ],
)
def test_alerts(seen: Seen, alerts: list[str]) -> None:
    found = rules.troubles(seen, _judged(seen), ())
    assert [" ".join(trouble.key).strip() for trouble in found] == alerts


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        ([], 7, ""),
        ([7, 7], 7, ""),
        ([7, 7], 9, "2 new dead letters; 9 in all. `valor dead list` shows them."),
        ([0, 9], 9, "9 new dead letters; 9 in all. `valor dead list` shows them."),
        ([9, 3], 5, "2 new dead letters; 5 in all. `valor dead list` shows them."),
        ([0, *[9] * 15], 9, ""),
        ([None, None], 9, ""),
    ],
)
def test_only_new_dead_letters_are_told_of(before: list[int | None], now: int, words: str) -> None:
    seen = _seen(queue=Queue(dead=now))
    history = [Point(60.0 * minute, 100, {}, dead=dead) for minute, dead in enumerate(before)]
    texts = [each.text for each in rules.troubles(seen, _judged(seen), history) if each.alert == "dead_letters_grew"]
    assert texts == ([words] if words else [])


def test_what_nobody_could_measure_is_unknown_and_not_over() -> None:
    silent = Process("10.0.0.1:7002", ("agent",), trouble="its metrics page cannot be reached")
    assert rules.unknown(_seen()) == set()
    assert rules.unknown(_seen(queue=None, asked=False)) == set()
    assert rules.unknown(_seen(queue=None)) == {("waiting_long", ""), ("parts_stuck", ""), ("dead_letters_grew", "")}
    assert rules.unknown(_seen(process=silent)) == {
        ("flood_wait_long", ""),
        ("model_limited", ""),
        ("memory_shed", "10.0.0.1:7002"),
        ("memory_restart", "10.0.0.1:7002"),
    }


def test_every_alert_of_the_table_has_a_line_of_words() -> None:
    assert rules.__doc__ is not None
    listed = [line.split()[0] for line in rules.__doc__.splitlines() if line.startswith("    ")]
    assert listed == list(rules.ALERTS)
