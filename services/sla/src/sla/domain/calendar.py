"""Working time: how much of it passed between two instants, and when an amount of it will have passed. Pure.

Work intervals are generated per local day, a year at a time, with their cumulated lengths, and searched. Refuses
hours that overlap, are empty or never open, and sums that are not reached within `HORIZON_YEARS`.

A local time that a change of clocks skips means the instant of the change; one that comes twice means the first.
So a working day of 23 or 25 hours counts what really passed, and adjacent intervals neither overlap nor leave a gap.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

import tzdata  # type: ignore[import-untyped]

from opsledger_runtime.errors import FieldError, Invalid

TZ_VERSION: Final[str] = tzdata.IANA_VERSION
"""The time zone database that instants are computed with; events that used it name it."""

HORIZON_YEARS: Final = 100
"""How far ahead a sum of working time is looked for."""

_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_US: Final = timedelta(microseconds=1)
_FIRST_YEAR: Final = 1900
_LAST_YEAR: Final = 9000
_MINUTES_A_DAY: Final = 24 * 60


class Hours(NamedTuple):
    """A working interval of a weekday: Monday is 0; `opens` and `closes` in minutes after midnight, up to 1440."""

    day: int
    opens: int
    closes: int


@dataclass(frozen=True, slots=True)
class Calendar:
    """When time counts: always, or in weekly hours of a time zone. Made by `always_open` and `weekly_hours`."""

    time_zone: str
    hours: tuple[Hours, ...] | None
    """Sorted and free of overlaps; None: always open."""

    def definition(self) -> dict[str, Any]:
        """The JSON form that events and answers carry."""
        return {
            "time_zone": self.time_zone,
            "always_open": self.hours is None,
            "weekly": [
                {"day": hours.day, "opens": _clock_time(hours.opens), "closes": _clock_time(hours.closes)}
                for hours in self.hours or ()
            ],
        }


def always_open(time_zone: str = "UTC") -> Calendar:
    """24×7."""
    _check_zone(time_zone)
    return Calendar(time_zone, None)


def weekly_hours(time_zone: str, hours: Iterable[Hours]) -> Calendar:
    """The same hours every week; several intervals a day leave breaks between them.

    Raises:
        Invalid: with a sentence that says what to change.
    """
    _check_zone(time_zone)
    given = list(hours)
    if not given:
        raise Invalid(
            "The calendar never opens. Give at least one interval in weekly, or set always_open to true.",
            [FieldError("/weekly", "Give at least one interval.")],
        )
    for index, one in enumerate(given):
        pointer = f"/weekly/{index}"
        if not 0 <= one.day <= 6:
            raise Invalid(
                f"There is no weekday {one.day}. Count from 0 (Monday) to 6 (Sunday).",
                [FieldError(f"{pointer}/day", "0 (Monday) to 6 (Sunday).")],
            )
        if not 0 <= one.opens < one.closes <= _MINUTES_A_DAY:
            raise Invalid(
                f"{_DAYS[one.day]}: {_clock_time(one.opens)} to {_clock_time(one.closes)} is no interval. Let it close "
                "after it opens; split one that passes midnight at 24:00.",
                [FieldError(f"{pointer}/closes", "Close after opening, at 24:00 at the latest.")],
            )
    ordered = sorted(given)
    for before, after in pairwise(ordered):
        if before.day == after.day and after.opens < before.closes:
            raise Invalid(
                f"{_DAYS[before.day]}: {_span(before)} and {_span(after)} overlap. Join them or let one end where the "
                "other begins.",
                [FieldError(f"/weekly/{given.index(after)}", f"Overlaps {_span(before)}.")],
            )
    return Calendar(time_zone, tuple(ordered))


def calendar_from(definition: Mapping[str, Any]) -> Calendar:
    """The calendar of a JSON definition (`time_zone`, `always_open`, `weekly`).

    Raises:
        Invalid: it breaks a rule.
    """
    if definition["always_open"]:
        if definition.get("weekly"):
            raise Invalid(
                "A calendar that is always open has no weekly hours. Remove weekly or set always_open to false.",
                [FieldError("/weekly", "Leave it out where always_open is true.")],
            )
        return always_open(definition["time_zone"])
    return weekly_hours(
        definition["time_zone"],
        [
            Hours(
                item["day"],
                minutes(item["opens"], f"/weekly/{n}/opens"),
                minutes(item["closes"], f"/weekly/{n}/closes"),
            )
            for n, item in enumerate(definition.get("weekly", []))
        ],
    )


def minutes(text: str, pointer: str = "") -> int:
    """Minutes after midnight of `HH:MM`, 00:00 to 24:00."""
    hour, colon, minute = text.partition(":")
    plain = len(text) == 5 and colon == ":" and text.isascii() and hour.isdigit() and minute.isdigit()
    if not plain or int(minute) > 59 or int(hour) * 60 + int(minute) > _MINUTES_A_DAY:
        raise Invalid(
            f"{text[:20]!r} is no time of day. Write HH:MM, 00:00 to 24:00.", [FieldError(pointer, "Write HH:MM.")]
        )
    return int(hour) * 60 + int(minute)


def elapsed(calendar: Calendar, start: datetime, end: datetime) -> timedelta:
    """Working time from `start` to `end`; zero where `end` is not after `start`."""
    start, end = start.astimezone(UTC), end.astimezone(UTC)  # within one zone Python subtracts wall times
    if end <= start:
        return timedelta(0)
    if calendar.hours is None:
        return end - start
    first, last = _year_of(calendar, start), _year_of(calendar, end)
    total = -_year(calendar, first).before(_microseconds(start)) + _year(calendar, last).before(_microseconds(end))
    total += sum(_year(calendar, year).total for year in range(first, last))
    return total * _US


def add(calendar: Calendar, start: datetime, amount: timedelta) -> datetime:
    """The first instant at which `amount` of working time has passed since `start`; `start` itself for none.

    Raises:
        Invalid: not within `HORIZON_YEARS`.
    """
    start = start.astimezone(UTC)
    if amount <= timedelta(0):
        return start
    if calendar.hours is None:
        if amount > timedelta(days=366 * HORIZON_YEARS) or start.year > _LAST_YEAR:
            raise _beyond(amount)
        return start + amount
    year = _year_of(calendar, start)
    wanted = amount // _US + _year(calendar, year).before(_microseconds(start))
    for _ in range(HORIZON_YEARS):
        intervals = _year(calendar, year)
        if wanted <= intervals.total:
            return _EPOCH + intervals.reached(wanted) * _US
        wanted -= intervals.total
        year += 1
    raise _beyond(amount)


def _beyond(amount: timedelta) -> Invalid:
    return Invalid(
        f"{int(amount.total_seconds())} seconds of working time do not pass within {HORIZON_YEARS} years. "
        "Choose a shorter target or a calendar that opens more often.",
        code="beyond_horizon",
    )


class _Year(NamedTuple):
    """A local year's work intervals in microseconds since 1970, with the work done before each."""

    starts: list[int]
    ends: list[int]
    done: list[int]
    total: int

    def before(self, instant: int) -> int:
        at = bisect_right(self.starts, instant) - 1
        return 0 if at < 0 else self.done[at] + min(instant, self.ends[at]) - self.starts[at]

    def reached(self, amount: int) -> int:
        """The first instant with `amount` done, 0 < amount <= total: in the last interval with less done before it."""
        at = bisect_right(self.done, amount - 1) - 1
        return self.starts[at] + amount - self.done[at]


