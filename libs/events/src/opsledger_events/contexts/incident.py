"""What the incident service announces.

People are named by opaque id only. `impact`, `urgency` and `priority` count from 1, the highest.
"""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from opsledger_events.contract import Event, Personal

Channel = Literal["phone", "portal", "email", "chat", "monitoring", "walk-in", "other"]
Responsibility = Literal["provider", "third_party", "customer"]
"""R16: 局端 (provider), 第三方 (third_party), 客户端 (customer)."""


class IncidentOpened(Event):
    """An incident was reported, an alert raised one, or a history was imported.

    `external_number` is what `external_system` calls it, for an imported one. `parent` is the incident under which it
    is grouped at once (IncidentGrouped follows): whoever knows of that one need not be called for this one.
    `criticality` is that of its configuration item, as it was known when the incident was opened.
    """

    type_name: ClassVar[str] = "incident.IncidentOpened.v1"
    number: str
    title: Annotated[str, Personal()]
    description: Annotated[str, Personal()] = ""
    impact: int
    urgency: int
    priority: int
    category: str | None = None
    service: str | None = None
    configuration_item: str | None = None
    criticality: str | None = None
    organisation: str | None = None
    requester: str | None = None
    channel: Channel = "other"
    team: str | None = None
    alert_fingerprint: str | None = None
    alert_source: str | None = None
    alert_started_at: datetime | None = None
    external_system: str | None = None
    external_number: str | None = None
    parent: str | None = None
    example: ClassVar[dict[str, Any]] = {
        "number": "INC0000042",
        "title": "核心交换机端口告警",
        "description": "Port 12 flaps since the morning.",
        "impact": 1,
        "urgency": 2,
        "priority": 2,
        "category": "network",
        "service": "core-network",
        "configuration_item": "sw-core-01",
        "organisation": "acme",
        "requester": "person-17",
        "channel": "phone",
    }


class IncidentAssigned(Event):
    """A team, and where known a person of it, became responsible.

    `owner_of` is the key of the configuration item whose owner the team is, where that is why it was chosen (R67).
    `parent` is as in IncidentOpened, of the assignment that belongs to the opening alone.
    """

    type_name: ClassVar[str] = "incident.IncidentAssigned.v1"
    team: str
    assignee: str | None = None
    previous_team: str | None = None
    previous_assignee: str | None = None
    owner_of: str | None = None
    parent: str | None = None
    example: ClassVar[dict[str, Any]] = {"team": "network", "assignee": "person-3"}


class IncidentStarted(Event):
    """Work began: the first response."""

    type_name: ClassVar[str] = "incident.IncidentStarted.v1"
    assignee: str | None = None
    example: ClassVar[dict[str, Any]] = {"assignee": "person-3"}


class IncidentHeld(Event):
    """Work waits for somebody else; whether clocks pause is the agreement's decision, by reason.

    `promised_at` is when the requester was told that work goes on (R13); `promised` is what was said.
    """

    type_name: ClassVar[str] = "incident.IncidentHeld.v1"
    reason: str
    note: Annotated[str | None, Personal()] = None
    promised_at: datetime | None = None
    promised: Annotated[str | None, Personal()] = None
    example: ClassVar[dict[str, Any]] = {"reason": "awaiting_requester", "note": "asked for the serial number"}


class IncidentResumed(Event):
    """Work goes on after a hold."""

    type_name: ClassVar[str] = "incident.IncidentResumed.v1"
    example: ClassVar[dict[str, Any]] = {}


class IncidentPrioritised(Event):
    """Impact or urgency was judged anew."""

    type_name: ClassVar[str] = "incident.IncidentPrioritised.v1"
    impact: int
    urgency: int
    priority: int
    previous_priority: int
    example: ClassVar[dict[str, Any]] = {"impact": 2, "urgency": 2, "priority": 3, "previous_priority": 2}


