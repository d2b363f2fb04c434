"""The health score, case by case."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.ladder import MB, Limits, Step
from services.monitor.model import Figures, Health, Memory, Part, Probe, Process, Queue, Seen
from services.monitor.score import judge

SERVICES = ("telegram", "pipeline", "agent", "toolrunner", "people", "testdc")
WELL, AWAY, STANDBY = Probe("h:1"), Probe("h:2", "It is away."), Probe("h:3", standby=True)
IDLE = Queue()
ROOM = Memory(available=50, total=100)


def _judge(
    *,
    down: str = "",
    memory: Memory = ROOM,
    queue: Queue | None = IDLE,
    asked: bool = True,
    processes: tuple[Process, ...] = (),
) -> Health:
    parts = (Part(name, (AWAY if name == down else WELL,)) for name in SERVICES)
    return judge(Seen(tuple(parts), memory, queue, asked, processes), 7.0, Limits())


def _using(*sizes: int) -> tuple[Process, ...]:
    """Processes of so many MB; 0: one that does not say."""
    return tuple(
        Process(f"h:{number}", ("agent",), Figures(resident=size * MB)) if size else Process("h:0", ("agent",))
        for number, size in enumerate(sizes, start=1)
    )


def _judge_one(name: str, *replicas: Probe) -> Health:
    return judge(Seen((Part(name, replicas),), ROOM), now=7.0, limits=Limits())


@pytest.mark.parametrize(
    ("health", "score"),
    [
        pytest.param(_judge(), 100, id="all well"),
        pytest.param(_judge(down="telegram"), 40, id="nobody reaches it"),
        pytest.param(_judge(down="pipeline", queue=None), 0, id="nothing moves, nobody knows what waits"),
        pytest.param(_judge(down="agent"), 40, id="it cannot think"),
        pytest.param(_judge(down="people"), 60, id="it knows nobody"),
        pytest.param(_judge(down="toolrunner"), 80, id="it has no tools"),
        pytest.param(_judge(down="testdc"), 80, id="any other"),
        pytest.param(_judge_one("pipeline", WELL, WELL, WELL), 100, id="all replicas are well"),
        pytest.param(_judge_one("pipeline", WELL, AWAY), 70, id="half of the replicas"),
        pytest.param(_judge_one("agent", WELL, WELL, AWAY), 80, id="two of three"),
        pytest.param(_judge_one("agent", AWAY, AWAY), 40, id="all replicas are away"),
        pytest.param(_judge_one("pipeline"), 40, id="no replica is found"),
        pytest.param(_judge_one("telegram", WELL, STANDBY), 100, id="a standby is well"),
        pytest.param(_judge_one("telegram", STANDBY, STANDBY), 40, id="nobody owns the account"),
        pytest.param(_judge_one("telegram", WELL, AWAY), 70, id="nobody stands by"),
        pytest.param(_judge(queue=Queue(oldest_waiting=2.0)), 100, id="waits a moment"),
        pytest.param(_judge(queue=Queue(oldest_waiting=31.0)), 80, id="waits half a minute"),
        pytest.param(_judge(queue=Queue(oldest_waiting=60.0)), 60, id="waits a minute"),
        pytest.param(_judge(queue=Queue(oldest_waiting=9_999.0)), 60, id="waits for ever"),
        pytest.param(_judge(queue=None), 40, id="the pipeline does not say"),
        pytest.param(_judge(queue=None, asked=False), 100, id="nobody asked"),
        pytest.param(_judge(queue=Queue(dead=1)), 98, id="one dead letter"),
        pytest.param(_judge(queue=Queue(dead=10)), 80, id="ten dead letters"),
        pytest.param(_judge(queue=Queue(dead=10_000)), 80, id="many dead letters"),
        pytest.param(_judge(memory=Memory(20, 100)), 100, id="memory gets scarce"),
        pytest.param(_judge(memory=Memory(125, 1000)), 90, id="memory is scarce"),
        pytest.param(_judge(memory=Memory(5, 100)), 80, id="memory is gone"),
        pytest.param(_judge(memory=Memory(0, 0)), 80, id="memory cannot be measured"),
        pytest.param(_judge(processes=_using(90, 500)), 100, id="all processes are below the limit"),
        pytest.param(_judge(processes=_using(90, 650)), 90, id="one is half way to the emergency"),
        pytest.param(_judge(processes=_using(900, 90)), 80, id="one is beyond the emergency"),
        pytest.param(_judge(processes=_using(90, 0)), 100, id="one does not say, and others do"),
        pytest.param(_judge(processes=_using(0)), 80, id="no process says what it uses"),
        pytest.param(
            _judge(down="people", memory=Memory(5, 100), queue=Queue(oldest_waiting=31.0, dead=10)), 0, id="all at once"
        ),
    ],
)
def test_score(health: Health, score: int) -> None:
    assert health.score == score


def test_the_parts_say_in_plain_words_what_was_seen() -> None:
    memory = Memory(1 << 30, 4 << 30)
    health = _judge(down="agent", memory=memory, queue=Queue(3, 2, 1, 4.25, 6))
    assert {check.name: (check.score, check.detail) for check in health.checks} == {
        "telegram": (100, "telegram takes calls."),
        "pipeline": (100, "pipeline takes calls."),
        "agent": (0, "It is away."),
        "toolrunner": (100, "toolrunner takes calls."),
        "people": (100, "people takes calls."),
        "testdc": (100, "testdc takes calls."),
        "memory": (100, "1024 of 4096 MB available."),
        "waiting": (96, "3 turns wait, the oldest for 4.2 s; 2 run; 1 parts are not delivered."),
        "dead letters": (40, "6 turns are dead letters."),
    }
    assert health.measure_time == 7.0


@pytest.mark.parametrize(
    ("replicas", "words"),
    [
        ((), "telegram has no address."),
        ((WELL,), "telegram takes calls."),
        ((WELL, WELL), "telegram takes calls: 2 replicas."),
        ((AWAY,), "It is away."),
        ((WELL, AWAY), "1 of 2 replicas are well. It is away."),
        ((STANDBY,), "telegram lives, and nobody is at work."),
        ((STANDBY, AWAY), "0 of 2 replicas are well. telegram lives, and nobody is at work. It is away."),
    ],
)
def test_replicas_are_told_of_in_plain_words(replicas: tuple[Probe, ...], words: str) -> None:
    assert _judge_one("telegram", *replicas).checks[0].detail == words


def test_processes_are_told_of_by_name() -> None:
    processes = (
        Process("10.0.0.1:7002", ("agent",), Figures(resident=700 * MB), step=Step.SHED),
        Process("10.0.0.2:7002", ("pipeline",), trouble="its metrics page cannot be reached"),
        Process("10.0.0.3:7002", ("people",), Figures(resident=90 * MB), step=Step.FINE),
    )
    detail = {check.name: check.detail for check in _judge(processes=processes).checks}["resources"]
    assert detail == (
        "The largest of 2 processes holds 700 MB; the limit is 500 MB."
        " agent at 10.0.0.1:7002 is to take no new work: 700 MB."
        " pipeline at 10.0.0.2:7002: its metrics page cannot be reached."
    )


replicas = st.lists(st.sampled_from([WELL, AWAY, STANDBY])).map(tuple)
seen = st.builds(
    Seen,
    st.lists(st.builds(Part, st.sampled_from(SERVICES), replicas)).map(tuple),
    st.builds(Memory, st.integers(0, 100), st.integers(0, 100)),
    st.none() | st.builds(Queue, oldest_waiting=st.floats(0, 1e9), dead=st.integers(0, 10**9)),
    st.booleans(),
)


@given(seen)
def test_every_score_lies_between_0_and_100(seen: Seen) -> None:
    health = judge(seen, 0.0, Limits())
    assert 0 <= health.score <= 100
    assert all(0 <= check.score <= 100 for check in health.checks)


@given(seen, st.floats(0, 100), st.integers(0, 100))
def test_worse_is_never_better(seen: Seen, longer: float, more: int) -> None:
    if seen.queue is not None:
        worse = Queue(oldest_waiting=seen.queue.oldest_waiting + longer, dead=seen.queue.dead + more)
        assert judge(replace(seen, queue=worse), 0.0, Limits()).score <= judge(seen, 0.0, Limits()).score
