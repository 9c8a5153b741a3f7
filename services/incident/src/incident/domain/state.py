"""What an incident is after its events, and how each event changes it.

The life cycle: new → assigned → in_progress ⇄ on_hold → resolved → closed; cancelled from any state before resolved.
Notes, contacts and descriptions change no decision, so they are not part of the state. An incident that is grouped
under another lives on by itself: when the cause is mended, whether this one's service is back is for its own team to
say.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, assert_never

from incident.domain.commands import AlertState
from opsledger_events.contexts.incident import (
    Channel,
    IncidentAlertStateChanged,
    IncidentAssigned,
    IncidentCancelled,
    IncidentClosed,
    IncidentGrouped,
    IncidentHeld,
    IncidentNoted,
    IncidentOpened,
    IncidentPrioritised,
    IncidentReopened,
    IncidentRequesterContacted,
    IncidentResolved,
    IncidentResumed,
    IncidentStarted,
    IncidentWorkaroundProvided,
    Responsibility,
)


class State(StrEnum):
    """Where in its life cycle an incident is."""

    UNKNOWN = "unknown"
    NEW = "new"
    ASSIGNED = "assigned"
    IN_PROGRESS = "in_progress"
    ON_HOLD = "on_hold"
    RESOLVED = "resolved"
    CLOSED = "closed"
    CANCELLED = "cancelled"


OPEN: Final = frozenset({State.NEW, State.ASSIGNED, State.IN_PROGRESS, State.ON_HOLD})
"""The states in which there is still something to restore."""


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident as its events left it; `State.UNKNOWN` before the first."""

    state: State = State.UNKNOWN
    number: str = ""
    title: str = ""
    impact: int = 0
    urgency: int = 0
    priority: int = 0
    category: str | None = None
    service: str | None = None
    configuration_item: str | None = None
    criticality: str | None = None
    organisation: str | None = None
    requester: str | None = None
    channel: Channel = "other"
    team: str | None = None
    assignee: str | None = None
    hold_reason: str | None = None
    hold_note: str | None = None
    promised_at: datetime | None = None
    promised: str | None = None
    workaround: str | None = None
    responsibility: Responsibility | None = None
    resolution: str | None = None
    cancel_reason: str | None = None
    alert_source: str | None = None
    alert_fingerprint: str | None = None
    alert_state: AlertState | None = None
    parent: str | None = None
    parent_number: str | None = None


IncidentEvent = (
    IncidentOpened
    | IncidentAssigned
    | IncidentStarted
    | IncidentHeld
    | IncidentResumed
    | IncidentPrioritised
    | IncidentNoted
    | IncidentRequesterContacted
    | IncidentWorkaroundProvided
    | IncidentResolved
    | IncidentReopened
    | IncidentClosed
    | IncidentCancelled
    | IncidentAlertStateChanged
    | IncidentGrouped
)


_NOT_HELD: Final[dict[str, Any]] = dict.fromkeys(("hold_reason", "hold_note", "promised_at", "promised"))


def evolve(incident: Incident, event: IncidentEvent) -> Incident:
    """The incident after one more event."""
    match event:
        case IncidentOpened():
            return Incident(
                state=State.NEW,
                number=event.number,
                title=event.title,
                impact=event.impact,
                urgency=event.urgency,
                priority=event.priority,
                category=event.category,
                service=event.service,
                configuration_item=event.configuration_item,
                criticality=event.criticality,
                organisation=event.organisation,
                requester=event.requester,
                channel=event.channel,
                alert_source=event.alert_source,
                alert_fingerprint=event.alert_fingerprint,
                alert_state="firing" if event.alert_fingerprint is not None else None,
            )
        case IncidentAssigned():
            assigned = State.ASSIGNED if incident.state is State.NEW else incident.state
            return replace(incident, state=assigned, team=event.team, assignee=event.assignee)
        case IncidentStarted():
            return replace(incident, state=State.IN_PROGRESS, assignee=event.assignee or incident.assignee)
        case IncidentHeld():
            return replace(
                incident,
                state=State.ON_HOLD,
                hold_reason=event.reason,
                hold_note=event.note,
                promised_at=event.promised_at,
                promised=event.promised,
            )
        case IncidentResumed():
            return replace(incident, state=State.IN_PROGRESS, **_NOT_HELD)
        case IncidentPrioritised():
            return replace(incident, impact=event.impact, urgency=event.urgency, priority=event.priority)
        case IncidentNoted() | IncidentRequesterContacted():
            return incident
        case IncidentWorkaroundProvided():
            return replace(incident, workaround=event.workaround)
        case IncidentResolved():
            return replace(
                incident,
                state=State.RESOLVED,
                responsibility=event.responsibility,
                resolution=event.resolution,
                **_NOT_HELD,
            )
        case IncidentReopened():
            reopened = State.NEW if incident.team is None else State.IN_PROGRESS
            return replace(incident, state=reopened, responsibility=None, resolution=None)
        case IncidentClosed():
            return replace(incident, state=State.CLOSED, **_NOT_HELD)
        case IncidentCancelled():
            return replace(incident, state=State.CANCELLED, cancel_reason=event.reason, **_NOT_HELD)
        case IncidentAlertStateChanged():
            return replace(incident, alert_state=event.state)
        case IncidentGrouped():
            return replace(incident, parent=event.parent, parent_number=event.parent_number)
        case _:
            assert_never(event)
