"""What the sla service announces. Durations are whole seconds of the calendar's working time.

A clock belongs to its incident: events carry the incident's id and are partitioned by it. They also carry what a
subscriber needs to act without having seen the incident yet, since order between contexts is never relied on.
"""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, Field

from opsledger_events.contexts.sla.definitions import AgreementKind, DayTarget, ReopenPolicy, RetargetPolicy
from opsledger_events.contract import Event, Personal

Metric = Annotated[
    Literal["response", "contact", "ownership", "update", "workaround", "resolution"],
    Field(json_schema_extra={"x-extensible-enum": True}),
]
"""`response`: until work starts; `contact`: from dispatch until the requester is spoken to (R2); `ownership`: until a
person has it; `update`: until the requester hears of it again; `workaround` and `resolution`: until there is one.
"""

ClockState = Literal["running", "paused", "stopped", "cancelled"]

_INCIDENT = "0192f0c4-7d1a-7c3e-9b5e-6a0f3d2c1b4a"
_SUBJECT: dict[str, Any] = {
    "incident": _INCIDENT,
    "number": "INC0000042",
    "title": "核心交换机端口告警",
    "priority": 1,
    "organisation": "acme",
    "service": "core-network",
    "team": "network",
    "assignee": "person-3",
    "requester": "person-17",
    "metric": "resolution",
}


class ClockMark(BaseModel):
    """An instant at which a share of the target will have elapsed, if nothing changes."""

    percent: int
    at: datetime


class ClockStanding(BaseModel):
    """Where the clock stands after everything known so far, late reports included.

    `breach_at` and `warnings` are what is still to be announced, if nothing changes. `met` is known once stopped.
    Where `target_seconds` is told, `breached_at` is when that target was breached, and absent where it was not.
    """

    state: ClockState
    elapsed_seconds: int
    due_at: datetime | None = None
    breach_at: datetime | None = None
    warnings: list[ClockMark] = []
    met: bool | None = None
    target_seconds: int | None = None
    breached_at: datetime | None = None


class ClockEvent(Event):
    """What every event of a clock says of its subject, and where the clock stands after it.

    `at` is when it happened, by which the clock is computed; `cause` is the incident's event behind it. `party` is
    the team that an `ola` or `uc` clock measures, also after the incident has gone on to another `team`.
    """

    partition_by: ClassVar[str | None] = "incident"
    incident: str
    number: str
    title: Annotated[str, Personal()]
    priority: int
    organisation: str | None = None
    service: str | None = None
    team: str | None = None
    assignee: str | None = None
    requester: str | None = None
    metric: Metric
    kind: AgreementKind = "sla"
    party: str | None = None
    at: datetime | None = None
    cause: str | None = None
    standing: ClockStanding | None = None


class SLAClockStarted(ClockEvent):
    """A clock began to run. Names every version it is computed with.

    An incident that gets its first target by a change of priority is counted from its opening: `earlier` then holds
    what had happened to it (`kind` held, resumed, stopped or continued; `at`; `event`; `reason`). `target_seconds`
    is the working time that `target_by` comes to where that is what is agreed. `chosen_by` names what the agreement is
    for, the most telling first: why it is this one.
    """

    type_name: ClassVar[str] = "sla.SLAClockStarted.v1"
    agreement: str
    agreement_revision: int
    calendar: str
    calendar_revision: int
    time_zone_database: str
    target_seconds: int
    warning_percent: list[int]
    pausing_reasons: list[str]
    started_at: datetime
    due_at: datetime
    earlier: list[dict[str, Any]] = Field(default=[])
    target_by: DayTarget | None = None
    retarget: RetargetPolicy = "from_opening"
    reopen: ReopenPolicy = "continue"
    chosen_by: list[str] = Field(default=[])
    example: ClassVar[dict[str, Any]] = {
        **_SUBJECT,
        "agreement": "0192f0c4-0000-7000-8000-0000000a9eee",
        "agreement_revision": 1,
        "calendar": "0192f0c4-0000-7000-8000-00000000ca1e",
        "calendar_revision": 1,
        "time_zone_database": "2026a",
        "target_seconds": 14400,
        "warning_percent": [75],
        "pausing_reasons": ["awaiting_requester"],
        "started_at": "2026-11-22T01:00:00Z",
        "due_at": "2026-11-22T05:00:00Z",
    }