class IncidentNoted(Event):
    """Somebody wrote a note; a public one is meant for the requester."""

    type_name: ClassVar[str] = "incident.IncidentNoted.v1"
    text: Annotated[str, Personal()]
    public: bool = False
    example: ClassVar[dict[str, Any]] = {"text": "更换光模块后恢复", "public": True}


class IncidentRequesterContacted(Event):
    """Somebody at work on it spoke to the requester; a visit or a call may have been booked (R2)."""

    type_name: ClassVar[str] = "incident.IncidentRequesterContacted.v1"
    channel: Channel
    note: Annotated[str | None, Personal()] = None
    booked_at: datetime | None = None
    example: ClassVar[dict[str, Any]] = {"channel": "phone", "booked_at": "2026-11-23T01:30:00Z"}


class IncidentWorkaroundProvided(Event):
    """Service can be used again in some way, before the cause is removed."""

    type_name: ClassVar[str] = "incident.IncidentWorkaroundProvided.v1"
    workaround: Annotated[str, Personal()]
    example: ClassVar[dict[str, Any]] = {"workaround": "use the second link until the port is replaced"}


class IncidentResolved(Event):
    """Service is restored; the responsibility code is mandatory (R16)."""

    type_name: ClassVar[str] = "incident.IncidentResolved.v1"
    responsibility: Responsibility
    resolution: Annotated[str, Personal()]
    example: ClassVar[dict[str, Any]] = {"responsibility": "provider", "resolution": "replaced the transceiver"}


class IncidentReopened(Event):
    """The fault came back, or was never gone."""

    type_name: ClassVar[str] = "incident.IncidentReopened.v1"
    reason: Annotated[str, Personal()]
    example: ClassVar[dict[str, Any]] = {"reason": "the port flaps again"}


class IncidentClosed(Event):
    """Nothing more is to be done; final."""

    type_name: ClassVar[str] = "incident.IncidentClosed.v1"
    example: ClassVar[dict[str, Any]] = {}


class IncidentCancelled(Event):
    """It was no incident: a mistake or a duplicate; final."""

    type_name: ClassVar[str] = "incident.IncidentCancelled.v1"
    reason: Annotated[str, Personal()]
    example: ClassVar[dict[str, Any]] = {"reason": "opened twice"}


class IncidentAlertStateChanged(Event):
    """The alert behind the incident stopped firing or fires again."""

    type_name: ClassVar[str] = "incident.IncidentAlertStateChanged.v1"
    fingerprint: str
    state: Literal["firing", "resolved"]
    occurred_at: datetime
    example: ClassVar[dict[str, Any]] = {
        "fingerprint": "d1a7c3e9b5e6a0f3",
        "state": "resolved",
        "occurred_at": "2026-11-22T08:30:00Z",
    }


class IncidentGrouped(Event):
    """Its item depends on one that has failed: the incident there is the likely cause, and is worked on first.

    `path` names the configuration items from this incident's to the failed one.
    """

    type_name: ClassVar[str] = "incident.IncidentGrouped.v1"
    parent: str
    parent_number: str
    path: list[str]
    example: ClassVar[dict[str, Any]] = {
        "parent": "0192f0c4-7d1a-7c3e-9b5e-6a0f3d2c1b4a",
        "parent_number": "INC0000042",
        "path": ["shop", "db-01", "sw-core-01"],
    }


class HistoryImportCompleted(Event):
    """A history was told to its end; everything that carries its `importid` is recorded.

    `irregular` counts rows that the desk would have refused or that were not recorded just as they stand, `damaged`
    rows that could not be read. `incidents` have new events, `skipped` ones have none.
    """

    type_name: ClassVar[str] = "incident.HistoryImportCompleted.v1"
    system: str
    rows: int
    incidents: int
    events: int
    skipped: int
    irregular: int
    damaged: int
    example: ClassVar[dict[str, Any]] = {
        "system": "servicenow",
        "rows": 4137,
        "incidents": 600,
        "events": 4310,
        "skipped": 0,
        "irregular": 131,
        "damaged": 2,
    }
