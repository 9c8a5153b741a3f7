"""What answers show of calendars: day by day, and whether their days are known for long enough."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal

from pydantic import BaseModel

from sla.domain.calendar import (
    Calendar,
    Day,
    Span,
    calendar_from,
    clock_time,
    dated_days,
    local_date,
    spans_on,
)

WARN_DAYS: Final = 90
"""Days before `confirmed_through` from which a calendar warns."""

Reason = Literal["weekly", "holiday", "make_up_day", "exception"]


class HoursView(BaseModel):
    """A local interval; one that closes at or before it opens closes the next day."""

    opens: str
    closes: str


class CalendarDayView(BaseModel):
    """A local day: the intervals that open on it, and why. `weekday` counts Monday as 0.

    `provisional`: it lies beyond what is confirmed, so a holiday or a make-up day may yet be published.
    """

    date: date
    weekday: int
    working: bool
    hours: list[HoursView]
    reason: Reason
    name_zh: str | None
    name_en: str | None
    provisional: bool


def days_view(calendar: Calendar, first: date, last: date) -> list[CalendarDayView]:
    """The days from `first` to `last`, both included."""
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [_day(calendar, day, dated_days(calendar).get(day)) for day in days]


def with_warnings(shown: dict[str, Any], now: datetime) -> dict[str, Any]:
    """A definition as answers show it, with `warnings`: each a code, and a sentence in Chinese and in English."""
    calendar = calendar_from(shown)
    through = calendar.confirmed_through
    warnings = []
    if through is not None and (left := (through - local_date(calendar, now)).days) < WARN_DAYS:
        warnings.append(
            {
                "code": "confirmed_through_ends",
                "zh": f"节假日和调休仅确认到 {through}（剩余 {max(left, 0)} 天），此后的到期时间为暂定。"
                "新安排公布后请导入例外日期，并更新 confirmed_through。",
                "en": f"Holidays and make-up days are confirmed through {through} only ({max(left, 0)} days left); due "
                "dates after it are provisional. Import the exceptions once they are published, and move "
                "confirmed_through.",
            }
        )
    return {**shown, "warnings": warnings}


def _day(calendar: Calendar, day: date, dated: Day | None) -> CalendarDayView:
    spans = spans_on(calendar, day)
    through = calendar.confirmed_through
    return CalendarDayView(
        date=day,
        weekday=day.weekday(),
        working=bool(spans),
        hours=_hours(spans),
        reason=_reason(dated),
        name_zh=dated.name_zh if dated else None,
        name_en=dated.name_en if dated else None,
        provisional=through is not None and day > through,
    )


def _hours(spans: Sequence[Span]) -> list[HoursView]:
    return [HoursView(opens=clock_time(span.opens), closes=clock_time(span.closes)) for span in spans]


def _reason(dated: Day | None) -> Reason:
    if dated is None:
        return "weekly"
    if dated.source == "own":
        return "exception"
    return "holiday" if dated.kind == "closed" else "make_up_day"
