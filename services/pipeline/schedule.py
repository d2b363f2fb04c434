"""Points in time as people mean them: cron expressions and clocks in a time zone. Times are in epoch seconds."""

import zoneinfo
from datetime import date, datetime, time
from functools import lru_cache

from cronsim import CronSim, CronSimError

DEFAULT = "UTC"
"""The time zone of whoever did not name one."""

SHORTEST = 300
"""Seconds between two runs of what recurs, at least."""

LONGEST_CRON = 100
_DAY = 24 * 60


class BadCron(ValueError):
    """The expression cannot be used; the text is a sentence."""


def next_run(cron: str, zone: str, after: float) -> float:
    """The first run after a time.

    As in Debian's cron, what would run inside of the hour that a clock leaves out runs right behind it, and what runs
    at a given hour runs once in the hour that comes twice.

    Raises:
        BadCron: There is none, or this is no cron expression of five fields.
    """
    try:
        for found in CronSim(_five_fields(cron), datetime.fromtimestamp(after, zoneinfo.ZoneInfo(zone))):
            if found.timestamp() > after:
                return found.timestamp()
    except CronSimError:
        raise BadCron(f"“{cron}” is no cron expression.") from None
    raise BadCron(f"“{cron}” never comes.")


def next_after_a_run(cron: str, zone: str, due: float, now: float) -> float:
    """When what recurs is due again: runs that were missed in between are left out, for one run makes up for all."""
    return next_run(cron, zone, max(due, now))


def check(cron: str) -> None:
    """Raise BadCron where an expression cannot be read, never comes, or comes more often than SHORTEST allows."""
    next_run(cron, DEFAULT, 0)
    fields = CronSim(cron, datetime(2000, 1, 1))  # noqa: DTZ001  # only read, not run
    minutes = sorted(60 * hour + minute for hour in fields.hours for minute in fields.minutes)
    following = [*minutes[1:], minutes[0] + _DAY]
    if min(later - sooner for sooner, later in zip(minutes, following, strict=True)) * 60 < SHORTEST:
        raise BadCron(f"“{cron}” comes more often than every {SHORTEST // 60} minutes, which is more than I may do.")


def _five_fields(cron: str) -> str:
    if len(cron) > LONGEST_CRON:
        raise BadCron("This cron expression is too long.")
    if len(cron.split()) != 5:
        raise BadCron(f"“{cron}” is no cron expression: it has five fields.")
    return cron


def clock_time(day: date, clock: time, zone: str, now: float) -> float:
    """When a clock shows this. The hour that comes twice counts as its first pass, unless that is over.

    A time that the clock leaves out is as long after midnight as it would have been.
    """
    local = datetime.combine(day, clock, zoneinfo.ZoneInfo(zone))
    first, second = (local.replace(fold=fold).timestamp() for fold in (0, 1))
    return second if first <= now < second else first


def local(seconds: float, zone: str) -> datetime:
    """What a clock shows."""
    return datetime.fromtimestamp(seconds, zoneinfo.ZoneInfo(zone))


def show(seconds: float, zone: str) -> str:
    """A time as people read it."""
    return f"{local(seconds, zone):%a %d %b %Y, %H:%M}"


def zone_named(name: str) -> str:
    """The IANA name of a time zone, given in any case, or by its city alone; empty where there is none."""
    return _zones().get("_".join(name.split()).lower(), "")


@lru_cache(maxsize=1)
def _zones() -> dict[str, str]:
    names = sorted(zoneinfo.available_timezones(), key=lambda name: (name.count("/"), name), reverse=True)
    # The names in Etc/ count their hours the other way round: they are taken only where they are written out.
    cities = {name.rpartition("/")[2].lower(): name for name in names if not name.startswith("Etc/")}
    return cities | {name.lower(): name for name in names}
