"""Dated days that differ from the week: holidays, make-up working days, and an operator's own exceptions. Pure."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final, Literal, NamedTuple

from opsledger_runtime.errors import FieldError, Invalid
from sla.domain.calendar.hours import Span, clock_time, minutes, spans_of

Kind = Literal["closed", "open"]
Source = Literal["library", "own"]
FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2100
"""Years in which days may be dated: what lies outside is a slip of the pen."""

MOST_DAYS: Final = 2000
MOST_INTERVALS: Final = 20
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
ONE_DAY: Final = timedelta(days=1)


class Day(NamedTuple):
    """A dated day: `closed`, or `open` in intervals of its own. `library`: it came from published holidays."""

    date: date
    kind: Kind
    hours: tuple[Span, ...] = ()
    name_zh: str | None = None
    name_en: str | None = None
    source: Source = "own"

    def definition(self) -> dict[str, Any]:
        """The JSON form that events and answers carry; `hours` is there where the day is open."""
        found: dict[str, Any] = {"date": self.date.isoformat(), "kind": self.kind, "source": self.source}
        if self.kind == "open":
            found["hours"] = [{"opens": clock_time(one.opens), "closes": clock_time(one.closes)} for one in self.hours]
        names = {"name_zh": self.name_zh, "name_en": self.name_en}
        return found | {key: name for key, name in names.items() if name is not None}


def day_from(given: Mapping[str, Any], pointer: str, usual: tuple[Span, ...] = ()) -> Day:
    """The day of a JSON definition. One that is open without intervals has the `usual` ones.

    Raises:
        Invalid: with a sentence that says what to change.
    """
    when = date_of(given["date"], f"{pointer}/date")
    kind: Kind = given["kind"]
    stated = given.get("hours")
    if kind == "closed" and stated:
        raise Invalid(
            f"{when}: a closed day has no hours. Leave them out, or make the day open.",
            [FieldError(f"{pointer}/hours", "Leave it out where the day is closed.")],
            code="closed_day_with_hours",
        )
    if stated and len(stated) > MOST_INTERVALS:
        raise Invalid(
            f"{when}: {len(stated)} intervals are too many for a day. Give at most {MOST_INTERVALS}.",
            [FieldError(f"{pointer}/hours", f"At most {MOST_INTERVALS}.")],
            code="too_many_intervals",
        )
    hours: tuple[Span, ...] = ()
    if kind == "open" and stated is not None:
        at = f"{pointer}/hours"
        read = [
            (minutes(one["opens"], f"{at}/{n}/opens"), minutes(one["closes"], f"{at}/{n}/closes"))
            for n, one in enumerate(stated)
        ]
        hours = spans_of(read, when.isoformat(), at)
    elif kind == "open":
        hours = usual
    if kind == "open" and not hours:
        raise Invalid(
            f"{when}: an open day without hours never opens. Give its hours, or make it closed.",
            [FieldError(f"{pointer}/hours", "Give at least one interval.")],
            code="open_day_without_hours",
        )
    return Day(when, kind, hours, given.get("name_zh"), given.get("name_en"), given.get("source") or "own")


def days_from(given: Sequence[Mapping[str, Any]], pointer: str, usual: tuple[Span, ...] = ()) -> tuple[Day, ...]:
    """The days of a JSON definition, by date.

    Raises:
        Invalid: a day is wrong, or a date is there twice.
    """
    if len(given) > MOST_DAYS:
        raise Invalid(
            f"{len(given)} dated days are too many. Give at most {MOST_DAYS}; leave out those long past.",
            [FieldError(pointer, f"At most {MOST_DAYS}.")],
            code="too_many_days",
        )
    found: dict[date, Day] = {}
    for n, one in enumerate(given):
        day = day_from(one, f"{pointer}/{n}", usual)
        if day.date in found:
            raise Invalid(
                f"{day.date} is there twice. Say once what is different on that day.",
                [FieldError(f"{pointer}/{n}/date", "The date is there already.")],
                code="day_twice",
            )
        found[day.date] = day
    return tuple(found[when] for when in sorted(found))


def date_of(given: Any, pointer: str) -> date:
    """The date of `YYYY-MM-DD`, or a date as it is.

    Raises:
        Invalid: it is none, or of a year that must be a mistake.
    """
    try:
        found = given if isinstance(given, date) else _plain(given)
    except ValueError:
        raise Invalid(
            f"{str(given)[:20]!r} is no date. Write YYYY-MM-DD.",
            [FieldError(pointer, "Write YYYY-MM-DD.")],
            code="bad_date",
        ) from None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise Invalid(
            f"The year {found.year} is out of range. Use dates of {FIRST_YEAR} to {LAST_YEAR}.",
            [FieldError(pointer, f"A date of {FIRST_YEAR} to {LAST_YEAR}.")],
            code="year_out_of_range",
        )
    return found


def _plain(text: str) -> date:
    if not _DATE.fullmatch(text):  # fromisoformat also takes weeks, and dates without hyphens
        raise ValueError(text)
    return date.fromisoformat(text)