def _year_of(calendar: Calendar, instant: datetime) -> int:
    year = instant.astimezone(ZoneInfo(calendar.time_zone)).year
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        raise Invalid(
            f"The year {year} is out of reach. Use instants of {_FIRST_YEAR} to {_LAST_YEAR}.", code="beyond_horizon"
        )
    return year


@lru_cache(maxsize=1024)
def _year(calendar: Calendar, year: int) -> _Year:
    by_day: list[list[Hours]] = [[] for _ in range(7)]
    for hours in calendar.hours or ():
        by_day[hours.day].append(hours)
    zone = ZoneInfo(calendar.time_zone)
    found = _Year([], [], [], 0)
    total = 0
    for ordinal in range(date(year, 1, 1).toordinal(), date(year + 1, 1, 1).toordinal()):
        day = date.fromordinal(ordinal)
        for hours in by_day[day.weekday()]:
            start, end = _instant(zone, day, hours.opens), _instant(zone, day, hours.closes)
            if end > start:
                found.starts.append(start)
                found.ends.append(end)
                found.done.append(total)
                total += end - start
    return found._replace(total=total)


def _instant(zone: ZoneInfo, day: date, minute: int) -> int:
    local = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)  # noqa: DTZ001 - wall time, placed below
    late = local.replace(tzinfo=zone).astimezone(UTC)
    if late.astimezone(zone).replace(tzinfo=None) == local:
        return _microseconds(late)
    # The local time does not exist. fold=1 reads it with the later offset, so the change of clocks lies between.
    early = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    before = early.astimezone(zone).utcoffset()
    low, high = _microseconds(early) // 1_000_000, _microseconds(late) // 1_000_000
    while high - low > 1:
        middle = (low + high) // 2
        if (_EPOCH + timedelta(seconds=middle)).astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high * 1_000_000


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // _US


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _check_zone(time_zone: str) -> None:
    if time_zone not in _zones():
        raise Invalid(
            f"{time_zone[:60]!r} is no time zone. Use an IANA name such as Asia/Shanghai or Europe/Berlin.",
            [FieldError("/time_zone", "Use an IANA name such as Asia/Shanghai.")],
        )


def _clock_time(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _span(hours: Hours) -> str:
    return f"{_clock_time(hours.opens)} to {_clock_time(hours.closes)}"
