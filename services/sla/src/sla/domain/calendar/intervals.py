"""Working time: how much of it passed between two instants, and when an amount of it will have passed. Pure.

Work intervals are generated per local day, a year at a time, with their cumulated lengths, and searched. Refuses
sums that are not reached within `HORIZON_YEARS`.

A local time that a change of clocks skips means the instant of the change; one that comes twice means the first.
So a working day of 23 or 25 hours counts what really passed, and adjacent intervals neither overlap nor leave a gap.
"""

from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from opsledger_runtime.errors import Invalid
from sla.domain.calendar.definition import Calendar, spans_on

HORIZON_YEARS: Final = 100
"""How far ahead a sum of working time is looked for."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 9000


def elapsed(calendar: Calendar, start: datetime, end: datetime) -> timedelta:
    """Working time from `start` to `end`; zero where `end` is not after `start`."""
    start, end = start.astimezone(UTC), end.astimezone(UTC)  # within one zone Python subtracts wall times
    if end <= start:
        return timedelta(0)
    if calendar.hours is None:
        return end - start
    since, until = _microseconds(start), _microseconds(end)
    first, last = _year_of(calendar, start, since), _year_of(calendar, end, until)
    total = last.before(until) - first.before(since)
    total += sum(_year(calendar, year).total for year in range(first.year, last.year))
    return total * MICROSECOND


def add(calendar: Calendar, start: datetime, amount: timedelta) -> datetime:
    """The first instant at which `amount` of working time has passed since `start`; `start` itself for none.

    Raises:
        Invalid: not within `HORIZON_YEARS`.
    """
    start = start.astimezone(UTC)
    if amount <= timedelta(0):
        return start
    if calendar.hours is None:
        if amount > timedelta(days=366 * HORIZON_YEARS) or start.year > LAST_YEAR:
            raise _beyond(amount)
        return start + amount
    since = _microseconds(start)
    intervals = _year_of(calendar, start, since)
    wanted = amount // MICROSECOND + intervals.before(since)
    for _ in range(HORIZON_YEARS):
        if wanted <= intervals.total:
            return EPOCH + intervals.reached(wanted) * MICROSECOND
        wanted -= intervals.total
        intervals = _year(calendar, intervals.year + 1)
    raise _beyond(amount)


def _beyond(amount: timedelta) -> Invalid:
    return Invalid(
        f"{int(amount.total_seconds())} seconds of working time do not pass within {HORIZON_YEARS} years. "
        "Choose a shorter target or a calendar that opens more often.",
        code="beyond_horizon",
    )


class _Year(NamedTuple):
    """A local year, from `first` to before `last`, and its work intervals, with the work done before each.

    Instants are microseconds since 1970.
    """

    year: int
    first: int
    last: int
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


def check_year(year: int) -> None:
    """That days of the year can be computed.

    Raises:
        Invalid: they cannot.
    """
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise Invalid(
            f"The year {year} is out of reach. Use instants of {FIRST_YEAR} to {LAST_YEAR}.", code="beyond_horizon"
        )


def _year_of(calendar: Calendar, instant: datetime, microseconds: int) -> _Year:
    """The local year of an instant of UTC. But for hours around New Year it is that of UTC, and no zone is asked."""
    if FIRST_YEAR < instant.year < LAST_YEAR:
        found = _year(calendar, instant.year)
        if found.first <= microseconds < found.last:
            return found
    year = instant.astimezone(ZoneInfo(calendar.time_zone)).year
    check_year(year)
    return _year(calendar, year)


@lru_cache(maxsize=1024)
def _year(calendar: Calendar, year: int) -> _Year:
    zone = ZoneInfo(calendar.time_zone)
    new_year, next_year = date(year, 1, 1), date(year + 1, 1, 1)
    first, last = instant_of(zone, new_year, 0), instant_of(zone, next_year, 0)
    found = _Year(year, first, last, [], [], [], 0)
    total = 0
    for ordinal in range(new_year.toordinal() - 1, next_year.toordinal()):  # the night before belongs to both years
        day = date.fromordinal(ordinal)
        for opens, closes in spans_on(calendar, day):
            start, end = max(instant_of(zone, day, opens), first), min(instant_of(zone, day, closes), last)
            if end > start:
                found.starts.append(start)
                found.ends.append(end)
                found.done.append(total)
                total += end - start
    return found._replace(total=total)


def instant_of(zone: ZoneInfo, day: date, minute: int) -> int:
    """The instant of a local time in microseconds since 1970; a minute above 1440 is one of the next day."""
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
        if (EPOCH + timedelta(seconds=middle)).astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high * 1_000_000


def _microseconds(instant: datetime) -> int:
    return (instant - EPOCH) // MICROSECOND
