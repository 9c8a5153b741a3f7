"""A stretch of time cut by a calendar: what of it is working time, what is not, and which rule says so. Pure.

The calendar is only asked how much working time passes between instants, so whatever kinds of days it knows, the
pieces add up to what the clock counted. Dated days give their names through the calendar's JSON form.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal
from zoneinfo import ZoneInfo

from opsledger_runtime.errors import Invalid
from sla.domain.calendar import Calendar, add, elapsed

Rule = Literal["always_open", "working_hours", "make_up_day", "outside_hours", "weekend", "day_off", "holiday"]
Name = tuple[str | None, str | None]
"""A day's name in Chinese and in English, where it has one."""

LONGEST: Final = timedelta(days=10)
_MOST: Final = 16
_DAY: Final = timedelta(days=1)
_US: Final = timedelta(microseconds=1)
_ZERO: Final = timedelta(0)


@dataclass(frozen=True, slots=True)
class Piece:
    """Working time or closed time without a break, by one rule; `names` of the dated days that it owes to."""

    start: datetime
    end: datetime
    rule: Rule
    names: tuple[Name, ...] = ()

    @property
    def works(self) -> bool:
        """Whether it is working time."""
        return self.rule in ("always_open", "working_hours", "make_up_day")


@dataclass(frozen=True, slots=True)
class Summary:
    """A long stretch: on how many days there was working time, and which named days were closed."""

    working_days: int
    closed: tuple[Name, ...]


def cut(
    calendar: Calendar, start: datetime, end: datetime, *, longest: timedelta = LONGEST, most: int = _MOST
) -> tuple[Piece, ...] | None:
    """The pieces from `start` to `end`; None where they would be too many to read one by one."""
    if calendar.hours is None:
        return (Piece(start, end, "always_open"),)
    if end - start > longest:
        return None
    found: list[Piece] = []
    at = start
    while at < end:
        if len(found) >= most:
            return None
        opens = min(_opens(calendar, at, end), end)
        if opens > at:
            found.append(_closed(calendar, at, opens))
        if opens < end:
            closes = _closes(calendar, opens, end)
            found.append(_open(calendar, opens, closes))
            at = closes
        else:
            at = end
    return tuple(found)


def summary(calendar: Calendar, start: datetime, end: datetime) -> Summary:
    """What is said of a stretch too long to be cut."""
    dated = _dated(calendar)
    working, closed = 0, []
    for day, begins, ends in _days(ZoneInfo(calendar.time_zone), start, end):
        if elapsed(calendar, max(begins, start), min(ends, end)) > _ZERO:
            working += 1
        kind, name = dated.get(day, ("", (None, None)))
        if kind == "closed" and any(name) and name not in closed:
            closed.append(name)
    return Summary(working, tuple(closed))


def _opens(calendar: Calendar, at: datetime, end: datetime) -> datetime:
    try:
        return add(calendar, at, _US) - _US
    except Invalid:  # it never opens again
        return end


def _closes(calendar: Calendar, opens: datetime, end: datetime) -> datetime:
    """The last instant up to which everything since `opens` is working time."""
    if elapsed(calendar, opens, end) == end - opens:
        return end
    low, high = 0, (end - opens) // _US
    while high - low > 1:
        middle = (low + high) // 2
        if elapsed(calendar, opens, opens + middle * _US) == middle * _US:
            low = middle
        else:
            high = middle
    return opens + low * _US


def _open(calendar: Calendar, start: datetime, end: datetime) -> Piece:
    kind, name = _dated(calendar).get(start.astimezone(ZoneInfo(calendar.time_zone)).date(), ("", (None, None)))
    return Piece(start, end, "make_up_day", (name,)) if kind == "open" else Piece(start, end, "working_hours")


def _closed(calendar: Calendar, start: datetime, end: datetime) -> Piece:
    dated = _dated(calendar)
    whole = [
        day for day, begins, ends in _days(ZoneInfo(calendar.time_zone), start, end) if start <= begins < ends <= end
    ]
    holidays = [dated[day][1] for day in whole if dated.get(day, ("",))[0] == "closed"]
    if holidays:
        return Piece(start, end, "holiday", tuple(dict.fromkeys(holidays)))
    if not whole:
        return Piece(start, end, "outside_hours")
    return Piece(start, end, "weekend" if all(day.weekday() >= 5 for day in whole) else "day_off")


def _days(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[tuple[date, datetime, datetime]]:
    """Local days that have a part in the stretch, with the instants at which they begin and end."""
    day = start.astimezone(zone).date()
    begins = _midnight(zone, day)
    while begins < end:
        ends = _midnight(zone, day + _DAY)
        yield day, begins, ends
        day, begins = day + _DAY, ends


def _midnight(zone: ZoneInfo, day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


@lru_cache(maxsize=64)
def _dated(calendar: Calendar) -> dict[date, tuple[str, Name]]:
    return {
        date.fromisoformat(day["date"]): (day["kind"], (day.get("name_zh"), day.get("name_en")))
        for day in calendar.definition().get("days", ())
    }
