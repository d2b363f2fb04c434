"""What people write behind /remind and /every: the time first, then the text. Pure."""

import re
from datetime import date, time, timedelta

from services.pipeline import schedule
from services.pipeline.promises import LONGEST

FARTHEST = 5 * 366 * 86_400
"""Seconds ahead that may be promised."""

REMIND = "Please say when and of what, such as: /remind in 10 minutes stretch your legs"
EVERY = "Please say how often and what, such as: /every day at 9:00 remind me of the stand-up"
DAY_ALONE = "Please say the time of day as well, such as: tomorrow 9:00"
STEPS = (
    "I can repeat every 5, 6, 10, 12, 15, 20 or 30 minutes and every 1, 2, 3, 4, 6, 8 or 12 hours, such as: 15 minutes"
)

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY = r"mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:r(?:s(?:day)?)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?"
_END = r"(?![^\W_])"
"""The word ends here."""


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_NOW = _compiled(rf"(?:right )?now{_END}")
_IN = _compiled(r"in\s+")
_AMOUNT = _compiled(
    r"(?:(?:,|and)\s+)?(?P<count>[0-9]{1,7}|half an?|an?)\s*"
    r"(?P<unit>w(?:eeks?)?|d(?:ays?)?|h(?:ours?|rs?)?|m(?:in(?:ute)?s?)?|s(?:ec(?:ond)?s?)?)(?![^\W\d_])\s*"
)
_CLOCK = _compiled(
    r"(?P<at>at\s+)?(?P<hour>[0-9]{1,2})(?:[:.](?P<minute>[0-9]{2})(?::[0-9]{2})?)?\s*(?P<half>[ap]m)?" + _END
)
_ON = _compiled(rf"(?:on\s+)?(?P<day>today|tomorrow|{_DAY}|[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})(?:T(?=[0-9])|{_END},?\s*)")
_ON_BEHIND = _compiled(rf"\s*(?:on\s+(?={_DAY}))?(?P<day>today|tomorrow|(?<=on\s){_DAY}){_END}(?!['’])")
_EACH = _compiled(rf"(?:(?P<count>[0-9]{{1,7}})\s*)?(?P<unit>h(?:ours?|rs?)?|m(?:in(?:ute)?s?)?){_END}\s*")
_ON_DAYS = _compiled(rf"(?P<days>(?:week)?days?|(?:{_DAY})s?(?:\s*(?:,|and)\s*(?:{_DAY})s?)*){_END},?\s*")
_CRON = _compiled(r"(?P<cron>[0-9*][0-9*,/-]*(?:\s+[0-9A-Z*,/#-]+){4})(?:\s+|$)")
_REMINDING = _compiled(r"remind (?:me|us)(?: (?:of|to|about|that))? (?P<text>.+)")


class Unclear(ValueError):
    """What was written cannot be understood; the text is a sentence with an example."""


def once(text: str, now: float, zone: str) -> tuple[float, str]:
    """The time that a text begins with, and the rest of it. Raises Unclear."""
    if match := _NOW.match(text):
        return now, text[match.end() :]
    found = _duration(text, now) or _on_a_day(text, now, zone) or _at_a_clock(text, now, zone)
    if found is None:
        raise Unclear(REMIND)
    due, rest = found
    if not now < due:
        raise Unclear("That time is over; please give one that comes, such as: tomorrow 9:00")
    if due > now + FARTHEST:
        raise Unclear("I can promise five years ahead at most, such as: in 4 weeks")
    return due, rest


def again(text: str) -> tuple[str, str]:
    """The recurrence that a text begins with, as a cron expression, and the rest of it. Raises Unclear."""
    cron, rest = _each(text) or _on_days(text) or _as_cron(text) or ("", "")
    if not cron:
        raise Unclear(EVERY)
    try:
        schedule.check(cron)
    except schedule.BadCron as error:
        raise Unclear(f"{error} This is one: 0 9 * * 1-5") from None
    return cron, rest


def what(rest: str, example: str) -> str:
    """What is promised: the text behind the time. Raises Unclear."""
    text = re.sub(r"^(?:to|that)\s+", "", rest.strip(" \t\n,:;–—"), flags=re.IGNORECASE)
    if not text:
        raise Unclear(example)
    if len(text) > LONGEST:
        raise Unclear(f"That is {len(text):,} characters; I can promise {LONGEST:,}. {example}")
    return text


def without_me(text: str) -> str:
    """The text behind /remind without the "me" that some write."""
    return re.sub(r"^(?:me|us)\s+", "", text, flags=re.IGNORECASE)


