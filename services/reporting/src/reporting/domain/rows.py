"""The mart's rows as events leave them. Field names are column names; `projections.columns` derives the SQL from them.

Rows are accumulators: a batch loads them, folds its events into them and writes each once. They name their team; its
surrogate key is the database's affair.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from reporting.domain.days import NO_DATE

UNKNOWN: Final = -1
"""The key of the unknown member that every dimension has, so that joins stay inner."""


def priority_key(priority: int) -> int:
    """The key in `dim_priority`."""
    return priority if 1 <= priority <= 5 else UNKNOWN


@dataclass(slots=True)
class TeamRow:
    """One team that any event named."""

    team: str
    name: str = ""
    member_count: int | None = None
    formed_at: datetime | None = None
    changed_at: datetime | None = None


@dataclass(slots=True)
class IncidentRow:
    """One incident. State `unknown`: only a clock of it is known yet."""

    incident_id: str
    number: str | None = None
    title: str | None = None
    organisation: str | None = None
    service: str | None = None
    category: str | None = None
    configuration_item: str | None = None
    channel: str | None = None
    impact: int | None = None
    urgency: int | None = None
    priority_key: int = UNKNOWN
    team: str | None = None
    state: str = "unknown"
    responsibility: str | None = None
    opened_at: datetime | None = None
    opened_date_key: int = NO_DATE
    acknowledged_at: datetime | None = None
    resolved_at: datetime | None = None
    resolved_date_key: int = NO_DATE
    closed_at: datetime | None = None
    closed_date_key: int = NO_DATE
    cancelled_at: datetime | None = None
    held_since: datetime | None = None
    held_seconds: int = 0
    reopen_count: int = 0
    reassignment_count: int = 0
    seconds_to_acknowledge: int | None = None
    seconds_to_resolve: int | None = None
    last_event_at: datetime | None = None
    external_system: str | None = None
    external_number: str | None = None
    parent_incident_id: str | None = None
    parent_number: str | None = None
    requester: str | None = None
    assignee: str | None = None
    first_reply_at: datetime | None = None
    seconds_to_first_reply: int | None = None
    first_resolved_at: datetime | None = None
    first_contact_at: datetime | None = None
    workaround_at: datetime | None = None
    hold_count: int = 0
    stretch_count: int = 0
    stretch_began_at: datetime | None = None
    alert_fingerprint: str | None = None
    alert_source: str | None = None
    alert_count: int = 0
    alert_firing_since: datetime | None = None


@dataclass(slots=True)
class ClockRow:
    """One service level clock. Organisation, team and priority are as the clock's latest event named them.

    `party` is the team that an `ola` or `uc` clock measures.
    """

    clock_id: str
    incident_id: str
    metric: str
    kind: str = "sla"
    party: str | None = None
    incident_number: str | None = None
    agreement_id: str | None = None
    agreement_revision: int | None = None
    organisation: str | None = None
    service: str | None = None
    priority_key: int = UNKNOWN
    team: str | None = None
    state: str = "running"
    target_seconds: int | None = None
    elapsed_seconds: int = 0
    overrun_seconds: int | None = None
    started_at: datetime | None = None
    started_date_key: int = NO_DATE
    due_at: datetime | None = None
    warned_at: datetime | None = None
    breached_at: datetime | None = None
    provisional: bool = False
    withdrawn: bool = False
    stopped_at: datetime | None = None
    met: bool | None = None
    decided_at: datetime | None = None
    decided_date_key: int = NO_DATE
    cancelled_at: datetime | None = None
    paused: bool = False


@dataclass(slots=True)
class NotificationRow:
    """One delivery: a notice to one contact because of one event and one rule."""

    delivery_id: str
    about_id: str
    cause_event_id: str
    cause_type: str
    rule: str
    contact_id: str
    channel: str
    language: str
    about_number: str | None = None
    template: str | None = None
    organisation: str | None = None
    team: str | None = None
    state: str = "requested"
    requested_at: datetime | None = None
    requested_date_key: int = NO_DATE
    delivered_at: datetime | None = None
    failed_at: datetime | None = None
    attempts: int = 0
    seconds_to_deliver: int | None = None


@dataclass(slots=True)
class EventRow:
    """One event of an incident, and how the incident stood after it."""

    incident_id: str
    version: int
    event_id: str
    event_type: str
    occurred_at: datetime
    recorded_at: datetime
    occurred_date_key: int
    actor: str | None
    state_after: str
    priority_key: int
    team: str | None
    organisation: str | None
    service: str | None
    category: str | None
    seconds_since_previous: int | None
    import_id: str | None


@dataclass(slots=True)
class StretchRow:
    """One stretch of time in which an incident was open with one priority and team. No end: it lasts."""

    incident_id: str
    stretch_no: int
    incident_number: str | None
    began_at: datetime
    ended_at: datetime | None
    opened_at: datetime
    priority_key: int
    team: str | None
    organisation: str | None
    service: str | None
    category: str | None


@dataclass(slots=True)
class AlertRow:
    """One episode in which the alert behind an incident fired."""

    incident_id: str
    episode_no: int
    incident_number: str | None
    alert_fingerprint: str
    alert_source: str | None
    began_at: datetime
    began_date_key: int
    ended_at: datetime | None
    seconds_firing: int | None
    opened_incident: bool
    priority_key: int
    team: str | None
    organisation: str | None
    service: str | None
    category: str | None


@dataclass(slots=True, frozen=True)
class ItemRow:
    """One version of a configuration item. No `valid_to`: it is the current one."""

    item_id: str
    version: int
    key: str
    name: str
    item_class: str
    environment: str | None = None
    criticality: str | None = None
    lifecycle: str | None = None
    organisation: str | None = None
    owner_team: str | None = None
    administrator: str | None = None
    database_administrator: str | None = None
    source: str | None = None
    merged_into: str | None = None
    event_id: str | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    is_current: bool = True


@dataclass(slots=True, frozen=True)
class ClassRow:
    """One class of configuration items, as last defined. `was_service`: it was a class of services at some time."""

    item_class: str
    name_zh: str
    name_en: str
    needs_administrator: bool
    needs_database_administrator: bool
    is_service: bool
    was_service: bool
    revision: int
    defined_at: datetime | None
