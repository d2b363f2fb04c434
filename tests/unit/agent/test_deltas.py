"""How the text of an answer is packed into deltas."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.agent.deltas import WINDOW, Deltas
from services.agent.model import Delta


@dataclass
class Clock:
    """Time that passes when the test says so."""

    now: float = 100.0
    calls: list["Due"] = field(default_factory=list)

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None], /) -> "Due":
        self.calls.append(due := Due(when, callback))
        return due

    def pass_(self, seconds: float) -> None:
        self.now += seconds
        for call in [call for call in self.calls if call.when <= self.now]:
            self.calls.remove(call)
            if not call.cancelled:
                call.callback()


@dataclass(eq=False)
class Due:
    when: float
    callback: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


def shown(deltas: list[Delta]) -> str:
    text = ""
    for delta in deltas:
        text = delta.text if delta.restart else text + delta.text
    return text


def test_the_first_piece_goes_at_once_and_later_ones_together() -> None:
    clock, sent = Clock(), list[Delta]()
    deltas = Deltas(sent.append, clock)
    deltas.add("a")
    assert sent == [Delta("a", restart=False)]
    deltas.add("b")
    deltas.add("c")
    assert len(sent) == 1
    clock.pass_(WINDOW)
    assert sent[1:] == [Delta("bc", restart=False)]
    clock.pass_(WINDOW)
    deltas.add("d")
    assert sent[2:] == [Delta("d", restart=False)]


def test_a_restart_is_told_once_and_only_where_text_was_sent() -> None:
    sent = list[Delta]()
    deltas = Deltas(sent.append, Clock())
    deltas.restart()
    deltas.add("a")
    deltas.restart()
    deltas.restart()
    deltas.add("b")
    deltas.flush()
    deltas.add("c")
    deltas.flush()
    assert sent == [Delta("a", restart=False), Delta("b", restart=True), Delta("c", restart=False)]


@given(st.lists(st.text(min_size=1, max_size=3) | st.sampled_from([0.001, 0.03, 0.2]) | st.none()))
def test_nothing_is_lost_and_nothing_comes_too_often(script: list[str | float | None]) -> None:
    clock, sent, times, said = Clock(), list[Delta](), list[float](), ""

    def emit(delta: Delta) -> None:
        sent.append(delta)
        times.append(clock.now)

    deltas = Deltas(emit, clock)
    for act in script:
        if isinstance(act, str):
            deltas.add(act)
            said += act
        elif act is None:
            deltas.restart()
            said = ""
        else:
            clock.pass_(act)
    clock.pass_(1)
    flushes = script.count(None)
    assert said in {shown(sent), ""}
    assert sum(b - a < WINDOW - 1e-6 for a, b in pairwise(times)) <= 2 * flushes
