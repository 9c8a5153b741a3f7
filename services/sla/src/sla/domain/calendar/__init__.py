"""Working time and working days of a calendar: weekly hours, dated days that differ, a time zone. Pure."""

from sla.domain.calendar.days import Day, day_from, days_from
from sla.domain.calendar.definition import (
    TZ_VERSION,
    Calendar,
    always_open,
    calendar_from,
    dated_days,
    is_provisional,
    local_date,
    spans_of_weekday,
    spans_on,
    weekly_hours,
    with_days,
)
from sla.domain.calendar.hours import Hours, Span, clock_time, minutes
from sla.domain.calendar.intervals import HORIZON_YEARS, add, elapsed
from sla.domain.calendar.working_days import add_working_days, is_working_day, nth_working_day, working_days_between

__all__ = [
    "HORIZON_YEARS",
    "TZ_VERSION",
    "Calendar",
    "Day",
    "Hours",
    "Span",
    "add",
    "add_working_days",
    "always_open",
    "calendar_from",
    "clock_time",
    "dated_days",
    "day_from",
    "days_from",
    "elapsed",
    "is_provisional",
    "is_working_day",
    "local_date",
    "minutes",
    "nth_working_day",
    "spans_of_weekday",
    "spans_on",
    "weekly_hours",
    "with_days",
    "working_days_between",
]
