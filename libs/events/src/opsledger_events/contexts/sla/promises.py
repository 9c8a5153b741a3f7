"""Promises to customers: each is a clock of its own with owner, due instant, reminder, and kept or broken (R13, R18).

A promise belongs to its incident: events carry the incident's id and are partitioned by it. Each says all that is
needed to tell somebody of it.
"""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from opsledger_events.contract import Event, Personal

PromiseSource = Annotated[Literal["hold", "desk", "wording"], Field(json_schema_extra={"x-extensible-enum": True})]
"""`hold`: said when work was put on hold (R13); `desk`: recorded by hand; `wording`: read from a public note (R18)."""

PromiseAwaits = Annotated[
    Literal["reply", "return", "completion", "other"], Field(json_schema_extra={"x-extensible-enum": True})
]
"""What keeps it: `reply` the next word to the requester, `return` the work going on, `completion` the resolution,
`other` somebody who says so.
"""

_INCIDENT = "0192f0c4-7d1a-7c3e-9b5e-6a0f3d2c1b4a"
_SUBJECT: dict[str, Any] = {
    "incident": _INCIDENT,
    "number": "INC0000042",
    "title": "核心交换机端口告警",
    "organisation": "acme",
    "service": "core-network",
    "team": "network",
    "owner": "person-3",
    "requester": "person-17",
    "text": "周一上午带备件再来",
    "due_at": "2026-11-23T04:00:00Z",
    "remind_at": "2026-11-23T02:30:00Z",
    "source": "hold",
    "awaits": "return",
    "reason": "awaiting_vendor",
    "promised_by": "person-3",
    "at": "2026-11-22T08:30:00Z",
    "cause": "0192f0c4-0000-7000-8000-00000000e4e7",
}


class PromiseEvent(Event):
    """What every event of a promise says: of its incident, and of the promise as it stands after the event.

    `owner` is who has to keep it; without one it is the `team`'s. `text` is what was said, `reason` why it could not
    be done at once. `at` is when it happened, by which the promise is judged; `cause` the incident's event behind it.
    """

    partition_by: ClassVar[str | None] = "incident"
    incident: str
    number: str
    title: Annotated[str, Personal()]
    organisation: str | None = None
    service: str | None = None
    team: str | None = None
    owner: str | None = None
    requester: str | None = None
    text: Annotated[str, Personal()]
    due_at: datetime
    remind_at: datetime | None = None
    source: PromiseSource
    awaits: PromiseAwaits = "other"
    reason: str | None = None
    promised_by: str
    at: datetime
    cause: str | None = None


class PromiseMade(PromiseEvent):
    """A customer was promised something. `due_by_default`: nothing was said of when, so a usual time was given to it.

    `calendar` is named where working time decided when it is due.
    """

    type_name: ClassVar[str] = "sla.PromiseMade.v1"
    due_by_default: bool = False
    calendar: str | None = None
    calendar_revision: int | None = None
    example: ClassVar[dict[str, Any]] = {**_SUBJECT}


class PromiseMoved(PromiseEvent):
    """Another due instant was agreed with the customer before the promise was broken."""

    type_name: ClassVar[str] = "sla.PromiseMoved.v1"
    previous_due_at: datetime
    explanation: Annotated[str, Personal()]
    example: ClassVar[dict[str, Any]] = {
        **_SUBJECT,
        "previous_due_at": "2026-11-23T01:00:00Z",
        "explanation": "客户上午不在现场",
    }


class PromisePassedOn(PromiseEvent):
    """Somebody else has to keep it; without `owner` the team has."""

    type_name: ClassVar[str] = "sla.PromisePassedOn.v1"
    previous_owner: str | None = None
    example: ClassVar[dict[str, Any]] = {**_SUBJECT, "owner": "person-4", "previous_owner": "person-3"}


class PromiseReminderReached(PromiseEvent):
    """It will soon be due, and is not kept yet."""

    type_name: ClassVar[str] = "sla.PromiseReminderReached.v1"
    example: ClassVar[dict[str, Any]] = {**_SUBJECT, "at": "2026-11-23T02:30:00Z"}


class PromiseBroken(PromiseEvent):
    """The due instant passed, and it was not kept. `provisional`: not everything up to then was known to be read."""

    type_name: ClassVar[str] = "sla.PromiseBroken.v1"
    provisional: bool = False
    example: ClassVar[dict[str, Any]] = {**_SUBJECT, "at": "2026-11-23T04:00:00Z"}


class PromiseBreachWithdrawn(PromiseEvent):
    """It was told late that the promise was kept, or given up, before it was due: it was never broken.

    What was told follows as an event of its own.
    """

    type_name: ClassVar[str] = "sla.PromiseBreachWithdrawn.v1"
    example: ClassVar[dict[str, Any]] = {**_SUBJECT, "at": "2026-11-23T03:50:00Z"}


class PromiseKept(PromiseEvent):
    """What was promised was done, `late_seconds` after it was due: 0 in time.

    One that was broken counts as `broken` though it was kept late.
    """

    type_name: ClassVar[str] = "sla.PromiseKept.v1"
    late_seconds: int
    broken: bool
    example: ClassVar[dict[str, Any]] = {**_SUBJECT, "at": "2026-11-23T03:50:00Z", "late_seconds": 0, "broken": False}


class PromiseWithdrawn(PromiseEvent):
    """Nothing is owed any more: the customer does not want it, or the incident was none. `broken`: it was by then."""

    type_name: ClassVar[str] = "sla.PromiseWithdrawn.v1"
    explanation: Annotated[str, Personal()]
    broken: bool
    example: ClassVar[dict[str, Any]] = {**_SUBJECT, "explanation": "客户自行恢复", "broken": False}
