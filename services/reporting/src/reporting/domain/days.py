"""The calendar day of an instant, as the mart's date keys count it."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Final
from zoneinfo import ZoneInfo

ZONE: Final = ZoneInfo("Asia/Shanghai")
"""The zone in which date keys are taken; stated in the columns' comments, changed only with a rebuild."""

NO_DATE: Final = -1
FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2049

_NEXT_DAY: Final = 16
"""The hour of UTC at which the next day begins in `ZONE`."""

_KEYS: Final[dict[int, int]] = {}
"""By day: events are told by the ten thousand, and years have few days."""

OFFSET: Final = timezone(timedelta(hours=8))
"""Of `ZONE` in all the years of `dim_date`: a fixed one is found several times as fast, once or more per event."""


def date_key(instant: datetime | None) -> int:
    """YYYYMMDD in Asia/Shanghai; -1 for no instant and for days outside `dim_date`."""
    if instant is None or instant.tzinfo is not UTC:
        return _key(instant)
    day = instant.toordinal() + (instant.hour >= _NEXT_DAY)
    found = _KEYS.get(day)
    if found is None:
        found = _KEYS[day] = _key(instant)
    return found


def _key(instant: datetime | None) -> int:
    if instant is None or not FIRST_YEAR - 1 <= instant.year <= LAST_YEAR + 1:
        return NO_DATE
    local = instant.astimezone(OFFSET)
    year = local.year
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return NO_DATE
    return year * 10000 + local.month * 100 + local.day


def whole_seconds(begin: datetime | None, end: datetime | None) -> int | None:
    """Wall seconds from `begin` to `end`, rounded down, never negative; None if either is not known."""
    if begin is None or end is None:
        return None
    return max(0, (end - begin) // _SECOND)


_SECOND: Final = timedelta(seconds=1)
