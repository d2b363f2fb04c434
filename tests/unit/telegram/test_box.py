"""A box of updates, whatever becomes of the pushes on their way."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from services.telegram.model import HELD, Box, Change

START = 10
COUNTS = st.lists(st.integers(1, 3), min_size=1, max_size=12)


def changes(counts: list[int]) -> list[Change]:
    """What a box brings after START, in order; each moves the number by its count."""
    made, pts = [], START
    for count in counts:
        pts += count
        made.append(Change(0, pts, count))
    return made


@st.composite
def pushes(draw: st.DrawFn) -> tuple[list[Change], list[Change]]:
    """The changes, and what arrives of them: some twice, some never, in any order."""
    sent = changes(draw(COUNTS))
    copies = draw(st.lists(st.integers(0, 2), min_size=len(sent), max_size=len(sent)))
    arriving = [change for change, number in zip(sent, copies, strict=True) for _ in range(number)]
    return sent, draw(st.permutations(arriving))


@dataclass
class Taker:
    """Whoever takes what a box gives; also reads the difference."""

    box: Box
    taken: list[Change] = field(default_factory=list)

    def push(self, change: Change) -> None:
        self.taken += self.box.offer(change)

    def read(self, sent: list[Change], pts: int) -> None:
        """The difference up to `pts` brings what was not taken."""
        self.taken += [change for change in sent if change.pts <= pts and change not in self.taken]
        self.taken += self.box.synchronise(pts)


@given(pushes())
def test_what_is_pushed_in_any_order_is_taken_at_most_once_in_order_and_never_over_a_gap(
    given_pushes: tuple[list[Change], list[Change]],
) -> None:
    sent, arriving = given_pushes
    taker = Taker(Box(START))
    for change in arriving:
        taker.push(change)
        assert taker.taken == sent[: len(taker.taken)]
    missing = next((change for change in sent if change not in arriving), None)
    assert taker.taken == (sent if missing is None else sent[: sent.index(missing)])


@given(pushes(), st.data())
def test_a_difference_read_at_any_time_closes_the_gap_and_nothing_is_taken_twice(
    given_pushes: tuple[list[Change], list[Change]], data: st.DataObject
) -> None:
    sent, arriving = given_pushes
    taker = Taker(Box(START))
    moment = data.draw(st.integers(0, len(arriving)))
    for change in arriving[:moment]:
        taker.push(change)
    taker.read(sent, sent[data.draw(st.integers(0, len(sent) - 1))].pts)
    for change in arriving[moment:]:
        taker.push(change)
    assert taker.taken == sent[: len(taker.taken)]
    taker.read(sent, sent[-1].pts)
    assert taker.taken == sent
    assert not taker.box.gap


@given(pushes())
def test_a_lost_box_gives_nothing_until_it_was_read(given_pushes: tuple[list[Change], list[Change]]) -> None:
    sent, arriving = given_pushes
    taker = Taker(Box(START))
    taker.box.lose()
    for change in arriving:
        taker.push(change)
    assert taker.taken == []
    taker.read(sent, START)
    assert taker.taken == sent[: len(taker.taken)]


@given(st.integers(1, 3), COUNTS)
def test_a_box_says_that_it_has_a_gap_until_the_gap_is_closed(lost: int, counts: list[int]) -> None:
    first, *rest = changes([lost, *counts])
    taker = Taker(Box(START))
    for change in rest:
        taker.push(change)
        assert taker.box.gap
    taker.push(first)
    assert not taker.box.gap


def test_what_a_box_holds_back_is_bounded_and_it_knows_that_more_is_missing() -> None:
    box = Box(START)
    late = [Change(0, START + number, 1) for number in range(2, HELD + 500)]
    for change in late:
        box.offer(change)
    assert len(box.held) == HELD
    assert len(box.synchronise(START + 1)) == HELD
    assert box.gap  # what did not fit in has to be asked for
    box.synchronise(late[-1].pts)
    assert not box.gap


def test_an_update_that_counts_nothing_is_taken_when_the_box_is_there() -> None:
    """A repeated random id is answered with the first message, which counts 0."""
    box = Box(START)
    repeat = Change(0, START, 0)
    assert box.offer(repeat) == [repeat]
    early = Change(0, START + 1, 0)
    assert box.offer(early) == []
    new = Change(0, START + 1, 1)
    assert box.offer(new) == [new, early]
    assert not box.gap
