"""Points in time, in zones whose clocks jump."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.pipeline import schedule

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia"]
zones = st.sampled_from(ZONES)
moments = st.integers(1_300_000_000, 2_000_000_000).map(float)
clocks = st.times().map(lambda clock: clock.replace(second=0, microsecond=0))


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def shown(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("cron", "zone", "after", "runs"),
    [
        ("0 9 * * *", "UTC", "2026-11-20 08:59", ["2026-11-20 09:00", "2026-11-21 09:00"]),
        ("0 9 * * *", "UTC", "2026-11-20 09:00", ["2026-11-21 09:00"]),
        ("0 9 * * 1-5", "UTC", "2026-11-20 09:00", ["2026-11-23 09:00"]),
        ("0 9 * * *", "Asia/Kolkata", "2026-11-20 00:00", ["2026-11-20 03:30"]),
        ("*/15 * * * *", "UTC", "2026-11-20 08:59", ["2026-11-20 09:00", "2026-11-20 09:15"]),
        ("0 0 29 2 *", "UTC", "2026-11-20 09:00", ["2028-02-29 00:00"]),
        # The clock goes on: 9:00 stays 9:00, 2:30 does not exist, hours are hours.
        ("0 9 * * *", "Europe/Berlin", "2027-03-27 09:00", ["2027-03-28 07:00", "2027-03-29 07:00"]),
        ("30 2 * * *", "Europe/Berlin", "2027-03-27 09:00", ["2027-03-28 01:00", "2027-03-29 00:30"]),
        ("0 * * * *", "Europe/Berlin", "2027-03-28 00:10", ["2027-03-28 01:00", "2027-03-28 02:00"]),
        # The clock goes back: 2:30 comes twice and counts once, hours are hours.
        ("30 2 * * *", "Europe/Berlin", "2026-10-24 09:00", ["2026-10-25 00:30", "2026-10-26 01:30"]),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25 01:10", ["2026-10-26 01:30"]),
        ("0 * * * *", "Europe/Berlin", "2026-10-25 00:10", ["2026-10-25 01:00", "2026-10-25 02:00"]),
        # A day that an island left out.
        ("0 9 * * *", "Pacific/Apia", "2011-12-29 20:00", ["2011-12-30 10:00", "2011-12-30 19:00"]),
    ],
)
def test_runs_follow_the_clock_on_the_wall(cron: str, zone: str, after: str, runs: list[str]) -> None:
    found, moment = [], utc(after)
    for _ in runs:
        moment = schedule.next_run(cron, zone, moment)
        found.append(shown(moment))
    assert found == runs


@given(clocks, zones, moments)
def test_what_is_daily_runs_once_every_day(clock: time, zone: str, after: float) -> None:
    cron = f"{clock.minute} {clock.hour} * * *"
    runs = [after]
    for _ in range(5):
        runs.append(schedule.next_run(cron, zone, runs[-1]))
    assert all(sooner < later for sooner, later in pairwise(runs))
    days = [schedule.local(run, zone).date() for run in runs[1:]]
    assert len(set(days)) >= 4  # a day that was left out runs right behind itself, so on the day after
    assert days[-1] - days[0] <= timedelta(days=5)


@given(st.sampled_from(["*/5 * * * *", "0 */2 * * *", "*/30 8-18 * * 1-5"]), zones, moments)
def test_intervals_are_never_shorter_than_what_is_allowed(cron: str, zone: str, after: float) -> None:
    schedule.check(cron)
    first = schedule.next_run(cron, zone, after)
    assert after < first
    assert schedule.next_run(cron, zone, first) - first >= schedule.SHORTEST


@given(zones, moments, st.floats(0, 1e8))
def test_one_run_makes_up_for_all_that_were_missed(zone: str, due: float, away: float) -> None:
    """F18."""
    following = schedule.next_after_a_run("0 9 * * *", zone, due, due + away)
    assert due + away < following
    assert following == schedule.next_run("0 9 * * *", zone, due + away)
    assert schedule.next_after_a_run("0 9 * * *", zone, due, due - 5) > due  # even if our clock went back


@pytest.mark.parametrize(
    "cron",
    [
        *("* * * * *", "*/4 * * * *", "0,4 9 * * *", "58,0 * * * *", "59 23,0 * * *,", "0 0 30 2 *", "0 0 31 4,6 *"),
        *("", "x", "0 9 * *", "0 9 * * * *", "60 9 * * *", "0 24 * * *", "0 9 * * 9", "0 9 0 * *", "0-", "@daily"),
        *("0 9 * * L", "0 9 ² * *", "1/0 * * * *", "*/" + "9" * 200 + " * * * *", "0 9 * * MON#9", "-1 * * * *"),
    ],
)
def test_what_is_no_schedule_is_refused(cron: str) -> None:
    with pytest.raises(schedule.BadCron):
        schedule.check(cron)


@given(st.text(alphabet="0123456789*/,-#LW MONjan", max_size=40))
def test_any_text_is_a_schedule_or_refused(cron: str) -> None:
    try:
        schedule.check(cron)
    except schedule.BadCron:
        return
    assert schedule.next_run(cron, "Europe/Berlin", 0) > 0


@given(st.dates(date(2012, 1, 1), date(2035, 1, 1)), clocks, zones)
def test_a_clock_shows_what_was_asked_for_unless_it_leaves_it_out(day: date, clock: time, zone: str) -> None:
    found = schedule.clock_time(day, clock, zone, 0)
    local = schedule.local(found, zone)
    exists = datetime.combine(day, clock, ZoneInfo(zone)).astimezone(UTC).astimezone(ZoneInfo(zone))
    assert (local.date(), local.time()) == (exists.date(), exists.time())
    skipped = local.replace(tzinfo=None) - datetime.combine(day, clock)
    assert timedelta() <= skipped <= timedelta(hours=1)


def test_the_hour_that_comes_twice_counts_as_its_first_pass_unless_that_is_over() -> None:
    day, clock = date(2026, 10, 25), time(2, 30)
    first, second = utc("2026-10-25 00:30"), utc("2026-10-25 01:30")
    assert schedule.clock_time(day, clock, "Europe/Berlin", first - 1) == first
    assert schedule.clock_time(day, clock, "Europe/Berlin", first) == second
    assert schedule.clock_time(day, clock, "Europe/Berlin", second) == first


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("new york", "America/New_York"),
        ("UTC", "UTC"),
        ("Etc/GMT+2", "Etc/GMT+2"),
        ("GMT+2", ""),
        ("", ""),
        ("Valhalla", ""),
        ("../../etc/passwd", ""),
        ("/usr/share/zoneinfo/UTC", ""),
        ("Europe/Berlin\0", ""),
        ("x" * 10_000, ""),
    ],
)
def test_time_zones_are_known_by_their_names(name: str, zone: str) -> None:
    assert schedule.zone_named(name) == zone
