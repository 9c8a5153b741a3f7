"""What may be asked of an incident. Ids and numbers arrive in the command; nothing here is looked up."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from opsledger_events import Event
from opsledger_events.contexts.incident import Channel, Responsibility

AlertState = Literal["firing", "resolved"]


@dataclass(frozen=True, slots=True)
class AlertOrigin:
    """The alert that raised an incident: who sent it, its fingerprint there, and when it began to fire."""

    source: str
    fingerprint: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Owner:
    """The team that answers for a configuration item, and the item's key."""

    team: str
    item: str


@dataclass(frozen=True, slots=True)
class GroupIncident:
    """Put it under the incident of a failed item: `path` names the items from its own to that one."""

    parent: str
    parent_number: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """Report an incident. With a `team`, or else an `owner` of its item, it is assigned in the same breath (R67).

    `criticality` is that of its item, where that is known; `group` where the failure that it comes from is.
    """

    number: str
    title: str
    impact: int
    urgency: int
    description: str = ""
    category: str | None = None
    service: str | None = None
    configuration_item: str | None = None
    criticality: str | None = None
    organisation: str | None = None
    requester: str | None = None
    channel: Channel = "other"
    team: str | None = None
    owner: Owner | None = None
    alert: AlertOrigin | None = None
    group: GroupIncident | None = None


@dataclass(frozen=True, slots=True)
class AssignIncident:
    """Make a team, and where known a person of it, responsible."""

    team: str
    assignee: str | None = None


@dataclass(frozen=True, slots=True)
class StartIncident:
    """Begin work: the first response. `assignee` is who works on it, where that is not stated already."""

    assignee: str | None = None


@dataclass(frozen=True, slots=True)
class HoldIncident:
    """Wait for somebody else. `promised`: what the requester was told of when work goes on, `promised_at` (R13).

    `at` is the command's own instant; a promise is for later.
    """

    reason: str
    note: str | None = None
    promised_at: datetime | None = None
    promised: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ResumeIncident:
    """Go on after a hold."""


@dataclass(frozen=True, slots=True)
class PrioritiseIncident:
    """Judge impact and urgency anew."""

    impact: int
    urgency: int


@dataclass(frozen=True, slots=True)
class NoteIncident:
    """Write a note; a public one is meant for the requester."""

    text: str
    public: bool = False


@dataclass(frozen=True, slots=True)
class ContactRequester:
    """Say that the requester was spoken to, and when a visit or a call was booked for (R2).

    `at` is the command's own instant; what is booked is later.
    """

    channel: Channel
    note: str | None = None
    booked_at: datetime | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ProvideWorkaround:
    """Say how service can be used before the cause is removed."""

    workaround: str


@dataclass(frozen=True, slots=True)
class ResolveIncident:
    """Service is restored. `responsibility` may be missing here so that the domain can name R16."""

    responsibility: Responsibility | None
    resolution: str


@dataclass(frozen=True, slots=True)
class ReopenIncident:
    """The fault came back, or was never gone."""

    reason: str


@dataclass(frozen=True, slots=True)
class CloseIncident:
    """Nothing more is to be done."""


@dataclass(frozen=True, slots=True)
class CancelIncident:
    """It was no incident: a mistake or a duplicate."""

    reason: str


@dataclass(frozen=True, slots=True)
class RecordAlertState:
    """The alert behind the incident stopped firing or fires again, at `occurred_at` by the sender's clock."""

    fingerprint: str
    state: AlertState
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class RecordStep:
    """What a foreign log shows after one update: recorded as it was, by whatever rules were in force there."""

    events: tuple[Event, ...]


Command = (
    OpenIncident
    | AssignIncident
    | StartIncident
    | HoldIncident
    | ResumeIncident
    | PrioritiseIncident
    | NoteIncident
    | ContactRequester
    | ProvideWorkaround
    | ResolveIncident
    | ReopenIncident
    | CloseIncident
    | CancelIncident
    | RecordAlertState
    | RecordStep
    | GroupIncident
)
