"""What people write behind /remind and /every."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.pipeline import remind, schedule
from services.pipeline.remind import Unclear

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC).timestamp()
"""A Friday; 15:00 in Berlin."""
ZONE = "Europe/Berlin"


@pytest.mark.parametrize(
    ("text", "due", "what"),
    [
        ("in 10 minutes stretch your legs", "20 15:10", "stretch your legs"),
        ("10m stretch", "20 15:10", "stretch"),
        ("2h30m tea", "20 17:30", "tea"),
        ("2 hours and 30 minutes: tea", "20 17:30", "tea"),
        ("in 1 hour, 5 min to call", "20 16:05", "call"),
        ("in an hour x", "20 16:00", "x"),
        ("in half an hour x", "20 15:30", "x"),
        ("in 1 second hello", "20 15:00", "hello"),
        ("in 2 weeks 1 day x", "05 15:00", "x"),
        ("in 5 minutes a day off", "20 15:05", "a day off"),
        ("in 5 minutes 3 days of rain", "20 15:05", "3 days of rain"),
        ("in 10 minutes and 2 dogs", "20 15:10", "and 2 dogs"),
        ("at 18:00 go", "20 18:00", "go"),
        ("at 14:59 go", "21 14:59", "go"),
        ("at 15:00 go", "21 15:00", "go"),
        ("18:00 go", "20 18:00", "go"),
        ("18.30: go", "20 18:30", "go"),
        ("at 6pm go", "20 18:00", "go"),
        ("12 am go", "21 00:00", "go"),
        ("at 9 ambulance", "21 09:00", "ambulance"),
        ("at 9:00 tomorrow call", "21 09:00", "call"),
        ("at 9 on monday run", "23 09:00", "run"),
        ("at 9:00 tomorrow's news", "21 09:00", "tomorrow's news"),
        ("today 18:00 go", "20 18:00", "go"),
        ("tomorrow 9:00 that it rains", "21 09:00", "it rains"),
        ("tomorrow at 9 go", "21 09:00", "go"),
        ("friday 16:00 go", "20 16:00", "go"),
        ("friday 15:00 go", "27 15:00", "go"),
        ("on tue at 8:00 go", "24 08:00", "go"),
        ("2026-12-24 18:00 tree", "24 18:00", "tree"),
        ("2026-12-24T18:00 tree", "24 18:00", "tree"),
        ("now\nline one\nline two", "20 15:00", "line one\nline two"),
    ],
)
def test_times_are_read_as_people_write_them(text: str, due: str, what: str) -> None:
    found, rest = remind.once(text, NOW, ZONE)
    assert f"{schedule.local(found, ZONE):%d %H:%M}" == due
    assert remind.what(rest, remind.REMIND) == what


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "x",
            "soon x",
            "10 men",
            "5",
            "in x",
            "in 10",
            "tomorrow",
            "tomorrow call",
            "monday",
            "25:00 x",
            "at 9:60 x",
        ),
        *("13pm x", "0 am x", "in 0 minutes x", "today 9:00 x", "2026-11-20 14:00 x", "2026-02-30 9:00 x", "-5m x"),
        *("0000-01-01 9:00 x", "9999-12-31 23:59 x", "in 9999999 weeks x", "in 99999999 s x", "2032-01-01 9:00 x"),
        *("١٠m x", "in 1e3 minutes x", "next year x", "\0", "ten minutes x"),
    ],
)
def test_what_is_no_time_gets_a_sentence_with_an_example(text: str) -> None:
    with pytest.raises(Unclear) as error:
        remind.once(text, NOW, ZONE)
    assert len(str(error.value)) < 200
    assert "such as" in str(error.value) or "like this" in str(error.value)


@pytest.mark.parametrize(
    ("text", "cron", "what"),
    [
        ("day at 9:00 news", "0 9 * * *", "news"),
        ("day 9:05 news", "5 9 * * *", "news"),
        ("day at 9pm news", "0 21 * * *", "news"),
        ("weekday at 8 news", "0 8 * * 1-5", "news"),
        ("monday 9:00 news", "0 9 * * 1", "news"),
        ("sundays at 9:00 news", "0 9 * * 0", "news"),
        ("mon, thu and sun at 7:30 news", "30 7 * * 0,1,4", "news"),
        ("hour news", "0 * * * *", "news"),
        ("2 hours news", "0 */2 * * *", "news"),
        ("15 minutes news", "*/15 * * * *", "news"),
        ("5m news", "*/5 * * * *", "news"),
        ("0 9 * * 1-5 news of 3 days", "0 9 * * 1-5", "news of 3 days"),
        ("0  9 * * MON#1  news", "0 9 * * MON#1", "news"),
        ("*/30 8-18 * * * news", "*/30 8-18 * * *", "news"),
    ],
)
def test_recurrences_are_read_as_people_write_them(text: str, cron: str, what: str) -> None:
    found, rest = remind.again(text)
    assert (found, remind.what(rest, remind.EVERY)) == (cron, what)


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "day", "day news", "monday", "7 minutes x", "1 minute x", "minute x", "60 minutes x", "24 hours x"),
        *(
            "5 hours x",
            "0 minutes x",
            "9 horses",
            "* * * * * x",
            "0 0 31 2 * x",
            "99 9 * * * x",
            "0 9 * * x",
            "second x",
        ),
    ],
)
def test_what_does_not_recur_gets_a_sentence_with_an_example(text: str) -> None:
    with pytest.raises(Unclear) as error:
        remind.again(text)
    assert len(str(error.value)) < 200
    assert "such as" in str(error.value) or "This is one" in str(error.value)


@given(st.text(max_size=60) | st.from_regex(r"(in )?[0-9a-z:. ]{0,20}(tomorrow|minutes|am|day|at)[0-9a-z: *]{0,20}"))
def test_any_text_is_understood_or_refused_in_a_sentence(text: str) -> None:
    with suppress(Unclear):
        assert remind.once(text, NOW, ZONE)[0] >= NOW
    with suppress(Unclear):
        assert remind.again(text)[0]


@pytest.mark.parametrize(("text", "words"), [("", "such as"), (" \n", "such as"), ("x" * 1001, "1,001 characters")])
def test_a_text_is_needed_and_bounded(text: str, words: str) -> None:
    with pytest.raises(Unclear, match=words):
        remind.what(text, remind.REMIND)


def test_the_text_of_a_reminder_stays_as_it_is() -> None:
    assert remind.what(" *Tomorrow* we go\nto _Rome_! ", remind.REMIND) == "*Tomorrow* we go\nto _Rome_!"
    assert remind.without_me("me in 5 m x") == "in 5 m x"
    assert remind.reminding("remind us of the stand-up") == "the stand-up"
    assert remind.reminding("reminders are fine") == ""
