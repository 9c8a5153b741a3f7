"""A batch of events folded in memory: which rows it needs, and what they are afterwards.

The outcome depends on the events of each context in their order, never on how contexts interleave or where batches
begin: a row is changed by the events of one context only. The one exception is a stub: a clock whose incident is not
known yet leaves a row with a number and state `unknown`, which `IncidentOpened` then fills.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from opsledger_events import Envelope, Event, decode
from opsledger_events.contexts.cmdb import ConfigurationItemClassDefined
from opsledger_events.contexts.notify import TeamFormed
from reporting.domain import clocks, incidents, notifications
from reporting.domain import items as configuration_items
from reporting.domain.clocks import ClockFact, fold_clock
from reporting.domain.details import Details, fold_with_details
from reporting.domain.incidents import IncidentFact
from reporting.domain.items import Items, fold_item
from reporting.domain.notifications import DeliveryFact, fold_notification, fold_team, new_notification
from reporting.domain.rows import ClockRow, IncidentRow, NotificationRow, TeamRow

Decoded = tuple[Envelope, Event]


@dataclass(slots=True)
class Rows:
    """Rows by natural key: first as loaded, then as the batch leaves them. An empty team name is no team.

    `teams` has a row for each team that is named, which says more than its name only if it was loaded or formed.
    `organisations`, `services` and `persons` are all that the batch's events named, also where no row of it says so.
    `stubs` are the incidents that only a new clock has spoken of here: those that exist already stay as they are.
    """

    teams: dict[str, TeamRow] = field(default_factory=dict)
    incidents: dict[str, IncidentRow] = field(default_factory=dict)
    clocks: dict[str, ClockRow] = field(default_factory=dict)
    notifications: dict[str, NotificationRow] = field(default_factory=dict)
    stubs: set[str] = field(default_factory=set)
    organisations: set[str | None] = field(default_factory=set)
    services: set[str | None] = field(default_factory=set)
    persons: set[str | None] = field(default_factory=set)
    details: Details = field(default_factory=Details)
    items: Items = field(default_factory=Items)

    def name_team(self, team: str | None) -> None:
        """A team that is named has a row, so that facts can join it."""
        if team and team not in self.teams:
            self.teams[team] = TeamRow(team, name=team)


@dataclass(frozen=True, slots=True)
class Needed:
    """The natural keys of rows that a batch changes and may not have begun."""

    teams: set[str]
    incidents: set[str]
    clocks: set[str]
    notifications: set[str]
    items: set[str]
    classes: set[str]


def read(envelopes: Sequence[Envelope]) -> list[Decoded]:
    """Decode those events that change the mart, in order."""
    return [(envelope, decode(envelope)) for envelope in envelopes if envelope.type_name in READS]


def needed(batch: Sequence[Decoded]) -> Needed:
    """What has to be loaded before `fold`.

    An aggregate whose first event is in the batch has no row, unless a stub, of which that event leaves nothing.
    """
    teams: set[str] = set()
    first: dict[Fold, dict[str, int]] = {_fold_incident: {}, _fold_clock: {}, _fold_notification: {}, _fold_item: {}}
    classes: set[str] = set()
    for envelope, event in batch:
        if isinstance(event, TeamFormed):
            teams.add(event.key)
        elif isinstance(event, ConfigurationItemClassDefined):
            classes.add(event.key)
        else:
            first[_FOLDS[type(event)]].setdefault(envelope.subject, envelope.aggregateversion)
    begun = [{key for key, version in found.items() if version > 1} for found in first.values()]
    of_incidents, of_clocks, of_notifications, of_items = begun
    return Needed(teams, of_incidents, of_clocks, of_notifications, of_items, classes)


def fold(rows: Rows, batch: Sequence[Decoded]) -> None:
    """Change `rows`, which holds everything `needed` names and the database knows."""
    for envelope, event in batch:
        _FOLDS[type(event)](rows, envelope, event)


def _fold_incident(rows: Rows, envelope: Envelope, event: IncidentFact) -> None:
    key = envelope.subject
    incident = rows.incidents.get(key)
    if incident is None:
        incident = rows.incidents[key] = IncidentRow(key)
    elif rows.stubs:
        rows.stubs.discard(key)
    rows.name_team(incident.team)  # for the stretch that may end, which is its alone
    fold_with_details(rows.details, incident, envelope, event)
    rows.name_team(incident.team)
    rows.organisations.add(incident.organisation)
    rows.services.add(incident.service)
    persons = rows.persons
    persons.add(envelope.actor)
    persons.add(incident.assignee)
    persons.add(incident.requester)


def _fold_clock(rows: Rows, envelope: Envelope, event: ClockFact) -> None:
    clock = rows.clocks.get(envelope.subject)
    if clock is None:
        clock = rows.clocks[envelope.subject] = ClockRow(
            envelope.subject, event.incident, event.metric, event.kind, event.party or None
        )
        if event.incident not in rows.incidents:  # of a clock that exists, the incident exists
            rows.incidents[event.incident] = IncidentRow(event.incident, number=event.number)
            rows.stubs.add(event.incident)
    fold_clock(clock, event, envelope.time, envelope.organisation)
    rows.name_team(clock.team)
    rows.name_team(clock.party)
    rows.organisations.add(clock.organisation)
    rows.services.add(clock.service)


def _fold_notification(rows: Rows, envelope: Envelope, event: DeliveryFact) -> None:
    rows.name_team(event.team)
    notification = rows.notifications.get(envelope.subject)
    if notification is None:
        notification = rows.notifications[envelope.subject] = new_notification(envelope.subject, event)
    fold_notification(notification, event, envelope.time, envelope.organisation)


def _fold_team(rows: Rows, envelope: Envelope, event: TeamFormed) -> None:
    rows.name_team(event.key)
    if team := rows.teams.get(event.key):
        fold_team(team, event, envelope.time)


def _fold_item(rows: Rows, envelope: Envelope, event: Event) -> None:
    before = rows.items.present.get(envelope.subject)
    fold_item(rows.items, envelope, event)
    for item in (before, rows.items.present.get(envelope.subject)):
        if item is not None:
            rows.name_team(item.owner_team)
            rows.organisations.add(item.organisation)
            rows.persons.update((item.administrator, item.database_administrator))


Fold = Callable[[Rows, Envelope, Any], None]

# By class: an isinstance check of a pydantic class that fails is slow, and a `match` is a row of them.
_FOLDS: Final[dict[type[Event], Fold]] = {
    **dict.fromkeys(incidents.FACTS, _fold_incident),
    **dict.fromkeys(clocks.FACTS, _fold_clock),
    **dict.fromkeys(notifications.FACTS, _fold_notification),
    **dict.fromkeys(configuration_items.FACTS, _fold_item),
    TeamFormed: _fold_team,
}
READS: Final = frozenset(cls.type_name for cls in _FOLDS)
