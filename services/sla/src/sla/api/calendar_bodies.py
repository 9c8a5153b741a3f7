"""What a request says of a calendar."""

from typing import Annotated, Final, Literal

from pydantic import Field

from sla.api.definitions import Body, Name, Whole
from sla.day_files.report import LONGEST_NAME
from sla.domain.calendar.days import MOST_DAYS, MOST_INTERVALS

LONGEST_FILE: Final = 300_000
"""Characters of a file of exceptions."""

TimeOfDay = Annotated[str, Field(max_length=5, examples=["09:00"])]
Date = Annotated[str, Field(max_length=10, examples=["2026-10-10"])]
Label = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]


class WeeklyHours(Body):
    """A working interval of a weekday; Monday is 0. Times are local; closing at or before opening is the next day."""

    day: Whole
    opens: TimeOfDay
    closes: TimeOfDay


class Interval(Body):
    """A working interval of a dated day, as of a weekday."""

    opens: TimeOfDay
    closes: TimeOfDay


class Exceptional(Body):
    """A day that differs: closed, or open in its own hours. An open one without has those of `make_up_weekday`."""

    date: Date
    kind: Literal["closed", "open"]
    hours: Annotated[list[Interval], Field(max_length=MOST_INTERVALS)] | None = None
    name_zh: Label | None = None
    name_en: Label | None = None


class Holidays(Body):
    """Published holidays and make-up working days of a country (ISO 3166-1) and subdivision, from a year on.

    Without `from_year` they begin two years back; they are looked up to two years ahead.
    """

    country: Annotated[str, Field(max_length=20, examples=["CN"])]
    subdivision: Annotated[str, Field(max_length=40)] | None = None
    from_year: Annotated[int, Field(strict=True, ge=0, le=9999)] | None = None


class CalendarBody(Body):
    """A calendar: always open, or weekly hours in a time zone, several intervals a day where there are breaks.

    `exceptions` win over `holidays`, and both over the week. `make_up_weekday`, Monday where left out, is the day whose
    hours a make-up working day has. Due instants after `confirmed_through` are marked provisional; left out, it is as
    far as the holidays of the country are known to be published.
    """

    name: Name
    time_zone: Annotated[str, Field(max_length=100, examples=["Asia/Shanghai"])]
    always_open: bool = False
    weekly: Annotated[list[WeeklyHours], Field(max_length=200)] = Field(default=[])
    holidays: Holidays | None = None
    exceptions: Annotated[list[Exceptional], Field(max_length=MOST_DAYS)] = Field(default=[])
    make_up_weekday: Whole | None = None
    confirmed_through: Date | None = None


class FileBody(Body):
    """A file of exceptions as text, UTF-8 with or without a byte order mark. `dry_run`: report, change nothing.

    Its days replace those of the same dates. `confirmed_through`: the last day for which the schedule is now known.
    """

    text: Annotated[str, Field(max_length=LONGEST_FILE)]
    dry_run: bool = False
    confirmed_through: Date | None = None
