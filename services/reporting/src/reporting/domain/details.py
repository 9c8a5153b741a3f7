"""What the events of incidents leave behind each by itself: the event, stretches of being open, and alerts' episodes.

A stretch is a time in which an incident was open with one priority and team. It ends where the incident is resolved,
closed or cancelled, or where its priority or team changes; one that is reopened begins another. So the backlog of any
instant is exact, whatever happened since. Pure.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from opsledger_events import Envelope
from opsledger_events.contexts.incident import (
    IncidentAlertStateChanged,
    IncidentAssigned,
    IncidentCancelled,
    IncidentClosed,
    IncidentOpened,
    IncidentPrioritised,
    IncidentReopened,
    IncidentResolved,
)
from reporting.domain.days import date_key, whole_seconds
from reporting.domain.incidents import IncidentFact, fold_incident
from reporting.domain.rows import AlertRow, EventRow, IncidentRow, StretchRow

OPEN: Final = frozenset({"new", "assigned", "in_progress", "on_hold"})
_MOVES: Final = frozenset(
    {
        IncidentOpened,
        IncidentAssigned,
        IncidentPrioritised,
        IncidentResolved,
        IncidentReopened,
        IncidentClosed,
        IncidentCancelled,
    }
)
"""Events after which an incident may be in another stretch, or in none."""


@dataclass(slots=True)
class Details:
    """What a batch adds, by natural key. Rows are whole: none of them is ever loaded."""

    events: list[EventRow] = field(default_factory=list)
    stretches: dict[tuple[str, int], StretchRow] = field(default_factory=dict)
    alerts: dict[tuple[str, int], AlertRow] = field(default_factory=dict)


def fold_with_details(details: Details, row: IncidentRow, envelope: Envelope, event: IncidentFact) -> None:
    """Change `row` as the event says, and add what it leaves behind."""
    kind, time = type(event), envelope.time
    before, firing, episodes = row.last_event_at, row.alert_firing_since, row.alert_count
    if kind in _MOVES or row.stretch_began_at is None:
        _move(details, row, envelope, event)
    else:
        fold_incident(row, event, time, envelope.organisation, envelope.actor)
    if row.alert_count > episodes:
        _episode(details, row, row.alert_firing_since or time, None)
    elif firing is not None and isinstance(event, IncidentAlertStateChanged) and event.state == "resolved":
        _episode(details, row, firing, event.occurred_at)
    details.events.append(
        EventRow(
            row.incident_id,
            envelope.aggregateversion,
            str(envelope.id),
            envelope.name,
            time,
            envelope.recordedtime,
            date_key(time),
            envelope.actor,
            row.state,
            row.priority_key,
            row.team,
            row.organisation,
            row.service,
            row.category,
            whole_seconds(before, time),
            envelope.importid,
        )
    )


def _move(details: Details, row: IncidentRow, envelope: Envelope, event: IncidentFact) -> None:
    time = envelope.time
    began, team, priority = row.stretch_began_at, row.team, row.priority_key
    fold_incident(row, event, time, envelope.organisation, envelope.actor)
    opened = row.opened_at or time
    if began is not None and row.state in OPEN and (team, priority) == (row.team, row.priority_key):
        return
    if began is not None:
        key = row.incident_id, row.stretch_count
        details.stretches[key] = _stretch(row, began, time, opened, priority, team)
        row.stretch_began_at = None
    if row.state in OPEN:
        row.stretch_count, row.stretch_began_at = row.stretch_count + 1, time
        key = row.incident_id, row.stretch_count
        details.stretches[key] = _stretch(row, time, None, opened, row.priority_key, row.team)


def _stretch(
    row: IncidentRow, began: datetime, ended: datetime | None, opened: datetime, priority: int, team: str | None
) -> StretchRow:
    return StretchRow(
        row.incident_id,
        row.stretch_count,
        row.number,
        began,
        ended,
        opened,
        priority,
        team,
        row.organisation,
        row.service,
        row.category,
    )


def _episode(details: Details, row: IncidentRow, began: datetime, ended: datetime | None) -> None:
    details.alerts[row.incident_id, row.alert_count] = AlertRow(
        row.incident_id,
        row.alert_count,
        row.number,
        row.alert_fingerprint or "",
        row.alert_source,
        began,
        date_key(began),
        ended,
        whole_seconds(began, ended),
        row.alert_count == 1,
        row.priority_key,
        row.team,
        row.organisation,
        row.service,
        row.category,
    )
