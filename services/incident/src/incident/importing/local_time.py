"""Local times without a zone, in the zone that somebody names for them. Pure.

What the clocks of that place showed twice is taken as the first; what they never showed, as if they had not been put
forward. Both are said, so that they can be counted.
"""

import re
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

_WRITTEN: Final = re.compile(r"(\d\d)-(\d\d)-(\d{4}) (\d\d):(\d\d)(?::(\d\d))?", re.ASCII)
_EARLIEST: Final = 1970

TWICE: Final = "ambiguous_time"
NEVER: Final = "missing_time"


def zone(name: str) -> ZoneInfo:
    """The zone of that IANA name.

    Raises:
        ValueError: there is none; the message is a sentence.
    """
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"There is no time zone {name!r}. Name one as the IANA does: Europe/Lisbon.") from error


def instant(text: str, place: ZoneInfo) -> tuple[datetime, str | None]:
    """The instant in UTC that `29-02-2016 01:16` names there, and what was doubtful about it.

    Raises:
        ValueError: it is not written so, no such day exists, or it is before 1970.
    """
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise ValueError(f"is not written as 29-02-2016 01:16: {text[:40]!r}")
    day, month, year, hour, minute, second = (int(part or 0) for part in found.groups())
    if not _EARLIEST <= year <= 9998:
        raise ValueError(f"is not of this age: {text[:40]!r}")
    try:
        local = datetime(year, month, day, hour, minute, second, tzinfo=place)
    except ValueError as error:
        raise ValueError(f"is no date: {text[:40]!r}") from error
    at = local.astimezone(UTC)
    other = local.replace(fold=1).astimezone(UTC)
    if at == other:
        return at, None
    return at, TWICE if at < other else NEVER
