"""How long no agent can be reached. F30."""

from services.pipeline.absence import LONG, PAUSES, Absence


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_it_is_told_when_it_is_long_and_then_as_rarely() -> None:
    """F30."""
    clock = Clock()
    absence, told = Absence(clock), []
    for second in range(400):
        clock.now = 1000.0 + second
        if absence.note():
            told.append(second)
    assert told == [LONG, 2 * LONG, 3 * LONG]


def test_who_comes_back_begins_anew() -> None:
    clock = Clock()
    absence = Absence(clock)
    assert not absence.lasts
    assert not absence.note()
    assert absence.lasts
    clock.now += LONG - 1
    absence.end()
    assert not absence.lasts
    assert not absence.note()
    clock.now += LONG - 1
    assert not absence.note()


def test_pauses_grow_to_the_last_one() -> None:
    absence, pauses = Absence(), []
    for _ in range(len(PAUSES) + 2):
        absence.note()
        pauses.append(absence.pause())
    assert pauses == [*PAUSES, PAUSES[-1], PAUSES[-1]]
