"""Working time against two counts that share no code with it: minute by minute, and pandas' business hours."""

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.support.calendars import INSTANTS, STEADY_ZONES, calendars, calendars_and_instants, weeks

from opsledger_runtime.errors import Invalid
from sla.domain.calendar import Calendar, Day, Hours, Span, add, always_open, elapsed, weekly_hours, with_days

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def opening(calendar: Calendar, wall: datetime) -> bool:
    """Whether a wall time lies in an interval that opened on its day or the day before."""
    for back in (0, 1):
        day = wall.date() - timedelta(days=back)
        minute = wall.hour * 60 + wall.minute + back * 1440
        dated = [one.hours for one in calendar.days if one.date == day]
        weekly = [(h.opens, h.closes) for h in calendar.hours or () if h.day == day.weekday()]
        if any(opens <= minute < closes for opens, closes in (dated[0] if dated else weekly)):
            return True
    return calendar.hours is None


def minutes_worked(calendar: Calendar, start: datetime, length: timedelta) -> int:
    """Each minute looked at: it works if the latest wall time seen so far does.

    The latest seen, since a time that comes twice means the first, and a skipped one the instant of the change.
    """
    zone = ZoneInfo(calendar.time_zone)
    latest = datetime(1, 1, 1)  # noqa: DTZ001 - a wall time
    worked = 0
    instant = start - timedelta(days=1)  # a repeated hour that began before the start
    while instant < start + length:
        latest = max(latest, instant.astimezone(zone).replace(tzinfo=None))
        worked += instant >= start and opening(calendar, latest)
        instant += MINUTE
    return worked


@settings(max_examples=150, deadline=None)
@given(calendars_and_instants(), st.integers(0, 4 * 1440))
def test_r89_a_slow_count_minute_by_minute_agrees(found: tuple[Calendar, datetime], length: int) -> None:
    calendar, start = found[0], found[1].replace(second=0, microsecond=0)
    counted = minutes_worked(calendar, start, length * MINUTE)
    assert elapsed(calendar, start, start + length * MINUTE) == counted * MINUTE
    if counted:
        due = add(calendar, start, counted * MINUTE)
        assert due <= start + length * MINUTE
        assert minutes_worked(calendar, start, due - start) == counted
        assert minutes_worked(calendar, start, due - start - MINUTE) == counted - 1


@settings(max_examples=60, deadline=None)
@given(
    st.sets(st.integers(0, 6), min_size=1),
    st.sets(st.integers(0, 95).map(lambda n: n * 15), min_size=2, max_size=6).filter(lambda edges: len(edges) % 2 == 0),
    st.dictionaries(st.dates(date(2026, 1, 20), date(2026, 3, 10)), st.booleans(), max_size=12),
    st.datetimes(datetime(2026, 1, 20), datetime(2026, 3, 10)),  # noqa: DTZ001 - wall times of Shanghai
    st.integers(1, 60),
)
def test_r89_pandas_business_hours_agree(
    weekdays: set[int], edges: set[int], dated: dict[date, bool], wall: datetime, hours: int
) -> None:
    """Days off and make-up days in a zone without changes of clocks, as pandas can say them: one list of non-days."""
    spans = [Span(*pair) for pair in zip(sorted(edges)[::2], sorted(edges)[1::2], strict=True)]
    calendar = with_days(
        weekly_hours("Asia/Shanghai", [Hours(day, *span) for day in weekdays for span in spans]),
        tuple(
            Day(day, "open" if dated[day] else "closed", tuple(spans) if dated[day] else ()) for day in sorted(dated)
        ),
    )
    dates = [date(2025, 12, 1) + timedelta(days=n) for n in range(800)]
    off = [day for day in dates if not dated.get(day, day.weekday() in weekdays)]
    told = pd.offsets.CustomBusinessHour(
        n=hours,
        weekmask="1111111",
        holidays=off,
        start=[f"{span.opens // 60:02}:{span.opens % 60:02}" for span in spans],
        end=[f"{span.closes // 60:02}:{span.closes % 60:02}" for span in spans],
    )
    wall = wall.replace(microsecond=0)
    due = (pd.Timestamp(wall) + told).to_pydatetime()
    assume(due.date() < dates[-1])
    zone = ZoneInfo("Asia/Shanghai")
    start, by_pandas = wall.replace(tzinfo=zone), due.replace(tzinfo=zone)
    ours = add(calendar, start, hours * HOUR)
    assert elapsed(calendar, start, by_pandas) == hours * HOUR
    # At the end of an interval pandas names the beginning of the next.
    assert ours <= by_pandas
    assert elapsed(calendar, ours, by_pandas) == timedelta(0)