def reminding(text: str) -> str:
    """Of what a text asks to be reminded; empty where it asks for something else."""
    match = _REMINDING.fullmatch(text)
    return match["text"] if match else ""


def _duration(text: str, now: float) -> tuple[float, str] | None:
    begin = _IN.match(text)
    rest, seconds, last = text[begin.end() if begin else 0 :], 0.0, float("inf")
    while match := _AMOUNT.match(rest):
        size, count = _UNITS[match["unit"][0].lower()], match["count"].lower()
        if size >= last or not (count.isdigit() or (begin and not seconds)):
            break  # what looks like an amount belongs to the text
        seconds += size * (int(count) if count.isdigit() else 0.5 if count.startswith("half") else 1)
        rest, last = rest[match.end() :], size
    return (now + seconds, rest) if last < float("inf") else None


def _on_a_day(text: str, now: float, zone: str) -> tuple[float, str] | None:
    match = _ON.match(text)
    if match is None:
        return None
    clock = _clock(text[match.end() :], bare=True)
    if clock is None:
        raise Unclear(DAY_ALONE)
    return _named_day(match["day"], clock[0], now, zone), clock[1]


def _at_a_clock(text: str, now: float, zone: str) -> tuple[float, str] | None:
    clock = _clock(text, bare=False)
    if clock is None:
        return None
    if match := _ON_BEHIND.match(clock[1]):
        return _named_day(match["day"], clock[0], now, zone), clock[1][match.end() :]
    today = schedule.local(now, zone).date()
    times = (schedule.clock_time(today + timedelta(days), clock[0], zone, now) for days in (0, 1))
    return next(found for found in times if found > now), clock[1]


def _clock(text: str, *, bare: bool) -> tuple[time, str] | None:
    """The time of day that a text begins with; `bare`: a number alone is one."""
    match = _CLOCK.match(text)
    if match is None or not (bare or match["at"] or match["minute"] or match["half"]):
        return None
    hour, half = int(match["hour"]), (match["half"] or "").lower()
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0) if 1 <= hour <= 12 else 99
    try:
        return time(hour, int(match["minute"] or 0)), text[match.end() :]
    except ValueError:
        raise Unclear("That is no time of day; please write it like this: 18:30") from None


def _named_day(name: str, clock: time, now: float, zone: str) -> float:
    today = schedule.local(now, zone).date()
    if name[0].isdigit():
        try:
            return schedule.clock_time(date.fromisoformat(name), clock, zone, now)
        except (ValueError, OverflowError):
            raise Unclear(f"There is no {name}; please write a day like this: 2026-12-24 18:00") from None
    if name.lower() in {"today", "tomorrow"}:
        return schedule.clock_time(today + timedelta(name.lower() == "tomorrow"), clock, zone, now)
    ahead = (_weekday(name) - today.weekday()) % 7
    found = schedule.clock_time(today + timedelta(ahead), clock, zone, now)
    return found if found > now else schedule.clock_time(today + timedelta(ahead + 7), clock, zone, now)


def _weekday(name: str) -> int:
    """0 for Monday."""
    return next(number for number, day in enumerate(_DAYS) if day.startswith(name.lower()[:3]))


def _each(text: str) -> tuple[str, str] | None:
    match = _EACH.match(text)
    if match is None:
        return None
    count, hours = int(match["count"] or 1), match["unit"][0].lower() == "h"
    if count == 0 or (24 if hours else 60) % count or (not hours and not 5 <= count < 60) or count == 24:
        raise Unclear(STEPS)
    step = "*" if count == 1 else f"*/{count}"
    return (f"0 {step} * * *" if hours else f"{step} * * * *"), text[match.end() :]


def _on_days(text: str) -> tuple[str, str] | None:
    match = _ON_DAYS.match(text)
    if match is None:
        return None
    clock = _clock(text[match.end() :], bare=True)
    if clock is None:
        raise Unclear("Please say the time of day as well, such as: day at 9:00")
    names = match["days"].lower()
    if names.startswith("day"):
        days = "*"
    elif names.startswith("weekday"):
        days = "1-5"
    else:  # to cron, Sunday is 0
        numbers = {(_weekday(name) + 1) % 7 for name in re.findall(r"[a-z]+", names) if name != "and"}
        days = ",".join(str(number) for number in sorted(numbers))
    return f"{clock[0].minute} {clock[0].hour} * * {days}", clock[1]


def _as_cron(text: str) -> tuple[str, str] | None:
    match = _CRON.match(text)
    return (" ".join(match["cron"].split()), text[match.end() :]) if match else None