class SLAClockPaused(ClockEvent):
    """The agreement lets this hold reason stop the clock."""

    type_name: ClassVar[str] = "sla.SLAClockPaused.v1"
    reason: str
    elapsed_seconds: int
    example: ClassVar[dict[str, Any]] = {**_SUBJECT, "reason": "awaiting_requester", "elapsed_seconds": 600}


class SLAClockResumed(ClockEvent):
    """The clock runs again, with a new due instant."""

    type_name: ClassVar[str] = "sla.SLAClockResumed.v1"
    elapsed_seconds: int
    due_at: datetime
    example: ClassVar[dict[str, Any]] = {**_SUBJECT, "elapsed_seconds": 600, "due_at": "2026-11-22T06:00:00Z"}


class SLAClockRetargeted(ClockEvent):
    """Another target applies; elapsed time and pauses are kept. `due_at` is absent while paused.

    `agreed_seconds` or `agreed_by` is what the agreement says, `target_seconds` what its re-target policy makes of it.
    """

    type_name: ClassVar[str] = "sla.SLAClockRetargeted.v1"
    previous_target_seconds: int
    target_seconds: int
    elapsed_seconds: int
    due_at: datetime | None = None
    agreed_seconds: int | None = None
    agreed_by: DayTarget | None = None
    example: ClassVar[dict[str, Any]] = {
        **_SUBJECT,
        "previous_target_seconds": 14400,
        "target_seconds": 28800,
        "elapsed_seconds": 600,
        "due_at": "2026-11-22T09:00:00Z",
    }


class SLAWarningReached(ClockEvent):
    """The stated share of the target has elapsed."""

    type_name: ClassVar[str] = "sla.SLAWarningReached.v1"
    percent: int
    due_at: datetime
    target_seconds: int | None = None
    example: ClassVar[dict[str, Any]] = {**_SUBJECT, "percent": 75, "due_at": "2026-11-22T05:00:00Z"}


class SLABreached(ClockEvent):
    """The target passed. Provisional: the bus was silent too long to know that no earlier event is on its way."""

    type_name: ClassVar[str] = "sla.SLABreached.v1"
    due_at: datetime
    provisional: bool = False
    target_seconds: int | None = None
    example: ClassVar[dict[str, Any]] = {**_SUBJECT, "due_at": "2026-11-22T05:00:00Z", "provisional": False}


class SLABreachWithdrawn(ClockEvent):
    """An event that happened before the breach became known after it was announced."""

    type_name: ClassVar[str] = "sla.SLABreachWithdrawn.v1"
    due_at: datetime
    because: str
    target_seconds: int | None = None
    corrects: ClassVar[bool] = True
    example: ClassVar[dict[str, Any]] = {
        **_SUBJECT,
        "due_at": "2026-11-22T05:00:00Z",
        "because": "0192f0c4-0000-7000-8000-00000000e4e7",
    }


class SLAClockRestated(ClockEvent):
    """A report that came late names what happened before figures already announced; `standing` holds the new ones.

    The event of the thing reported follows. Where a breach is withdrawn, `SLABreachWithdrawn` says it instead.
    """

    type_name: ClassVar[str] = "sla.SLAClockRestated.v1"
    because: str
    corrects: ClassVar[bool] = True
    example: ClassVar[dict[str, Any]] = {
        **_SUBJECT,
        "because": "0192f0c4-0000-7000-8000-00000000e4e7",
        "at": "2026-11-22T02:00:00Z",
        "standing": {"state": "paused", "elapsed_seconds": 3600},
    }


