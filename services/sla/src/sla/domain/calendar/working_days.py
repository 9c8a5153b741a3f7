"""Working days beside working hours: a day works if an interval opens on it, however short. Pure.

The working days of a year are listed once and searched.
"""

from bisect import bisect_right
from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from opsledger_runtime.errors import Invalid
from sla.domain.calendar.definition import Calendar, local_date, spans_on
from sla.domain.calendar.intervals import EPOCH, HORIZON_YEARS, LAST_YEAR, MICROSECOND, check_year, instant_of


def is_working_day(calendar: Calendar, day: date) -> bool:
    """Whether the calendar opens on that local day."""
    return bool(spans_on(calendar, day))


def nth_working_day(calendar: Calendar, start: date, n: int) -> date:
    """The n-th working day after `start`, which itself does not count.

    Raises:
        Invalid: `n` is below 1, or the day is not within `HORIZON_YEARS`.
    """
    if n < 1:
        raise Invalid(f"{n} working days do not lie ahead. Count from 1, the next working day.")
    check_year(start.year)
    wanted = bisect_right(_working_days(calendar, start.year), start.toordinal()) + n
    for year in range(start.year, min(start.year + HORIZON_YEARS, LAST_YEAR + 1)):
        found = _working_days(calendar, year)
        if wanted <= len(found):
            return date.fromordinal(found[wanted - 1])
        wanted -= len(found)
    raise Invalid(
        f"{n} working days do not pass within {HORIZON_YEARS} years. Choose fewer, or a calendar that opens more "
        "often.",
        code="beyond_horizon",
    )


def add_working_days(calendar: Calendar, start: datetime, n: int, at: int | None = None) -> datetime:
    """The end of the n-th working day after `start`'s local day, or that day at `at` minutes after midnight.

    A day's end is when its last interval closes, past midnight where that is so.

    Raises:
        Invalid: as `nth_working_day`, or `at` is no time of day.
    """
    if at is not None and not 0 <= at <= 24 * 60:
        raise Invalid(f"{at} is no time of day. Count minutes after midnight, 0 to 1440.")
    day = nth_working_day(calendar, local_date(calendar, start), n)
    minute = spans_on(calendar, day)[-1].closes if at is None else at
    return EPOCH + instant_of(ZoneInfo(calendar.time_zone), day, minute) * MICROSECOND


def working_days_between(calendar: Calendar, start: date, end: date) -> int:
    """Working days after `start` up to and including `end`; 0 where that is not later."""
    if end <= start:
        return 0
    check_year(start.year)
    check_year(end.year)
    total = sum(len(_working_days(calendar, year)) for year in range(start.year, end.year))
    until = bisect_right(_working_days(calendar, end.year), end.toordinal())
    return total + until - bisect_right(_working_days(calendar, start.year), start.toordinal())


@lru_cache(maxsize=1024)
def _working_days(calendar: Calendar, year: int) -> tuple[int, ...]:
    days = range(date(year, 1, 1).toordinal(), date(year + 1, 1, 1).toordinal())
    return tuple(day for day in days if is_working_day(calendar, date.fromordinal(day)))
