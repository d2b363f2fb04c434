"""How many replicas a service ought to have, case by case."""

import math
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.monitor.model import Figures, Health, Memory, Part, Probe, Process, Queue, Seen
from services.monitor.scale import WINDOW, Decision, Load, Past, decide, loads
from services.monitor.scaling import Scaling

NOW = 1_000.0
ONE = Load(replicas=1, well=1, capacity=100)
FOUR = Load(replicas=4, well=4, capacity=100)


def _decide(load: Load, *wanted: int) -> Decision:
    """What is decided where these numbers were wanted in the last minutes."""
    return decide(load, tuple((NOW - 5.0 * age, number) for age, number in enumerate(wanted, start=1)), NOW)[0]


@pytest.mark.parametrize(
    ("load", "desired"),
    [
        pytest.param(ONE, 1, id="nothing to do"),
        pytest.param(replace(ONE, running=100), 1, id="as much as one is good for"),
        pytest.param(replace(ONE, running=101), 2, id="more than one is good for"),
        pytest.param(replace(ONE, running=60, claimable=60), 2, id="what could begin counts"),
        pytest.param(replace(ONE, running=5_000), 4, id="twice and two more at most"),
        pytest.param(replace(FOUR, running=5_000), 10, id="again"),
        pytest.param(replace(FOUR, running=400, oldest=2.0), 4, id="it may wait a moment"),
        pytest.param(replace(FOUR, running=400, oldest=3.5), 6, id="it waits a while"),
        pytest.param(replace(FOUR, running=400, oldest=5.0), 8, id="it waits long"),
        pytest.param(replace(FOUR, running=400, oldest=900.0), 8, id="it waits for ever"),
        pytest.param(replace(FOUR, well=2, running=400, oldest=9.0), 4, id="those that start are waited for"),
        pytest.param(replace(ONE, claimable=1, oldest=1.0), 1, id="one chat floods"),
        pytest.param(replace(FOUR, running=350, first_text=4.0, cpu=0.9), 6, id="agents are slow"),
        pytest.param(replace(FOUR, running=350, first_text=40.0, cpu=0.1), 4, id="the model is slow"),
        pytest.param(replace(FOUR, running=350, first_text=4.0), 4, id="nobody knows what agents use"),
        pytest.param(replace(FOUR, running=900, blocked="model_limited"), 4, id="more would hit the limit sooner"),
        pytest.param(replace(FOUR, running=900, blocked="people_away"), 4, id="more would only wait"),
        pytest.param(replace(FOUR, running=900, blind="queue_unknown"), 4, id="nobody knows"),
        pytest.param(replace(ONE, replicas=0, well=0, running=50), 1, id="nobody is there"),
        pytest.param(replace(ONE, replicas=0, well=0, running=950), 2, id="nobody is there for many"),
    ],
)
def test_desired(load: Load, desired: int) -> None:
    decision = _decide(load)
    assert decision.desired == desired
    assert bool(decision.held) is bool(load.blocked or load.blind)
    assert decision.reason.endswith(".")


def test_a_limit_that_holds_nothing_back_is_no_hold() -> None:
    assert _decide(replace(FOUR, running=350, blocked="model_limited")) == Decision(
        4, "350 run and 0 could begin; one replica is good for 100."
    )


def test_what_nobody_knows_is_no_number() -> None:
    """F95."""
    unknown = replace(ONE, replicas=0, well=0, blind="queue_unknown")
    assert _decide(unknown) == Decision(None, "Held: the pipeline does not say what waits.", "queue_unknown")
    assert _decide(unknown, 3).desired == 3


def test_fewer_are_wanted_for_five_minutes_before_there_are_fewer() -> None:
    load, desired = replace(FOUR, running=20), []
    past: Past = ()
    for second in range(0, 400, 5):
        decision, past = decide(load, past, NOW + second)
        desired.append(decision.desired)
    assert desired == [4] * 60 + [1] * 20


def test_what_is_held_is_wanted_until_five_minutes_after() -> None:
    past: Past = ()
    for second in range(0, 3_600, 5):
        decision, past = decide(replace(FOUR, blind="queue_unknown"), past, NOW + second)
        assert decision.desired == 4
    later, past = decide(replace(FOUR, running=20), past, NOW + 3_600)
    assert later == Decision(4, "1 would do; 4 were wanted within the last 5 minutes.")


counts = st.integers(0, 40)
some = st.builds(
    Load,
    replicas=counts,
    well=counts,
    capacity=st.just(100),
    running=st.integers(0, 10_000),
    claimable=st.integers(0, 10_000),
    oldest=st.floats(0, 1e6),
    first_text=st.none() | st.floats(0, 100),
    cpu=st.none() | st.floats(0, 4),
    blocked=st.sampled_from(["", "model_limited", "people_away"]),
    blind=st.sampled_from(["", "", "queue_unknown"]),
).filter(lambda load: load.well <= load.replicas)
memory = st.lists(st.tuples(st.floats(NOW - 2 * WINDOW, NOW), st.integers(1, 60)), max_size=5).map(
    lambda past: tuple(sorted(past))
)


