"""When people are told that something is wrong, and when that it is over."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.monitor.episodes import CLEAR, COOLDOWN, Episodes, advance
from services.monitor.model import Key, Notice, Severity, Trouble

EVERY = 5.0
SLOW = Trouble("part_down", "agent is down.", Severity.CRITICAL, "agent", 60.0)
QUICK = Trouble("memory_restart", "It is too large.", Severity.CRITICAL, "h:1", 0.0)


class Desk:
    """Measurements every few seconds, and what people were told: `+` fires, `-` is over, with the time."""

    def __init__(self) -> None:
        self.now, self.episodes = 0.0, Episodes()
        self.told: list[str] = []

    def go(self, seconds: float, *troubles: Trouble, unknown: tuple[Key, ...] = ()) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += EVERY
            self.episodes, notices = advance(self.episodes, troubles, unknown, self.now)
            self.told += [f"{_sign(notice)}{notice.trouble.alert}@{self.now:g}" for notice in notices]


def _sign(notice: Notice) -> str:
    return "+" if notice.end_time is None else "-"


def test_what_lasts_is_told_once_and_once_more_when_it_is_over() -> None:
    desk = Desk()
    desk.go(300, SLOW)
    assert desk.told == ["+part_down@65"]
    assert [episode.trouble for episode in desk.episodes.firing] == [SLOW]
    desk.go(200)
    assert desk.told == ["+part_down@65", f"-part_down@{300 + CLEAR:g}"]
    assert desk.episodes.firing == []


def test_what_passes_soon_is_never_told() -> None:
    desk = Desk()
    for _ in range(20):
        desk.go(40, SLOW)
        desk.go(100)
    assert desk.told == []


def test_a_moment_without_it_does_not_end_it() -> None:
    desk = Desk()
    desk.go(100, SLOW)
    desk.go(CLEAR - EVERY)
    desk.go(100, SLOW)
    assert desk.told == ["+part_down@65"]


def test_what_comes_again_within_the_cooldown_is_told_after_it_if_it_still_fires() -> None:
    desk = Desk()
    desk.go(30, QUICK)
    desk.go(100)
    desk.go(30, QUICK)  # told by nobody: over before the cooldown is
    desk.go(100)
    assert desk.told == ["+memory_restart@5", "-memory_restart@90"]
    desk.go(COOLDOWN, QUICK)
    assert desk.told[2:] == [f"+memory_restart@{5 + COOLDOWN:g}"]


def test_alerts_about_different_things_do_not_silence_each_other() -> None:
    desk = Desk()
    other = Trouble("part_down", "people is down.", Severity.CRITICAL, "people", 60.0)
    desk.go(100, SLOW)
    desk.go(100, SLOW, other, QUICK)
    assert desk.told == ["+part_down@65", "+memory_restart@105", "+part_down@165"]


def test_what_is_unknown_goes_on() -> None:
    """F95. That nobody can look is no reason to say that all is well."""
    desk = Desk()
    desk.go(100, SLOW)
    desk.go(1_000, unknown=(SLOW.key,))
    assert desk.told == ["+part_down@65"]
    assert desk.episodes.firing
    desk.go(2 * CLEAR)
    assert desk.told[1:] == [f"-part_down@{1_100 + CLEAR:g}"]


def test_what_is_told_is_the_latest_of_it() -> None:
    desk = Desk()
    desk.go(60, Trouble("part_down", "older words", Severity.CRITICAL, "agent", 60.0))
    _, (notice,) = advance(desk.episodes, [SLOW], (), 100.0)
    assert (notice.trouble.text, notice.start_time) == ("agent is down.", EVERY)


@given(st.lists(st.tuples(st.sampled_from(["", "on", "unknown"]), st.floats(0.1, 200.0)), max_size=80))
def test_it_is_told_in_turn_that_it_fires_and_that_it_is_over_and_never_too_often(
    states: list[tuple[str, float]],
) -> None:
    episodes, now, told = Episodes(), 0.0, []
    for state, seconds in states:
        now += seconds
        episodes, notices = advance(
            episodes, [QUICK] if state == "on" else [], [QUICK.key] if state == "unknown" else [], now
        )
        told += [(_sign(notice), now) for notice in notices]
    assert [sign for sign, _ in told] == ["+", "-"] * (len(told) // 2) + ["+"] * (len(told) % 2)
    fired = [time for sign, time in told if sign == "+"]
    assert all(later - earlier >= COOLDOWN for earlier, later in pairwise(fired))