@settings(max_examples=100, deadline=None)
@given(calendars(), INSTANTS, st.timedeltas(timedelta(0), timedelta(hours=300)), st.timedeltas(MINUTE, timedelta(99)))
def test_adding_what_elapsed_leads_back(
    calendar: Calendar, start: datetime, amount: timedelta, length: timedelta
) -> None:
    end = start + length
    back = add(calendar, start, elapsed(calendar, start, end))
    assert back <= end
    assert elapsed(calendar, back, end) == timedelta(0)
    try:
        due = add(calendar, start, amount)
    except Invalid:
        return
    assert elapsed(calendar, start, due) == amount
    later = amount + 3 * MINUTE
    assert add(calendar, due, later - amount) == add(calendar, start, later) or amount == timedelta(0)


@settings(max_examples=150, deadline=None)
@given(weeks(), st.integers(1, 1439), INSTANTS, st.timedeltas(timedelta(0), timedelta(40)))
def test_splitting_an_interval_changes_nothing(week: Calendar, at: int, start: datetime, length: timedelta) -> None:
    first, *rest = week.hours or ()
    middle = first.opens + at % (first.closes - first.opens)
    assume(middle > first.opens)
    parts = [Hours(first.day, first.opens, middle)]
    if middle < 1440:
        parts.append(Hours(first.day, middle, first.closes))
    else:
        parts.append(Hours((first.day + 1) % 7, middle - 1440, first.closes - 1440))
    split = weekly_hours(week.time_zone, [*parts, *rest])
    assert elapsed(split, start, start + length) == elapsed(week, start, start + length)
    amount = elapsed(week, start, start + length)
    assert add(split, start, amount) == add(week, start, amount)


@settings(max_examples=100, deadline=None)
@given(
    st.one_of(weeks(STEADY_ZONES), st.just(always_open())),
    INSTANTS,
    st.timedeltas(timedelta(0), timedelta(40)),
    st.integers(-60, 60),
)
def test_whole_weeks_later_the_same_time_passes(week: Calendar, start: datetime, length: timedelta, n: int) -> None:
    moved = start + timedelta(weeks=n)
    assert elapsed(week, start, start + length) == elapsed(week, moved, moved + length)
    assert add(week, moved, 5 * HOUR) - moved == add(week, start, 5 * HOUR) - start


@settings(max_examples=100, deadline=None)
@given(calendars(), st.lists(INSTANTS, min_size=3, max_size=6))
def test_elapsed_never_falls_and_adds_up(calendar: Calendar, instants: list[datetime]) -> None:
    ordered = sorted(instants)
    passed = [elapsed(calendar, ordered[0], one) for one in ordered]
    assert passed == sorted(passed)
    parts = [elapsed(calendar, a, b) for a, b in itertools.pairwise(ordered)]
    assert sum(parts, timedelta(0)) == passed[-1] <= ordered[-1] - ordered[0]


def test_the_slow_count_knows_days_of_23_and_25_hours() -> None:
    """An oracle that is wrong would agree with nothing; this pins it to what is known."""
    sundays = weekly_hours("Europe/Berlin", [Hours(6, 0, 1440)])
    for day, hours in ((date(2026, 3, 29), 23), (date(2026, 10, 25), 25)):
        start = datetime.combine(day, datetime.min.time(), UTC) - timedelta(hours=3)
        assert minutes_worked(sundays, start, timedelta(days=2)) == hours * 60