@given(some, memory)
def test_no_decision_is_out_of_bounds(load: Load, past: Past) -> None:
    decision, after = decide(load, past, NOW)
    wanted = [number for time, number in past if NOW - time < WINDOW]
    before = max(wanted, default=load.replicas)
    if decision.desired is None:
        assert load.blind
        return
    assert 1 <= decision.desired <= max(before, 2 * load.replicas + 2)
    assert len(after) <= len(past) + 2
    if decision.held:
        assert decision.desired == max(before, 1) or decision.desired == load.replicas
        assert load.blind or load.blocked
    else:
        assert decision.desired >= min(math.ceil(load.running / load.capacity), 2 * load.replicas + 2)


@given(some, memory, st.integers(0, 5_000))
def test_more_to_do_is_never_a_reason_for_fewer(load: Load, past: Past, more: int) -> None:
    assume(not load.blind)
    busier = replace(load, running=load.running + more)
    desired = [decide(each, past, NOW)[0].desired or 0 for each in (load, busier)]
    assert desired[0] <= desired[1]


WELL, AWAY = Probe("h:1", metrics="h:2"), Probe("h:1", "It is away.", metrics="h:2")


def _seen(
    away: str = "",
    queue: Queue | None = None,
    *,
    asked: bool = True,
    limited: float | None = 0.0,
    calls: int | None = 3,
) -> Seen:
    parts = (Part(name, (AWAY if name == away else WELL,)) for name in ("people", "toolrunner", "agent", "pipeline"))
    live = {} if calls is None else {"toolrunner": calls}
    processes = (
        Process("h:1", ("agent",), Figures(model_limited=limited), cpu=0.5, texts=2, text_seconds=3.0),
        Process("h:2", ("agent",), cpu=0.75),
        Process("h:3", ("toolrunner",), Figures(live=live)),
    )
    return Seen(tuple(parts), Memory(1, 1), queue, asked, processes)


BUSY = Queue(running=250, claimable=7, oldest_waiting=1.5)


def test_each_service_is_measured_by_what_it_carries() -> None:
    found = loads(_seen(queue=BUSY), 100)
    assert found["pipeline"] == replace(ONE, running=250, claimable=7, oldest=1.5)
    assert found["agent"] == replace(ONE, running=250, first_text=1.5, cpu=0.625)
    assert found["toolrunner"] == Load(1, 1, 16, running=3)
    assert loads(_seen(queue=BUSY), 40)["agent"].capacity == 40
    assert loads(Seen((), Memory(1, 1)), 100) == {}


@pytest.mark.parametrize(
    ("seen", "holds"),
    [
        (_seen(queue=BUSY), ["", "", ""]),
        (_seen("people", BUSY), ["people_away", "people_away", ""]),
        (_seen("agent", BUSY), ["agent_away", "", ""]),
        (_seen("toolrunner", BUSY), ["", "toolrunner_away", ""]),
        (_seen(queue=BUSY, limited=9.0), ["model_limited", "model_limited", ""]),
        (_seen(queue=BUSY, limited=None), ["", "", ""]),
        (_seen(queue=BUSY, calls=None), ["", "", "load_unknown"]),
        (_seen(queue=None), ["queue_unknown"] * 3),
    ],
)
def test_what_holds_a_service(seen: Seen, holds: list[str]) -> None:
    found = loads(seen, 100)
    assert [found[name].blind or found[name].blocked for name in ("pipeline", "agent", "toolrunner")] == holds


def test_what_changes_is_remembered_with_its_reason_and_told() -> None:
    scaling = Scaling(100)
    looked = scaling.looked
    for time, queue in enumerate((Queue(), Queue(), BUSY, None)):
        scaling.look(_seen(queue=queue), Health(100, (), float(time)))
    assert looked.is_set()
    assert not scaling.looked.is_set()
    changes = [
        (each.time, each.decision.desired, each.decision.held) for each in scaling.changes if each.service == "agent"
    ]
    assert changes == [(3.0, 3, "queue_unknown"), (2.0, 3, ""), (0.0, 1, "")]
    decision = scaling.decision("agent")
    assert decision is not None
    assert decision.reason == "Held: the pipeline does not say what waits."
    assert scaling.decision("people") is None
    assert {(each.service, each.time) for each in scaling.current} == {
        ("agent", 3.0),
        ("pipeline", 3.0),
        ("toolrunner", 0.0),
    }
