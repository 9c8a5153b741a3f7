"""Working days by the published schedules of 2025 and 2026, read by hand from the State Council's notices.

2025 (国办发明电〔2024〕12号): 春节 01-28 to 02-04, work 01-26 (Sun) and 02-08 (Sat); 劳动节 05-01 to 05-05, work 04-27
(Sun); 国庆、中秋 10-01 to 10-08, work 09-28 (Sun) and 10-11 (Sat).
2026 (国办发明电〔2025〕7号): 元旦 01-01 to 01-03, work 01-04 (Sun); 春节 02-15 to 02-23, work 02-14 and 02-28 (Sat);
劳动节 05-01 to 05-05, work 05-09 (Sat); 国庆 10-01 to 10-07, work 09-20 (Sun) and 10-10 (Sat).
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsledger_runtime.errors import Invalid
from sla.calendars import definition_of
from sla.domain.calendar import (
    Hours,
    add,
    add_working_days,
    always_open,
    calendar_from,
    elapsed,
    is_provisional,
    is_working_day,
    nth_working_day,
    weekly_hours,
    working_days_between,
)

NOW = datetime(2026, 11, 22, tzinfo=UTC)
OFFICE: dict[str, Any] = {
    "time_zone": "Asia/Shanghai",
    "always_open": False,
    "weekly": [
        {"day": day, "opens": opens, "closes": closes}
        for day in range(5)
        for opens, closes in (("09:00", "12:00"), ("13:30", "18:00"))
    ],
}
CHINA = calendar_from(definition_of({**OFFICE, "holidays": {"country": "CN"}}, NOW))
PLAIN = calendar_from(OFFICE)


def shanghai(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Shanghai"))


def days(*texts: str) -> list[date]:
    return [date.fromisoformat(text) for text in texts]


OFF = days(
    *(f"2025-01-{n}" for n in (28, 29, 30, 31)),
    *("2025-02-03", "2025-02-04", "2025-04-04", "2025-05-01", "2025-05-02", "2025-05-05", "2025-06-02"),
    *(f"2025-10-0{n}" for n in (1, 2, 3, 6, 7, 8)),
    *("2026-01-01", "2026-01-02", *(f"2026-02-{n}" for n in (16, 17, 18, 19, 20, 23))),
    *("2026-04-06", "2026-05-01", "2026-05-04", "2026-05-05", "2026-06-19", "2026-09-25"),
    *(f"2026-10-0{n}" for n in (1, 2, 5, 6, 7)),
)
"""Weekdays on which nobody works, though it is Monday to Friday."""

WORKED = days(
    *("2025-01-26", "2025-02-08", "2025-04-27", "2025-09-28", "2025-10-11"),
    *("2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10"),
)
"""Days of weekends on which everybody works."""


def test_r36_every_working_day_of_two_years_is_as_published() -> None:
    day = date(2025, 1, 2)  # 2025-01-01 is off by the notice of the same year, and by no list above
    assert not is_working_day(CHINA, date(2025, 1, 1))
    while day.year < 2027:
        expected = day in WORKED or (day.weekday() < 5 and day not in OFF)
        assert is_working_day(CHINA, day) is expected, day
        day += timedelta(days=1)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        # 国庆 2025: 09-25, 26, [28 Sun], 29, 30, then 10-09, 10, [11 Sat], 13, 14, 15, 16, 17, 20, 21.
        ("2025-09-24T10:00", "2025-10-21T18:00"),
        # 春节 2026: 02-11, 12, 13, [14 Sat], then 24, 25, 26, 27, [28 Sat], 03-02, 03, 04, 05, 06, 09.
        ("2026-02-10T17:59", "2026-03-09T18:00"),
        # 国庆 2026 from a Sunday that is worked: 09-21 to 24, 28 to 30, then 10-08, 09, [10 Sat], 12 to 16.
        ("2026-09-20T23:59", "2026-10-16T18:00"),
        # From a holiday: 10-08, 09, [10 Sat], 12 to 16, 19 to 23, 26, 27.
        ("2026-10-03T12:00", "2026-10-27T18:00"),
    ],
)
def test_r36_fifteen_working_days_across_the_make_up_days(start: str, end: str) -> None:
    assert add_working_days(CHINA, shanghai(start), 15) == shanghai(end)
    assert working_days_between(CHINA, shanghai(start).date(), shanghai(end).date()) == 15


def test_r36_without_holidays_the_same_fifteen_days_are_three_weeks() -> None:
    assert add_working_days(PLAIN, shanghai("2026-02-10T17:59"), 15) == shanghai("2026-03-03T18:00")


def test_r36_the_next_working_day_at_16() -> None:
    at = 16 * 60
    assert add_working_days(CHINA, shanghai("2026-02-13T20:00"), 1, at) == shanghai("2026-02-14T16:00")
    assert add_working_days(CHINA, shanghai("2026-02-14T08:00"), 1, at) == shanghai("2026-02-24T16:00")
    assert add_working_days(CHINA, shanghai("2026-11-20T08:00"), 1, at) == shanghai("2026-11-23T16:00")


def test_r89_sixteen_hours_run_around_the_spring_festival() -> None:
    """The example of the comparison of libraries: own code and pandas agreed on it."""
    eight = {**OFFICE, "weekly": [{"day": day, "opens": "09:00", "closes": "17:00"} for day in range(5)]}
    calendar = calendar_from(definition_of({**eight, "holidays": {"country": "CN"}}, NOW))
    assert add(calendar, shanghai("2026-02-13T16:00"), timedelta(hours=16)) == shanghai("2026-02-24T16:00")


def test_r89_a_make_up_day_has_the_hours_of_monday_or_of_the_weekday_stated() -> None:
    friday = {"day": 4, "opens": "10:00", "closes": "12:00"}
    weekly = [{"day": 0, "opens": "08:00", "closes": "09:00"}, friday]
    asked = {**OFFICE, "weekly": weekly, "holidays": {"country": "CN"}}
    day = shanghai("2026-02-14T00:00"), shanghai("2026-02-15T00:00")
    for weekday, hours in ((None, 1), (0, 1), (4, 2)):
        calendar = calendar_from(definition_of({**asked, "make_up_weekday": weekday}, NOW))
        assert elapsed(calendar, *day) == timedelta(hours=hours)


def test_days_before_noon_utc_belong_to_the_calendars_own_date() -> None:
    """18:00 of Friday in UTC is Saturday in Shanghai already, so the next working day is Monday."""
    start = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
    assert add_working_days(PLAIN, start, 1) == shanghai("2026-11-23T18:00")


def test_a_night_shift_ends_its_day_on_the_next_one() -> None:
    nights = weekly_hours("Asia/Shanghai", [Hours(day, 22 * 60, 6 * 60) for day in range(5)])
    assert add_working_days(nights, shanghai("2026-11-19T10:00"), 1) == shanghai("2026-11-21T06:00")
    assert not is_working_day(nights, date(2026, 11, 21))


def test_around_the_clock_every_day_works() -> None:
    calendar = always_open("Asia/Shanghai")
    assert add_working_days(calendar, shanghai("2026-11-20T10:00"), 2) == shanghai("2026-11-23T00:00")
    assert working_days_between(calendar, date(2025, 12, 31), date(2026, 12, 31)) == 365


@pytest.mark.parametrize(("n", "at"), [(0, None), (-3, None), (1, -1), (1, 1441), (10**9, None)])
def test_days_that_make_no_sense_are_refused(n: int, at: int | None) -> None:
    with pytest.raises(Invalid):
        add_working_days(PLAIN, NOW, n, at)


def test_due_instants_are_provisional_beyond_what_the_library_knows() -> None:
    """On 2026-11-22 nobody knows the make-up days of 2027."""
    assert CHINA.confirmed_through == date(2026, 12, 31)
    assert not is_provisional(CHINA, shanghai("2026-12-31T23:59"))
    assert is_provisional(CHINA, shanghai("2027-01-01T00:00"))
    assert not is_provisional(PLAIN, shanghai("2099-01-01T00:00"))
    germany = calendar_from(definition_of({**OFFICE, "holidays": {"country": "DE", "subdivision": "BY"}}, NOW))
    assert germany.confirmed_through == date(2028, 12, 31)


DATES = st.dates(date(2024, 1, 1), date(2028, 12, 31))


@settings(max_examples=200, deadline=None)
@given(DATES, DATES, DATES, st.integers(1, 300))
def test_counting_days_and_going_days_ahead_are_inverse(first: date, second: date, third: date, n: int) -> None:
    ahead = nth_working_day(CHINA, first, n)
    assert working_days_between(CHINA, first, ahead) == n
    assert is_working_day(CHINA, ahead)
    one, two, three = sorted((first, second, third))
    parts = working_days_between(CHINA, one, two) + working_days_between(CHINA, two, three)
    assert parts == working_days_between(CHINA, one, three)
    slow = sum(is_working_day(CHINA, one + timedelta(days=k)) for k in range(1, (two - one).days + 1))
    assert slow == working_days_between(CHINA, one, two)
