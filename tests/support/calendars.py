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
_WEEK = 7 * _DAY

# The changes of clocks of those zones, and new years: where a mistake would be.
_DELICATE = [date(2026, 3, 29), date(2026, 10, 25), date(2026, 3, 8), date(2026, 11, 1), date(2026, 4, 5)]
_DELICATE += [date(2026, 10, 4), date(2026, 2, 15), date(2026, 3, 22), date(2025, 12, 31), date(2026, 1, 1)]
DATES = st.one_of(st.sampled_from(_DELICATE), st.dates(FIRST.date(), LAST.date()))


@st.composite
def weeks(draw: st.DrawFn, zones: tuple[str, ...] = ZONES) -> Calendar:
    """Weekly hours of up to five intervals, some of them past midnight, the last perhaps past the week's end."""
    edges = sorted(draw(st.sets(st.integers(0, _WEEK), min_size=2, max_size=10)))
    pairs = list(zip(edges[::2], edges[1::2], strict=False))
    if len(edges) % 2 == 0 and draw(st.booleans()):  # from the last edge over the week's end to the first
        pairs = [*zip(edges[1:-1:2], edges[2:-1:2], strict=False), (edges[-1] % _WEEK, _WEEK + edges[0])]
        pairs = [(a, b if b > a else b + _WEEK) for a, b in pairs]
    hours = [
        Hours((a % _WEEK) // _DAY, a % _DAY, a % _DAY + min(b - a, _DAY)) for a, b in pairs if min(b - a, _DAY) > 0
    ]
    try:
        return weekly_hours(draw(st.sampled_from(zones)), hours)
    except Invalid:  # an interval cut off by the week's end met the first one
        return weekly_hours(draw(st.sampled_from(zones)), hours[:1] or [Hours(0, 540, 1080)])


@st.composite
def spans(draw: st.DrawFn) -> tuple[Span, ...]:
    """Up to three intervals of a day, the last perhaps past midnight."""
    edges = sorted(draw(st.sets(st.integers(0, _DAY - 1), min_size=2, max_size=6)))
    found = [Span(a, b) for a, b in zip(edges[::2], edges[1::2], strict=False)]
    if draw(st.booleans()):
        found[-1] = Span(found[-1].opens, _DAY + draw(st.integers(0, found[-1].opens)))
    return tuple(found)


@st.composite
def calendars(draw: st.DrawFn, zones: tuple[str, ...] = ZONES) -> Calendar:
    """Around the clock, or a week with up to eight dated days; a day that would meet its neighbour is left out."""
    if draw(st.integers(0, 9)) == 0:
        return always_open(draw(st.sampled_from(zones)))
    calendar = draw(weeks(zones))
    centre = draw(DATES)
    wanted = draw(st.dictionaries(st.integers(-4, 4), st.one_of(st.none(), spans()), max_size=8))
    for offset, hours in sorted(wanted.items()):
        day = Day(centre + timedelta(days=offset), "closed" if hours is None else "open", hours or ())
        try:
            calendar = with_days(calendar, (*calendar.days, day))
        except Invalid:
            continue
    return calendar


@st.composite
def calendars_and_instants(draw: st.DrawFn) -> tuple[Calendar, datetime]:
    """A calendar and an instant within days of what is peculiar in it."""
    calendar = draw(calendars())
    if not calendar.days:
        return calendar, draw(INSTANTS)
    noon = datetime.combine(calendar.days[0].date, datetime.min.time(), UTC)
    return calendar, noon + draw(st.timedeltas(timedelta(days=-5), timedelta(days=7)))
