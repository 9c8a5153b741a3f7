"""From a caller's words to a period: days of a stated time zone, or instants.

A day given as `to` is included whole; an instant given as `to` is not. Refuses naive instants, unknown zones, empty
periods and years outside 2000 to 2099.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Final, Literal
from zoneinfo import ZoneInfo, available_timezones

from opsledger_runtime.errors import FieldError, Invalid

Step = Literal["day", "week", "month"]

DEFAULT_ZONE: Final = "Asia/Shanghai"
DEFAULT_DAYS: Final = 30
MAX_BUCKETS: Final = 400
_YEARS: Final = (2000, 2099)
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class Bucket:
    """A part of a period, from `begins` up to but without `ends`."""

    label: str
    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class Period:
    """From `begins` up to but without `ends`, seen in `zone`."""

    begins: datetime
    ends: datetime
    zone: ZoneInfo

    def described(self) -> dict[str, str]:
        """For people: in the zone's own time."""
        return {
            "from": self.begins.astimezone(self.zone).isoformat(),
            "to": self.ends.astimezone(self.zone).isoformat(),
            "to_is": "exclusive",
            "time_zone": self.zone.key,
        }

    def buckets(self, step: Step) -> list[Bucket]:
        """The period's days, ISO weeks or months in its zone; the first and last may be cut.

        Raises:
            Invalid: more than 400 of them.
        """
        found: list[Bucket] = []
        for label, day, following in _steps(self.begins.astimezone(self.zone).date(), step):
            begins, ends = max(self.begins, _midnight(day, self.zone)), min(self.ends, _midnight(following, self.zone))
            if begins >= self.ends:
                return found
            if len(found) == MAX_BUCKETS:
                raise _wrong(
                    "group_by", f"The period has more than {MAX_BUCKETS} {step}s. Shorten it or group it wider."
                )
            found.append(Bucket(label, begins, ends))
        return found


def _steps(day: date, step: Step) -> Iterator[tuple[str, date, date]]:
    if step == "week":
        day -= timedelta(days=day.weekday())
    elif step == "month":
        day = day.replace(day=1)
    while True:
        if step == "day":
            label, following = day.isoformat(), day + timedelta(days=1)
        elif step == "week":
            year, week, _ = day.isocalendar()
            label, following = f"{year}-W{week:02d}", day + timedelta(days=7)
        else:
            label, following = f"{day:%Y-%m}", (day + timedelta(days=31)).replace(day=1)
        yield label, day, following
        day = following


def read_period(begins: str | None, ends: str | None, zone: ZoneInfo, now: datetime) -> Period:
    """The period that `from` and `to` name; by default the 30 days that end now.

    Raises:
        Invalid: a value that names no instant, or a period that ends before it begins.
    """
    last = now if ends is None else read_instant("to", ends, zone, end=True)
    if begins is None:
        first = _midnight(last.astimezone(zone).date() - timedelta(days=DEFAULT_DAYS), zone)
    else:
        first = read_instant("from", begins, zone)
    if first >= last:
        raise _wrong("from", "The period ends before it begins. Give a `from` that is earlier than `to`.")
    return Period(first, last, zone)


def read_instant(parameter: str, text: str, zone: ZoneInfo, *, end: bool = False) -> datetime:
    """An RFC 3339 instant, or a day YYYY-MM-DD of the zone: its beginning, or with `end` its end.

    Raises:
        Invalid: it is neither, or lies outside the years 2000 to 2099.
    """
    try:
        if _DAY.fullmatch(text):
            day = date.fromisoformat(text)
            _check_year(parameter, day.year)
            return _midnight(day + timedelta(days=1) if end else day, zone)
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        hint = " Write the offset's + as %2B in a URL." if re.search(r"\d \d\d:?\d\d$", text) else ""
        raise _wrong(parameter, f"Give a day (2026-11-22) or an instant (2026-11-22T08:00:00Z).{hint}") from error
    if instant.tzinfo is None:
        raise _wrong(parameter, "The instant needs an offset, for example 2026-11-22T08:00:00Z.")
    _check_year(parameter, instant.year)
    return instant.astimezone(UTC)


def read_moment(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    """`at`: an instant, or a day's end; of the present day, now.

    Raises:
        Invalid: as `read_instant`, or it lies in the future.
    """
    if read_instant("at", text, zone) > now:
        raise _wrong("at", "The instant lies in the future.")
    return min(read_instant("at", text, zone, end=True), now)


def read_zone(name: str) -> ZoneInfo:
    """A zone of the IANA database.

    Raises:
        Invalid: it has no such zone.
    """
    if name not in _zones():
        raise _wrong("time_zone", "There is no such time zone. Give an IANA name, for example Asia/Shanghai.")
    return ZoneInfo(name)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _check_year(parameter: str, year: int) -> None:
    if not _YEARS[0] <= year <= _YEARS[1]:
        raise _wrong(parameter, f"Give a year from {_YEARS[0]} to {_YEARS[1]}.")


def _wrong(parameter: str, detail: str) -> Invalid:
    return Invalid(f"{parameter}: {detail}", [FieldError(f"/{parameter}", detail)])
