"""The time, anywhere."""

import zoneinfo
from collections.abc import Callable
from datetime import datetime
from difflib import get_close_matches
from functools import cache
from typing import Annotated

from pydantic import Field

from services.toolrunner.model import Category, ToolFailed
from services.toolrunner.registry import Tool, tool

Place = Annotated[str, Field(max_length=100, description="An IANA time zone such as Europe/Berlin, or a large city.")]

CITIES = {
    "America/Chicago": ("austin", "dallas", "houston", "new orleans", "san antonio"),
    "America/Los_Angeles": ("las vegas", "portland", "san diego", "san francisco", "seattle"),
    "America/New_York": ("atlanta", "boston", "miami", "philadelphia", "washington"),
    "America/Sao_Paulo": ("brasilia", "rio de janeiro"),
    "America/Toronto": ("montreal", "ottawa"),
    "Africa/Johannesburg": ("cape town", "durban"),
    "Asia/Dubai": ("abu dhabi",),
    "Asia/Ho_Chi_Minh": ("hanoi",),
    "Asia/Jerusalem": ("tel aviv",),
    "Asia/Karachi": ("islamabad", "lahore"),
    "Asia/Kolkata": ("bangalore", "bengaluru", "chennai", "delhi", "mumbai", "new delhi"),
    "Asia/Shanghai": ("beijing", "guangzhou", "shenzhen"),
    "Asia/Tokyo": ("kyoto", "osaka"),
    "Australia/Sydney": ("canberra",),
    "Europe/Berlin": ("cologne", "frankfurt", "hamburg", "munich"),
    "Europe/Istanbul": ("ankara",),
    "Europe/London": ("birmingham", "edinburgh", "manchester"),
    "Europe/Madrid": ("barcelona", "valencia"),
    "Europe/Moscow": ("saint petersburg", "st petersburg"),
    "Europe/Paris": ("lyon", "marseille"),
    "Europe/Rome": ("florence", "milan", "naples", "venice"),
    "Europe/Zurich": ("basel", "bern", "geneva"),
}
"""Large cities that name no zone of their own."""


def bind(clock: Callable[[], float]) -> Tool:
    """The tool on a clock."""

    @tool()
    async def current_time(timezone: Place = "UTC") -> str:
        """The date, weekday and time now, in a time zone or city. Without one: in UTC."""
        zone = find(timezone)
        now = datetime.fromtimestamp(clock(), zoneinfo.ZoneInfo(zone))
        return f"{now:%A, %d %B %Y, %H:%M:%S} in {zone} ({now:%Z}); {now.isoformat(timespec='seconds')}"

    return current_time


def find(place: str) -> str:
    """The IANA zone of a place, written in any case.

    Raises:
        ToolFailed: There is none of this name (validation), or this machine has no time zones (configuration).
    """
    known = _names()
    if not known:
        raise ToolFailed(Category.CONFIGURATION, "This machine has no time zone data: install the package tzdata.")
    wanted = _plain(place)
    if wanted in known:
        return known[wanted]
    near = dict.fromkeys(known[name] for name in get_close_matches(wanted, known, n=5))
    hint = f"did you mean {', '.join(near)}?" if near else "give an IANA name such as Europe/Berlin."
    raise ToolFailed(Category.VALIDATION, f"The argument timezone is wrong: {place!r} is not known; {hint}")


@cache
def _names() -> dict[str, str]:
    """Every name that a zone has: its own, its city's, and those of the cities above."""
    zones = sorted(zoneinfo.available_timezones(), key=lambda zone: (zone.count("/"), zone), reverse=True)
    names = {_plain(zone.rpartition("/")[2]): zone for zone in zones}
    names |= {city: zone for zone, cities in CITIES.items() if zone in zones for city in cities}
    return names | {_plain(zone): zone for zone in zones}


def _plain(name: str) -> str:
    return " ".join(name.lower().replace("_", " ").split())