class SLAClockRescheduled(ClockEvent):
    """Another revision of the calendar applies, as if from the start; `standing` holds the new figures.

    Both due instants are absent while paused; they are equal where the revision moves nothing. `because` is the
    id of the `CalendarApplied`. Warnings announced before are not announced again.
    """

    type_name: ClassVar[str] = "sla.SLAClockRescheduled.v1"
    calendar: str
    calendar_revision: int
    previous_calendar_revision: int
    time_zone_database: str
    elapsed_seconds: int
    previous_due_at: datetime | None = None
    due_at: datetime | None = None
    because: str
    example: ClassVar[dict[str, Any]] = {
        **_SUBJECT,
        "calendar": "0192f0c4-0000-7000-8000-00000000ca1e",
        "calendar_revision": 2,
        "previous_calendar_revision": 1,
        "time_zone_database": "2026a",
        "elapsed_seconds": 600,
        "previous_due_at": "2027-02-05T05:00:00Z",
        "due_at": "2027-02-11T05:00:00Z",
        "because": "0192f0c4-0000-7000-8000-0000000a9917",
    }


class SLAClockTermsChanged(ClockEvent):
    """Another agreement, or another revision of it, applies as if from the start; `standing` holds the new figures.

    `facts` is what the clock is told of the incident by these terms: `kind`, `at`, `event`, and `reason`, `target` in
    seconds or `by` where it has one. `because` is the id of the `AgreementApplied`, or of the incident's event that
    made another agreement the one for it. Both due instants are absent while paused.
    """

    type_name: ClassVar[str] = "sla.SLAClockTermsChanged.v1"
    agreement: str
    agreement_revision: int
    previous_agreement: str
    previous_agreement_revision: int
    calendar: str
    calendar_revision: int
    time_zone_database: str
    warning_percent: list[int]
    pausing_reasons: list[str]
    retarget: RetargetPolicy
    reopen: ReopenPolicy
    chosen_by: list[str] = Field(default=[])
    facts: list[dict[str, Any]]
    elapsed_seconds: int
    previous_due_at: datetime | None = None
    due_at: datetime | None = None
    because: str
    example: ClassVar[dict[str, Any]] = {
        **_SUBJECT,
        "agreement": "0192f0c4-0000-7000-8000-0000000a9eee",
        "agreement_revision": 2,
        "previous_agreement": "0192f0c4-0000-7000-8000-0000000a9eee",
        "previous_agreement_revision": 1,
        "calendar": "0192f0c4-0000-7000-8000-00000000ca1e",
        "calendar_revision": 1,
        "time_zone_database": "2026a",
        "warning_percent": [50, 75],
        "pausing_reasons": ["awaiting_requester"],
        "retarget": "from_opening",
        "reopen": "continue",
        "facts": [{"kind": "opened", "at": "2026-11-22T01:00:00Z", "event": _INCIDENT, "target": 28800}],
        "elapsed_seconds": 600,
        "previous_due_at": "2026-11-22T05:00:00Z",
        "due_at": "2026-11-22T09:00:00Z",
        "because": "0192f0c4-0000-7000-8000-0000000a9917",
    }


class SLAMet(ClockEvent):
    """The thing promised was done in time; the clock stopped."""

    type_name: ClassVar[str] = "sla.SLAMet.v1"
    elapsed_seconds: int
    example: ClassVar[dict[str, Any]] = {**_SUBJECT, "elapsed_seconds": 7200}


class SLAMissed(ClockEvent):
    """The thing promised was done, but after the target had passed; the clock stopped."""

    type_name: ClassVar[str] = "sla.SLAMissed.v1"
    elapsed_seconds: int
    overrun_seconds: int
    example: ClassVar[dict[str, Any]] = {**_SUBJECT, "elapsed_seconds": 15000, "overrun_seconds": 600}


class SLAClockContinued(ClockEvent):
    """A reopened incident sets the stopped clock running again; elapsed time is kept."""

    type_name: ClassVar[str] = "sla.SLAClockContinued.v1"
    elapsed_seconds: int
    due_at: datetime
    example: ClassVar[dict[str, Any]] = {**_SUBJECT, "elapsed_seconds": 7200, "due_at": "2026-11-23T05:00:00Z"}


class SLAClockCancelled(ClockEvent):
    """The clock counts nowhere: the incident was none, or its new priority has no target (`no_target`)."""

    type_name: ClassVar[str] = "sla.SLAClockCancelled.v1"
    reason: Literal["incident_cancelled", "no_target"] = "incident_cancelled"
    example: ClassVar[dict[str, Any]] = {**_SUBJECT}
