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
    for _ in range(2):
        assert not absence.lasts
        assert not absence.note()
        clock.now += LONG - 1
        absence.end()


def test_it_lasts_until_somebody_is_reached() -> None:
    absence = Absence()
    absence.note()
    assert absence.lasts


def test_pauses_grow_to_the_last_one() -> None:
    absence, pauses = Absence(), []
    for _ in range(len(PAUSES) + 2):
        absence.note()
        pauses.append(absence.pause())
    assert pauses == [*PAUSES, PAUSES[-1], PAUSES[-1]]
