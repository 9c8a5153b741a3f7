"""How an incident's events change its row."""

from datetime import datetime
from typing import Final, assert_never, get_args

from opsledger_events.contexts.incident import (
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
)
from reporting.domain.days import NO_DATE, date_key, whole_seconds
from reporting.domain.rows import IncidentRow, priority_key

IncidentFact = (
    IncidentOpened
    | IncidentAssigned
    | IncidentStarted
    | IncidentHeld
    | IncidentResumed
    | IncidentPrioritised
    | IncidentNoted
    | IncidentAlertStateChanged
    | IncidentResolved
    | IncidentReopened
    | IncidentClosed
    | IncidentCancelled
    | IncidentGrouped
    | IncidentRequesterContacted
    | IncidentWorkaroundProvided
)
FACTS: Final = get_args(IncidentFact)


def fold_incident(
    row: IncidentRow, event: IncidentFact, time: datetime, organisation: str | None, actor: str | None = None
) -> None:
    """Change `row` as an event that `actor` caused at `time` says. `organisation` is the envelope's."""
    match event:  # the commonest first: each case that does not fit costs time
        case IncidentOpened():
            _open(row, event, time, organisation)
        case IncidentAssigned():
            team = event.team or None
            if row.team is not None and row.team != team:
                row.reassignment_count += 1
            row.team, row.assignee = team, event.assignee
            if row.state in ("new", "unknown"):
                row.state = "assigned"
            if event.assignee is not None:  # routing to a team is no answer yet; a named person is
                _acknowledge(row, time)
        case IncidentStarted():
            row.state, row.assignee = "in_progress", event.assignee or row.assignee
            _acknowledge(row, time)
        case IncidentResolved():
            _end_hold(row, time)
            row.state, row.responsibility = "resolved", event.responsibility
            row.resolved_at, row.resolved_date_key = time, date_key(time)
            row.first_resolved_at = row.first_resolved_at or time
            row.seconds_to_resolve = whole_seconds(row.opened_at, time)
        case IncidentClosed():
            _end_hold(row, time)
            row.state, row.closed_at, row.closed_date_key = "closed", time, date_key(time)
        case IncidentNoted():
            if event.public and row.first_reply_at is None and (actor is None or actor != row.requester):
                row.first_reply_at, row.seconds_to_first_reply = time, whole_seconds(row.opened_at, time)
        case IncidentAlertStateChanged():
            if event.state == "resolved":
                row.alert_firing_since = None
            elif row.alert_firing_since is None and row.alert_fingerprint is not None:
                row.alert_firing_since, row.alert_count = event.occurred_at, row.alert_count + 1
        case IncidentHeld():
            row.state = "on_hold"
            if row.held_since is None:
                row.held_since, row.hold_count = time, row.hold_count + 1
        case IncidentResumed():
            _end_hold(row, time)
            row.state = "in_progress"
        case IncidentPrioritised():
            row.impact, row.urgency, row.priority_key = event.impact, event.urgency, priority_key(event.priority)
        case IncidentReopened():
            row.state, row.responsibility = "new" if row.team is None else "in_progress", None
            row.resolved_at, row.resolved_date_key, row.seconds_to_resolve = None, NO_DATE, None
            row.reopen_count += 1
        case IncidentCancelled():
            _end_hold(row, time)
            row.state, row.cancelled_at = "cancelled", time
        case IncidentGrouped():
            row.parent_incident_id, row.parent_number = event.parent, event.parent_number
        case IncidentRequesterContacted():
            row.first_contact_at = row.first_contact_at or time
        case IncidentWorkaroundProvided():
            row.workaround_at = row.workaround_at or time
        case _:
            assert_never(event)
    row.last_event_at = time


def _open(row: IncidentRow, event: IncidentOpened, time: datetime, organisation: str | None) -> None:
    row.number, row.title, row.state = event.number, event.title, "new"
    row.organisation = event.organisation if event.organisation is not None else organisation
    row.service, row.category, row.channel = event.service, event.category, event.channel
    row.configuration_item, row.team = event.configuration_item, event.team or None
    row.impact, row.urgency, row.priority_key = event.impact, event.urgency, priority_key(event.priority)
    row.opened_at, row.opened_date_key = time, date_key(time)
    row.external_system, row.external_number = event.external_system, event.external_number
    row.requester = event.requester
    if event.alert_fingerprint is not None:
        row.alert_fingerprint, row.alert_source = event.alert_fingerprint, event.alert_source
        row.alert_firing_since, row.alert_count = event.alert_started_at or time, 1


def _acknowledge(row: IncidentRow, time: datetime) -> None:
    if row.acknowledged_at is None:
        row.acknowledged_at = time
        row.seconds_to_acknowledge = whole_seconds(row.opened_at, time)


def _end_hold(row: IncidentRow, time: datetime) -> None:
    row.held_seconds += whole_seconds(row.held_since, time) or 0
    row.held_since = None
