"""Random calendars: several intervals a day, nights, dated days, zones with changes of clocks at odd places."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import strategies as st

from opsledger_runtime.errors import Invalid
from sla.domain.calendar import Calendar, Day, Hours, Span, always_open, weekly_hours, with_days

ZONES = ("UTC", "Asia/Shanghai", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca")
STEADY_ZONES = ("UTC", "Asia/Shanghai", "Asia/Kathmandu")
FIRST, LAST = datetime(2024, 1, 1), datetime(2027, 12, 31)  # noqa: DTZ001 - bounds of a strategy that adds the zone
INSTANTS = st.datetimes(FIRST, LAST, timezones=st.just(UTC))
_DAY = 1440

DELICATE = [
    *(("Europe/Berlin", date(2026, 3, 29)), ("Europe/Berlin", date(2026, 10, 25))),
    *(("America/St_Johns", date(2026, 3, 8)), ("America/St_Johns", date(2026, 11, 1))),
    *(("Australia/Lord_Howe", date(2026, 4, 5)), ("Australia/Lord_Howe", date(2026, 10, 4))),
    *(("Africa/Casablanca", date(2026, 2, 15)), ("Africa/Casablanca", date(2026, 3, 22))),
    *(("Asia/Shanghai", date(2026, 1, 1)), ("Europe/Berlin", date(2025, 12, 31))),
]
"""Changes of clocks, and new years: where a mistake would be."""

DATES = st.one_of(st.sampled_from([day for _, day in DELICATE]), st.dates(FIRST.date(), LAST.date()))
_MINUTES = st.one_of(st.integers(0, _DAY - 1), st.integers(90, 210), st.just(0))
"""Of a day: any, those around which clocks are changed, midnight."""


@st.composite
def weeks(draw: st.DrawFn, zones: tuple[str, ...] = ZONES) -> Calendar:
    """Weekly hours of up to eight intervals, some past midnight; one that would meet another is left out."""
    zone = draw(st.sampled_from(zones))
    found = weekly_hours(zone, [draw(_hours())])
    for hours in draw(st.lists(_hours(), max_size=7)):
        try:
            found = weekly_hours(zone, [*(found.hours or ()), hours])
        except Invalid:
            continue
    return found


def _hours() -> st.SearchStrategy[Hours]:
    return st.builds(Hours, st.integers(0, 6), _MINUTES, _MINUTES)


@st.composite
def spans(draw: st.DrawFn) -> tuple[Span, ...]:
    """Up to three intervals of a day, the last perhaps past midnight."""
    edges = sorted(draw(st.sets(_MINUTES, min_size=2, max_size=6)))
    found = [Span(a, b) for a, b in zip(edges[::2], edges[1::2], strict=False)]
    if draw(st.booleans()):
        found[-1] = Span(found[-1].opens, _DAY + draw(st.integers(0, found[-1].opens)))
    return tuple(found)


@st.composite
def calendars(draw: st.DrawFn, zones: tuple[str, ...] = ZONES, centres: st.SearchStrategy[date] = DATES) -> Calendar:
    """Around the clock, or a week with up to five dated days; a day that would meet its neighbour is left out."""
    if draw(st.integers(0, 9)) == 0:
        return always_open(draw(st.sampled_from(zones)))
    calendar = draw(weeks(zones))
    centre = draw(centres)
    wanted = draw(st.dictionaries(st.integers(-4, 4), st.one_of(st.none(), spans()), max_size=5))
    for offset, hours in sorted(wanted.items()):
        day = Day(centre + timedelta(days=offset), "closed" if hours is None else "open", hours or ())
        try:
            calendar = with_days(calendar, (*calendar.days, day))
        except Invalid:
            continue
    return calendar


@st.composite
def calendars_and_instants(draw: st.DrawFn) -> tuple[Calendar, datetime]:
    """A calendar and an instant a few days before a change of its clocks, a new year, or any day."""
    zone, day = draw(st.one_of(st.sampled_from(DELICATE), st.tuples(st.sampled_from(ZONES), DATES)))
    calendar = draw(calendars((zone,), st.just(day)))
    return calendar, datetime.combine(day, datetime.min.time(), UTC) - draw(st.timedeltas(timedelta(0), timedelta(3)))
