"""The calendar day of an instant, as the mart's date keys count it."""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

ZONE: Final = ZoneInfo("Asia/Shanghai")
"""The zone in which date keys are taken; stated in the columns' comments, changed only with a rebuild."""

NO_DATE: Final = -1
FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2049


def date_key(instant: datetime | None) -> int:
    """YYYYMMDD in Asia/Shanghai; -1 for no instant and for days outside `dim_date`."""
    if instant is None or not FIRST_YEAR - 1 <= instant.year <= LAST_YEAR + 1:
        return NO_DATE
    local = instant.astimezone(ZONE)
    if not FIRST_YEAR <= local.year <= LAST_YEAR:
        return NO_DATE
    return local.year * 10000 + local.month * 100 + local.day


def whole_seconds(begin: datetime | None, end: datetime | None) -> int | None:
    """Wall seconds from `begin` to `end`, rounded down, never negative; None if either is not known."""
    if begin is None or end is None:
        return None
    return max(0, (end - begin) // _SECOND)


_SECOND: Final = datetime(2000, 1, 1, 0, 0, 1) - datetime(2000, 1, 1)  # noqa: DTZ001 - a difference has no zone
