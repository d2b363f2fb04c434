"""The time anywhere, and what is said where nobody knows a place."""

import zoneinfo

import pytest

from services.toolrunner.model import Category, ToolFailed
from services.toolrunner.tools import current_time

NOON = 1_782_000_000.0  # 2026-06-21 00:00:00 UTC
TOOL = current_time.bind(lambda: NOON)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("UTC", "UTC"),
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        (" Berlin ", "Europe/Berlin"),
        ("munich", "Europe/Berlin"),
        ("San Francisco", "America/Los_Angeles"),
        ("new york", "America/New_York"),
        ("New_York", "America/New_York"),
        ("buenos aires", "America/Buenos_Aires"),
        ("Kathmandu", "Asia/Kathmandu"),
        ("Delhi", "Asia/Kolkata"),
    ],
)
def test_a_zone_is_found_by_its_name_or_city(place: str, expected: str) -> None:
    assert current_time.find(place) == expected


@pytest.mark.parametrize("zone", current_time.CITIES)
def test_every_city_lies_in_a_zone_that_exists(zone: str) -> None:
    assert zone in zoneinfo.available_timezones()
    for city in current_time.CITIES[zone]:
        assert current_time.find(city) == zone


async def test_the_time_is_told_in_the_zone() -> None:
    assert await TOOL.run("{}") == "Sunday, 21 June 2026, 00:00:00 in UTC (UTC); 2026-06-21T00:00:00+00:00"
    told = await TOOL.run('{"timezone": "Delhi"}')
    assert told == "Sunday, 21 June 2026, 05:30:00 in Asia/Kolkata (IST); 2026-06-21T05:30:00+05:30"


@pytest.mark.parametrize(
    ("place", "hint"),
    [("Europe/Berln", "Europe/Berlin"), ("Mumbay", "Asia/Kolkata"), ("xqzw", "IANA"), ("../etc/passwd", "not known")],
)
async def test_an_unknown_place_is_named_with_near_ones(place: str, hint: str) -> None:
    with pytest.raises(ToolFailed) as failure:
        current_time.find(place)
    assert failure.value.category is Category.VALIDATION
    assert hint in failure.value.message


def test_a_machine_without_time_zones_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoneinfo, "available_timezones", set)
    current_time._names.cache_clear()
    try:
        with pytest.raises(ToolFailed, match="tzdata") as failure:
            current_time.find("Berlin")
    finally:
        current_time._names.cache_clear()
    assert failure.value.category is Category.CONFIGURATION
