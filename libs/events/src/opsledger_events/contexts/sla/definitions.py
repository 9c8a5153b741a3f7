"""Calendars and agreements, and their application to clocks that run."""

from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, Field

from opsledger_events.contract import Event

AgreementKind = Annotated[Literal["sla", "ola", "uc"], Field(json_schema_extra={"x-extensible-enum": True})]
"""`sla`: with a customer; `ola`: of an own team; `uc`: of a vendor's team (R83)."""

RetargetPolicy = Annotated[
    Literal["from_opening", "from_change", "proportional", "keep_remaining"],
    Field(json_schema_extra={"x-extensible-enum": True}),
]
"""What another target means for a clock that runs: it counts from the opening; from the change; the used share of the
time stays used; or what remained stays and the target is for clocks to come.
"""

ReopenPolicy = Annotated[
    Literal["continue", "restart", "new_clock"], Field(json_schema_extra={"x-extensible-enum": True})
]
"""What a reopening does: the clock goes on; it is granted its target anew; or it stays and a second clock begins."""


class DayTarget(BaseModel):
    """Due on the `working_days`-th working day after the day it counts from, at HH:MM local, or when that day closes.

    Waits that pause the clock move it by the working time that passes meanwhile.
    """

    working_days: int
    at: str | None = None


class DayHours(BaseModel):
    """A working interval of a dated day, HH:MM local; one that closes at or before it opens closes the next day."""

    opens: str
    closes: str


class CalendarDay(BaseModel):
    """A dated day that differs from the week: closed, or open in hours of its own, which win over it.

    `source`: `library` where published holidays say so, `own` where an operator does.
    """

    date: date
    kind: Literal["closed", "open"]
    hours: list[DayHours] | None = None
    name_zh: str | None = None
    name_en: str | None = None
    source: Literal["library", "own"] = "own"


class CalendarHolidays(BaseModel):
    """Which published holidays were asked for, and which release of the library told them, for which years.

    `known_through`: the last day for which all of them were published, as far as the library knows.
    """

    country: str
    subdivision: str | None = None
    library: str
    version: str
    from_year: int
    to_year: int
    known_through: date


class CalendarDefined(Event):
    """A calendar of working hours was defined or replaced. `weekly` counts Monday as 0; times are HH:MM local.

    An interval that closes at or before it opens closes the next day. `days` win over `weekly`, and are all that is
    needed to compute with: `holidays`, `exceptions` and `make_up_weekday` (whose hours a working day without hours of
    its own has) say what was asked for. Due instants after `confirmed_through` may move when more is published.
    """

    type_name: ClassVar[str] = "sla.CalendarDefined.v1"
    name: str
    time_zone: str
    always_open: bool
    weekly: list[dict[str, Any]] = Field(default=[])
    default: bool = False
    revision: int
    holidays: CalendarHolidays | None = None
    exceptions: list[CalendarDay] = Field(default=[])
    make_up_weekday: int | None = None
    days: list[CalendarDay] = Field(default=[])
    confirmed_through: date | None = None
    example: ClassVar[dict[str, Any]] = {
        "name": "办公时间",
        "time_zone": "Asia/Shanghai",
        "always_open": False,
        "weekly": [{"day": 0, "opens": "09:00", "closes": "12:00"}, {"day": 0, "opens": "13:30", "closes": "18:00"}],
        "default": False,
        "revision": 1,
    }


class CalendarApplied(Event):
    """The clocks that run on a calendar shall be computed with this revision of it, from their beginning.

    An `SLAClockRescheduled` follows for each of them, and `SLABreachWithdrawn` where a breach is none any more.
    """

    type_name: ClassVar[str] = "sla.CalendarApplied.v1"
    partition_by: ClassVar[str | None] = "calendar"
    calendar: str
    revision: int
    example: ClassVar[dict[str, Any]] = {"calendar": "0192f0c4-0000-7000-8000-00000000ca1e", "revision": 2}


class AgreementDefined(Event):
    """An agreement was defined or replaced.

    A target is for a `priority` and gives for each metric `<metric>_seconds` of working time, or `<metric>_by`, a
    `DayTarget`. `organisation`, `service`, `category`, `criticality` (of the configuration item), `priorities` and
    `team` (of an `ola` or `uc`, whose clocks run while it has the incident) say what it is for; absent: for all.
    """

    type_name: ClassVar[str] = "sla.AgreementDefined.v1"
    name: str
    calendar: str
    targets: list[dict[str, Any]]
    pausing_reasons: list[str]
    warning_percent: list[int]
    organisation: str | None = None
    service: str | None = None
    default: bool = False
    revision: int
    kind: AgreementKind = "sla"
    team: str | None = None
    category: str | None = None
    criticality: str | None = None
    priorities: list[int] = Field(default=[])
    retarget: RetargetPolicy = "from_opening"
    reopen: ReopenPolicy = "continue"
    example: ClassVar[dict[str, Any]] = {
        "name": "Gold",
        "calendar": "0192f0c4-0000-7000-8000-00000000ca1e",
        "targets": [{"priority": 1, "response_seconds": 900, "resolution_seconds": 14400}],
        "pausing_reasons": ["awaiting_requester"],
        "warning_percent": [75],
        "organisation": "acme",
        "default": False,
        "revision": 1,
    }


class AgreementApplied(Event):
    """The running clocks of an agreement shall be judged by this revision of it, as if from their beginning.

    An `SLAClockTermsChanged` follows for each of them. Stopped clocks keep the revision that they were judged by.
    """

    type_name: ClassVar[str] = "sla.AgreementApplied.v1"
    partition_by: ClassVar[str | None] = "agreement"
    agreement: str
    revision: int
    example: ClassVar[dict[str, Any]] = {"agreement": "0192f0c4-0000-7000-8000-0000000a9eee", "revision": 2}
