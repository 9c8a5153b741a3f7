"""A calendar: what it is made of, and its JSON form. Pure, frozen, hashable.

A dated day wins over the week. Refuses what overlaps or never opens, with a sentence that says what to change.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

import tzdata  # type: ignore[import-untyped]

from opsledger_runtime.errors import FieldError, Invalid
from sla.domain.calendar.days import ONE_DAY, Day, date_of, days_from
from sla.domain.calendar.hours import (
    DAY_MINUTES,
    WEEKDAYS,
    Hours,
    Span,
    check_night,
    clock_time,
    minutes,
    week_of,
)

TZ_VERSION: Final[str] = tzdata.IANA_VERSION
"""The time zone database that instants are computed with; events that used it name it."""

_ROUND_THE_CLOCK: Final = (Span(0, DAY_MINUTES),)


@dataclass(frozen=True, slots=True)
class Calendar:
    """When time counts: always, or in weekly hours of a time zone, but on dated days as those say.

    Made by `always_open`, `weekly_hours` and `with_days`. After `confirmed_through` other days may yet be published;
    None: nothing is waited for.
    """

    time_zone: str
    hours: tuple[Hours, ...] | None
    """Sorted and free of overlaps; None: always open."""

    days: tuple[Day, ...] = ()
    confirmed_through: date | None = None
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Computations are kept by calendar, and hundreds of days are too many to hash each time.
        found = hash((self.time_zone, self.hours, self.days, self.confirmed_through))
        object.__setattr__(self, "_hash", found)

    def __hash__(self) -> int:
        return self._hash

    def definition(self) -> dict[str, Any]:
        """The JSON form that events and answers carry; without `days` and `confirmed_through` where there are none."""
        found: dict[str, Any] = {
            "time_zone": self.time_zone,
            "always_open": self.hours is None,
            "weekly": [
                {"day": hours.day, "opens": clock_time(hours.opens), "closes": clock_time(hours.closes)}
                for hours in self.hours or ()
            ],
        }
        if self.days:
            found["days"] = [day.definition() for day in self.days]
        if self.confirmed_through is not None:
            found["confirmed_through"] = self.confirmed_through.isoformat()
        return found


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
    return Calendar(time_zone, week_of(list(hours)))


def with_days(
    calendar: Calendar, days: tuple[Day, ...], confirmed_through: date | None = None, pointer: str = "/days"
) -> Calendar:
    """The calendar with dated days, which are in order and of different dates.

    Raises:
        Invalid: a night runs into the morning after it, or the calendar is always open.
    """
    if calendar.hours is None and days:
        raise Invalid(
            "A calendar that is always open has no dated days. Remove holidays and exceptions, or give weekly hours of "
            "00:00 to 24:00.",
            [FieldError(pointer, "Leave it out where always_open is true.")],
            code="always_open_with_days",
        )
    found = replace(calendar, days=days, confirmed_through=confirmed_through)
    for day in days:
        for before, after in ((day.date - ONE_DAY, day.date), (day.date, day.date + ONE_DAY)):
            check_night(_named(before), spans_on(found, before), _named(after), spans_on(found, after), pointer)
    return found


def calendar_from(definition: Mapping[str, Any]) -> Calendar:
    """The calendar of a JSON definition: `time_zone`, `always_open`, `weekly`, and where given `days` and
    `confirmed_through`. What else it holds was asked for, and is not needed.

    Raises:
        Invalid: it breaks a rule.
    """
    through = definition.get("confirmed_through")
    found = with_days(
        _week_from(definition),
        days_from(definition.get("days") or (), "/days"),
        None if through is None else date_of(through, "/confirmed_through"),
    )
    return _the_one(found)


@lru_cache(maxsize=256)
def _the_one(calendar: Calendar) -> Calendar:
    """The calendar that is equal to it and was here first: computations are kept by calendar, and to find that two
    are equal hundreds of days are compared, each time.
    """
    return calendar


def _week_from(definition: Mapping[str, Any]) -> Calendar:
    if definition["always_open"]:
        if definition.get("weekly"):
            raise Invalid(
                "A calendar that is always open has no weekly hours. Remove weekly or set always_open to false.",
                [FieldError("/weekly", "Leave it out where always_open is true.")],
                code="always_open_with_hours",
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


def spans_on(calendar: Calendar, day: date) -> tuple[Span, ...]:
    """The intervals that open on a local day; none where it is closed."""
    dated = dated_days(calendar).get(day)
    if dated is not None:
        return dated.hours
    return spans_of_weekday(calendar, day.weekday())


def spans_of_weekday(calendar: Calendar, weekday: int) -> tuple[Span, ...]:
    """The intervals that open on a weekday, Monday being 0, where no dated day says otherwise."""
    if calendar.hours is None:
        return _ROUND_THE_CLOCK
    return tuple(hours.span for hours in calendar.hours if hours.day == weekday)


@lru_cache(maxsize=256)
def dated_days(calendar: Calendar) -> Mapping[date, Day]:
    """The dated days by date; nobody changes it."""
    return {day.date: day for day in calendar.days}


def local_date(calendar: Calendar, instant: datetime) -> date:
    """The date in the calendar's time zone."""
    return instant.astimezone(ZoneInfo(calendar.time_zone)).date()


def is_provisional(calendar: Calendar, instant: datetime) -> bool:
    """Whether days between now and `instant` may yet be published that move what was computed."""
    return calendar.confirmed_through is not None and local_date(calendar, instant) > calendar.confirmed_through


def _named(day: date) -> str:
    return f"{day} ({WEEKDAYS[day.weekday()]})"


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _check_zone(time_zone: str) -> None:
    if time_zone not in _zones():
        raise Invalid(
            f"{time_zone[:60]!r} is no time zone. Use an IANA name such as Asia/Shanghai or Europe/Berlin.",
            [FieldError("/time_zone", "Use an IANA name such as Asia/Shanghai.")],
            code="unknown_time_zone",
        )
