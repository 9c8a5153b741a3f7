"""From what is asked of a calendar to its definition: published holidays looked up, own exceptions put over them.

The definition holds both what was asked and the days that came of it, so it means the same when the library changes.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from opsledger_events.contexts.sla import CalendarDefined
from opsledger_runtime.errors import FieldError, Invalid
from sla.domain.calendar import Day, Span, calendar_from, days_from, local_date, spans_of_weekday, with_days
from sla.domain.calendar.hours import WEEKDAYS
from sla.public_holidays import LIBRARY, MOST_YEARS_BACK, VERSION, YEARS_AHEAD, YEARS_BACK, Published, published

_WEEK: Final = ("time_zone", "always_open", "weekly")


def definition_of(asked: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The definition of `asked`, in its JSON form: `time_zone`, `always_open`, `weekly`, and where wanted `holidays`
    (`country`, `subdivision`, `from_year`), `exceptions`, `make_up_weekday` and `confirmed_through`.

    Raises:
        Invalid: it breaks a rule; the sentence says what to change.
    """
    found: dict[str, Any] = {name: asked[name] for name in _WEEK}
    week = calendar_from(found)
    holidays, exceptions = asked.get("holidays"), asked.get("exceptions") or []
    weekday = asked.get("make_up_weekday") or 0
    if not 0 <= weekday <= 6:
        problem = FieldError("/make_up_weekday", "0 (Monday) to 6 (Sunday).")
        raise Invalid(f"There is no weekday {weekday}. Count from 0 (Monday) to 6 (Sunday).", [problem], "no_weekday")
    usual = spans_of_weekday(week, weekday)
    days: dict[date, Day] = {}
    through = asked.get("confirmed_through")
    if holidays is not None:
        this_year = local_date(week, now).year
        from_year = _from_year(holidays.get("from_year"), this_year)
        country, subdivision = holidays["country"], holidays.get("subdivision")
        told = published(country, subdivision, from_year, this_year + YEARS_AHEAD)
        days = _dated(told, usual, weekday)
        through = through or told.known_through
        found["holidays"] = {
            "country": country,
            "subdivision": subdivision,
            "library": LIBRARY,
            "version": VERSION,
            "from_year": from_year,
            "to_year": this_year + YEARS_AHEAD,
            "known_through": told.known_through.isoformat(),
        }
    own = days_from(exceptions, "/exceptions", usual)
    if exceptions:
        found["exceptions"] = [_plain(one) for one in exceptions]
    if holidays is not None or exceptions:
        found["make_up_weekday"] = weekday
    days |= {day.date: day for day in own}
    resolved = tuple(days[when] for when in sorted(days))
    with_days(week, resolved, pointer="/exceptions" if exceptions else "/holidays")
    found["days"] = [day.definition() for day in resolved]
    found["confirmed_through"] = None if through is None else str(through)
    return found


def asked_of(calendar: CalendarDefined) -> dict[str, Any]:
    """What was asked for in a definition; `confirmed_through` only where a person said it."""
    found = calendar.model_dump(mode="json", include={*_WEEK, "exceptions", "make_up_weekday"})
    known = calendar.holidays
    if known is not None:
        holidays = known.model_dump(mode="json", include={"country", "subdivision", "from_year"})
        found["holidays"] = holidays
    if known is None or calendar.confirmed_through != known.known_through:
        found["confirmed_through"] = calendar.confirmed_through
    return found


def _from_year(given: int | None, this_year: int) -> int:
    if given is None:
        return this_year - YEARS_BACK
    if not this_year - MOST_YEARS_BACK <= given <= this_year:
        raise Invalid(
            f"Holidays from {given} on are out of range. Begin in {this_year - MOST_YEARS_BACK} to {this_year}.",
            [FieldError("/holidays/from_year", f"{this_year - MOST_YEARS_BACK} to {this_year}.")],
            code="year_out_of_range",
        )
    return given


def _dated(told: Published, usual: tuple[Span, ...], weekday: int) -> dict[date, Day]:
    make_up = next((day.date for day in told.days if not day.off), None)
    if make_up is not None and not usual:
        raise Invalid(
            f"{WEEKDAYS[weekday]} has no hours that a make-up working day such as {make_up} could have. Name a weekday "
            "with hours in make_up_weekday.",
            [FieldError("/make_up_weekday", "A weekday with hours.")],
            code="make_up_without_hours",
        )
    return {
        day.date: Day(
            day.date, "closed" if day.off else "open", () if day.off else usual, day.name_zh, day.name_en, "library"
        )
        for day in told.days
    }


def _plain(given: Mapping[str, Any]) -> dict[str, Any]:
    """As asked, without what was left out."""
    return {name: value for name, value in given.items() if value is not None and name != "source"}
