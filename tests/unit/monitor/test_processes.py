"""What processes use, from what their metrics pages say now and said before."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge, Histogram, Info, generate_latest

from services.chassis.ladder import MB, Limits, Step
from services.monitor import figures
from services.monitor.adapters.pages import samples
from services.monitor.model import Figures, Part, Probe
from services.monitor.processes import WINDOW, Processes, first_text

AGENT = Part("agent", (Probe("10.0.0.1:7001", metrics="10.0.0.1:7002"),))
PAGE = AGENT.replicas[0].metrics


def test_a_page_is_read_as_it_is_written() -> None:
    registry = CollectorRegistry()
    Gauge("process_resident_memory_bytes", "Memory.", registry=registry).set(1.5e8)
    Gauge("agent_live_turns", "Turns.", registry=registry).set(7)
    Gauge("agent_model_limited_seconds", "Limit.", registry=registry).set(12.5)
    Gauge("telegram_flood_wait_seconds", "Wait.", registry=registry).set(float("nan"))
    first = Histogram("agent_first_text_seconds", "First.", registry=registry)
    first.observe(2.0)
    first.observe(1.0)
    Info("monitor_instance", "Which.", registry=registry).info({"id": "abc"})
    Gauge("other", "Somebody else's.", ["x"], registry=registry).labels("}\n{").set(1)
    assert figures.read(samples(generate_latest(registry).decode())) == Figures(
        resident=150_000_000,
        live={"agent": 7},
        texts=2,
        text_seconds=3.0,
        model_limited=12.5,
        flood_wait=None,
        monitor="abc",
    )


@given(
    st.text()
    | st.lists(st.sampled_from(figures.NAMES).flatmap(lambda name: st.text().map(name.__add__))).map("\n".join)
)
def test_a_page_that_lies_breaks_nothing(page: str) -> None:
    with suppress(ValueError, IndexError):  # what the reader of pages takes for "cannot be read"
        figures.read(samples(page))


def test_cpu_is_what_was_used_since_the_measurement_before() -> None:
    processes = Processes(Limits())
    (first,) = processes.see([AGENT], {PAGE: Figures(cpu_seconds=10.0)}, now=100.0)
    (second,) = processes.see([AGENT], {PAGE: Figures(cpu_seconds=12.5)}, now=105.0)
    assert (first.cpu, second.cpu) == (None, 0.5)


def test_a_new_process_at_an_old_address_begins_anew() -> None:
    processes = Processes(Limits())
    processes.see([AGENT], {PAGE: Figures(cpu_seconds=1_000.0, texts=50, text_seconds=100.0)}, now=100.0)
    (reborn,) = processes.see([AGENT], {PAGE: Figures(cpu_seconds=1.0, texts=2, text_seconds=2.0)}, now=105.0)
    assert (reborn.cpu, reborn.texts) == (None, 0)
    (later,) = processes.see([AGENT], {PAGE: Figures(cpu_seconds=6.0, texts=3, text_seconds=5.0)}, now=110.0)
    assert (later.cpu, later.texts, later.text_seconds) == (1.0, 1, 3.0)


def test_what_cannot_be_read_is_unknown_and_says_why() -> None:
    processes = Processes(Limits())
    processes.see([AGENT], {PAGE: Figures(cpu_seconds=10.0)}, now=100.0)
    (silent,) = processes.see([AGENT], {PAGE: "it fell silent"}, now=105.0)
    assert (silent.figures, silent.cpu, silent.sessions, silent.trouble) == (Figures(), None, None, "it fell silent")
    (back,) = processes.see([AGENT], {PAGE: Figures(cpu_seconds=15.0)}, now=110.0)
    assert back.cpu == 0.5


def test_first_words_are_counted_over_the_last_minute_and_all_processes() -> None:
    processes, other = (
        Processes(Limits()),
        Part("agent", (*AGENT.replicas, Probe("10.0.0.2:7001", metrics="10.0.0.2:7002"))),
    )
    assert (
        first_text(processes.see([other], {PAGE: Figures(texts=9), "10.0.0.2:7002": Figures(texts=0)}, now=0.0)) is None
    )
    pages = {PAGE: Figures(texts=11, text_seconds=4.0), "10.0.0.2:7002": Figures(texts=1, text_seconds=5.0)}
    assert first_text(processes.see([other], pages, now=5.0)) == pytest.approx(3.0)
    assert first_text(processes.see([other], pages, now=5.0 + WINDOW)) is None


def test_a_process_is_shown_once_with_all_services_in_it() -> None:
    house = [Part(name, (Probe("127.0.0.1:1", metrics="127.0.0.1:2"),)) for name in ("pipeline", "agent", "people")]
    live = Figures(live={"pipeline": 3, "agent": 2})
    (process,) = Processes(Limits()).see(house, {"127.0.0.1:2": live}, now=0.0)
    assert (process.names, process.sessions) == (("pipeline", "agent", "people"), 3)


def test_a_process_climbs_the_ladder_and_a_new_one_at_its_address_begins_below() -> None:
    processes, steps = Processes(Limits()), []
    for number, size in enumerate((400, 510, 700, 480, 900)):
        page = Figures(resident=size * MB, cpu_seconds=float(number))
        steps += [process.step for process in processes.see([AGENT], {PAGE: page}, now=float(number))]
    assert steps == [Step.FINE, Step.CLEAN, Step.SHED, Step.CLEAN, Step.RESTART]
    (reborn,) = processes.see([AGENT], {PAGE: Figures(resident=480 * MB, cpu_seconds=0.1)}, now=9.0)
    assert reborn.step is Step.FINE
    (unknown,) = processes.see([AGENT], {PAGE: Figures()}, now=10.0)
    assert unknown.step is None
