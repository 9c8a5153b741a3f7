"""Working time: tables of known days, and laws that hold for any calendar."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.calendars import INSTANTS, calendars

from opsledger_runtime.errors import Invalid
from sla.domain.calendar import (
    TZ_VERSION,
    Calendar,
    Hours,
    add,
    always_open,
    calendar_from,
    elapsed,
    minutes,
    weekly_hours,
)

OFFICE = weekly_hours("Asia/Shanghai", [Hours(d, o, c) for d in range(5) for o, c in ((540, 720), (810, 1080))])
NIGHT = weekly_hours("Europe/Berlin", [Hours(6, 0, 1440)])
SECOND = timedelta(seconds=1)


def shanghai(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Shanghai"))


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2026-11-23T09:00", "2026-11-23T18:00", 7.5),
        ("2026-11-23T11:30", "2026-11-23T14:00", 1.0),
        ("2026-11-23T12:10", "2026-11-23T13:20", 0.0),
        ("2026-11-20T17:00", "2026-11-23T10:00", 2.0),
        ("2026-11-21T00:00", "2026-11-22T23:59", 0.0),
        ("2026-12-31T17:30", "2027-01-01T09:30", 1.0),
        ("2026-11-23T10:00", "2026-11-23T09:00", 0.0),
    ],
)
def test_r89_office_hours_with_a_lunch_break_count_only_work(start: str, end: str, hours: float) -> None:
    assert elapsed(OFFICE, shanghai(start), shanghai(end)) == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        ("2026-11-23T11:00", 2, "2026-11-23T14:30"),
        ("2026-11-23T09:00", 3, "2026-11-23T12:00"),
        ("2026-11-23T12:30", 1, "2026-11-23T14:30"),
        ("2026-11-20T16:00", 4, "2026-11-23T11:00"),
        ("2026-11-21T10:00", 7.5, "2026-11-23T18:00"),
    ],
)
def test_r89_a_due_instant_falls_into_working_hours(start: str, hours: float, due: str) -> None:
    assert add(OFFICE, shanghai(start), timedelta(hours=hours)) == shanghai(due)


def test_a_day_of_23_hours_and_a_day_of_25_hours_count_what_passed() -> None:
    assert elapsed(NIGHT, berlin("2026-03-29T00:00"), berlin("2026-03-30T00:00")) == timedelta(hours=23)
    assert elapsed(NIGHT, berlin("2026-10-25T00:00"), berlin("2026-10-26T00:00")) == timedelta(hours=25)
    assert add(NIGHT, berlin("2026-03-29T00:00"), timedelta(hours=3)) == berlin("2026-03-29T04:00")
    assert add(NIGHT, berlin("2026-10-25T00:00"), timedelta(hours=4)) == berlin("2026-10-25T03:00")


def test_hours_inside_the_skipped_hour_neither_overlap_nor_run_backwards() -> None:
    calendar = weekly_hours("Europe/Berlin", [Hours(6, 60, 150), Hours(6, 150, 170), Hours(6, 170, 300)])
    whole = elapsed(calendar, berlin("2026-03-29T00:00"), berlin("2026-03-30T00:00"))
    assert whole == timedelta(hours=3)
    assert elapsed(calendar, berlin("2026-03-28T12:00"), datetime(2026, 3, 29, 1, 0, tzinfo=UTC)) == timedelta(hours=1)


def test_around_the_clock_equals_wall_time() -> None:
    calendar = always_open("Europe/Berlin")
    assert elapsed(calendar, berlin("2026-03-29T00:00"), berlin("2026-03-30T00:00")) == timedelta(hours=23)
    weekly = weekly_hours("UTC", [Hours(day, 0, 1440) for day in range(7)])
    start = datetime(2025, 2, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert elapsed(weekly, start, start + timedelta(days=800)) == timedelta(days=800)


@pytest.mark.parametrize(
    ("definition", "says"),
    [
        ({"weekly": []}, "never opens"),
        (
            {
                "weekly": [
                    {"day": 0, "opens": "09:00", "closes": "12:00"},
                    {"day": 0, "opens": "11:00", "closes": "13:00"},
                ]
            },
            "overlap",
        ),
        ({"weekly": [{"day": 0, "opens": "24:00", "closes": "09:00"}]}, "no interval"),
        (
            {
                "weekly": [
                    {"day": 0, "opens": "22:00", "closes": "06:00"},
                    {"day": 1, "opens": "05:59", "closes": "12:00"},
                ]
            },
            "Monday 22:00 to 06:00 and Tuesday 05:59 to 12:00 overlap",
        ),
        (
            {
                "weekly": [
                    {"day": 6, "opens": "22:00", "closes": "06:00"},
                    {"day": 0, "opens": "00:00", "closes": "01:00"},
                ]
            },
            "Sunday 22:00 to 06:00 and Monday 00:00 to 01:00 overlap",
        ),
        ({"weekly": [{"day": 7, "opens": "09:00", "closes": "12:00"}]}, "no weekday"),
        ({"weekly": [{"day": -1, "opens": "09:00", "closes": "12:00"}]}, "no weekday"),
        ({"weekly": [{"day": 0, "opens": "9:00", "closes": "12:00"}]}, "HH:MM"),
        ({"weekly": [{"day": 0, "opens": "09:60", "closes": "12:00"}]}, "HH:MM"),
        ({"weekly": [{"day": 0, "opens": "09:00", "closes": "24:01"}]}, "HH:MM"),
        ({"weekly": [{"day": 0, "opens": "０9:00", "closes": "12:00"}]}, "HH:MM"),
        ({"time_zone": "Mars/Olympus", "weekly": []}, "no time zone"),
        ({"time_zone": "../../etc/passwd", "weekly": []}, "no time zone"),
        ({"time_zone": "Europe", "weekly": []}, "no time zone"),
        ({"time_zone": "", "weekly": []}, "no time zone"),
        ({"always_open": True, "weekly": [{"day": 0, "opens": "09:00", "closes": "12:00"}]}, "always open"),
    ],
)
def test_a_wrong_calendar_is_refused_with_a_sentence_that_says_what_to_change(
    definition: dict[str, object], says: str
) -> None:
    with pytest.raises(Invalid, match=says) as refused:
        calendar_from({"time_zone": "Asia/Shanghai", "always_open": False, **definition})
    assert refused.value.errors
    assert refused.value.message.endswith(".")


def test_a_calendar_that_opens_rarely_gives_up_instead_of_searching_for_ever() -> None:
    rare = weekly_hours("UTC", [Hours(0, 0, 1)])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert add(rare, start, timedelta(minutes=52)) < datetime(2027, 1, 4, tzinfo=UTC)
    with pytest.raises(Invalid, match="shorter target"):
        add(rare, start, timedelta(days=400))
    with pytest.raises(Invalid, match="shorter target"):
        add(always_open(), start, timedelta(days=400_000))


def test_a_definition_survives_its_json_form() -> None:
    assert calendar_from(OFFICE.definition()) == OFFICE
    assert calendar_from(always_open("Asia/Tokyo").definition()) == always_open("Asia/Tokyo")
    assert minutes("24:00") == 1440
    assert TZ_VERSION[:2] == "20"


AMOUNTS = st.timedeltas(timedelta(0), timedelta(hours=200))


@settings(max_examples=150, deadline=None)
@given(calendars(), INSTANTS, AMOUNTS)
def test_adding_and_counting_are_inverse(calendar: Calendar, start: datetime, amount: timedelta) -> None:
    try:
        due = add(calendar, start, amount)
    except Invalid:
        return
    assert elapsed(calendar, start, due) == amount
    if amount:
        assert elapsed(calendar, start, due - timedelta(microseconds=1)) < amount


@settings(max_examples=60, deadline=None)
@given(calendars(), INSTANTS, INSTANTS, st.integers(1, 20))
def test_more_hours_later_is_never_earlier(calendar: Calendar, start: datetime, other: datetime, hours: int) -> None:
    first, second = sorted((start, other))
    try:
        assert add(calendar, first, timedelta(hours=hours)) <= add(calendar, second, timedelta(hours=hours))
        assert add(calendar, first, timedelta(hours=hours)) < add(calendar, first, timedelta(hours=hours + 1))
    except Invalid:
        return
