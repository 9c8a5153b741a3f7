"""A batch of events folded in memory: which rows it touches, and what they are afterwards.

The outcome depends on the events of each context in their order, never on how contexts interleave or where batches
begin: a row is changed by the events of one context only. The one exception is a stub: a clock whose incident is not
known yet leaves a row with a number and state `unknown`, which `IncidentOpened` then fills.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from opsledger_events import Envelope, Event, decode
from opsledger_events.contexts.notify import TeamFormed
from reporting.domain import clocks, incidents, notifications
from reporting.domain.clocks import ClockFact, fold_clock
from reporting.domain.incidents import IncidentFact, fold_incident
from reporting.domain.notifications import DeliveryFact, fold_notification, fold_team, new_notification
from reporting.domain.rows import ClockRow, IncidentRow, NotificationRow, TeamRow

READS = incidents.READS | clocks.READS | notifications.READS

Decoded = tuple[Envelope, Event]


@dataclass(slots=True)
class Rows:
    """Rows by natural key: first as loaded, then as the batch leaves them. An empty team name is no team."""

    teams: dict[str, TeamRow] = field(default_factory=dict)
    incidents: dict[str, IncidentRow] = field(default_factory=dict)
    clocks: dict[str, ClockRow] = field(default_factory=dict)
    notifications: dict[str, NotificationRow] = field(default_factory=dict)

    def name_team(self, team: str | None) -> None:
        """A team that is named has a row, so that facts can join it."""
        if team and team not in self.teams:
            self.teams[team] = TeamRow(team, name=team)


@dataclass(frozen=True, slots=True)
class Touched:
    """The natural keys whose rows a batch may change."""

    teams: set[str]
    incidents: set[str]
    clocks: set[str]
    notifications: set[str]


def read(envelopes: Sequence[Envelope]) -> list[Decoded]:
    """Decode those events that change the mart, in order."""
    return [(envelope, decode(envelope)) for envelope in envelopes if envelope.type_name in READS]


def touched(batch: Sequence[Decoded]) -> Touched:
    """What has to be loaded before `fold`."""
    found = Touched(set(), set(), set(), set())
    for envelope, event in batch:
        forms = type(event) is TeamFormed
        team = getattr(event, "key" if forms else "team", None)
        if team:
            found.teams.add(team)
        match envelope.context:
            case "incident":
                found.incidents.add(envelope.subject)
            case "sla":
                found.clocks.add(envelope.subject)
                found.incidents.add(cast(ClockFact, event).incident)
            case _ if not forms:
                found.notifications.add(envelope.subject)
    return found


def fold(rows: Rows, batch: Sequence[Decoded]) -> None:
    """Change `rows`, which holds everything `touched` names and the database knows."""
    # Told apart by context first: an isinstance check of a pydantic class that fails is slow, and there are many.
    for envelope, event in batch:
        match envelope.context:
            case "incident":
                _fold_incident(rows, envelope, cast(IncidentFact, event))
            case "sla":
                _fold_clock(rows, envelope, cast(ClockFact, event))
            case _ if isinstance(event, TeamFormed):
                rows.name_team(event.key)
                if team := rows.teams.get(event.key):
                    fold_team(team, event, envelope.time)
            case _:
                _fold_notification(rows, envelope, cast(DeliveryFact, event))


def _fold_incident(rows: Rows, envelope: Envelope, event: IncidentFact) -> None:
    rows.name_team(getattr(event, "team", None))
    incident = rows.incidents.get(envelope.subject)
    if incident is None:
        incident = rows.incidents[envelope.subject] = IncidentRow(envelope.subject)
    fold_incident(incident, event, envelope.time, envelope.organisation)


def _fold_notification(rows: Rows, envelope: Envelope, event: DeliveryFact) -> None:
    rows.name_team(event.team)
    notification = rows.notifications.get(envelope.subject)
    if notification is None:
        notification = rows.notifications[envelope.subject] = new_notification(envelope.subject, event)
    fold_notification(notification, event, envelope.time, envelope.organisation)


def _fold_clock(rows: Rows, envelope: Envelope, event: ClockFact) -> None:
    rows.name_team(event.team)
    if event.incident not in rows.incidents:
        rows.incidents[event.incident] = IncidentRow(event.incident, number=event.number)
    clock = rows.clocks.get(envelope.subject)
    if clock is None:
        clock = rows.clocks[envelope.subject] = ClockRow(envelope.subject, event.incident, event.metric)
    fold_clock(clock, event, envelope.time, envelope.organisation)
