"""Subscribed read model `incident_subject`: what a notice says of an incident besides the event itself.

Only incident events fill it, in their own order. SLA events carry their incident along, so that no notice depends on
the order between contexts.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from operator import attrgetter
from typing import Any, Final

from notify.domain.facts import Subject
from opsledger_events import Envelope, decode
from opsledger_events.contexts.incident import (
    IncidentAssigned,
    IncidentOpened,
    IncidentPrioritised,
    IncidentStarted,
)
from opsledger_runtime.projections import Projection, Table

# One look into the index for each key (`offset 0`), whatever the planner believed of the table when it was empty.
LOADING: Final = """
select found.subject from unnest(${parameter}::text[]) as wanted (id)
  cross join lateral (select subject from incident_subject as subject where subject.id = wanted.id offset 0) as found
"""
"""A query for the incidents whose ids a parameter holds, each a whole row; `subjects` reads them."""

SAVING: Final = """
insert into incident_subject select * from unnest(${parameter}::notify.incident_subject[])
on conflict (id) do update set (number, title, priority, organisation, service, team, assignee, requester)
  = (excluded.number, excluded.title, excluded.priority, excluded.organisation, excluded.service, excluded.team,
     excluded.assignee, excluded.requester)
"""
"""A statement that writes the incidents of a parameter, as `rows` gives it."""

_LOAD: Final = LOADING.format(parameter=1)
_SAVE: Final = SAVING.format(parameter=1)
_COLUMNS: Final = tuple(field.name for field in fields(Subject))
_values: Final = attrgetter(*_COLUMNS)


async def apply(connection: Any, envelopes: Sequence[Envelope]) -> None:
    """Each incident as its events left it; one whose opening was never seen stays a stub."""
    rows = await connection.fetch(_LOAD, unknown(envelopes))
    found = subjects(row["subject"] for row in rows)
    for envelope in envelopes:
        found[envelope.subject] = after(found.get(envelope.subject), envelope)
    await save(connection, found)


def unknown(envelopes: Iterable[Envelope]) -> list[str]:
    """The incidents of these events that may be known already: not those that are opened here."""
    wanted: dict[str, bool] = {}
    for envelope in envelopes:
        wanted.setdefault(envelope.subject, envelope.aggregateversion > 1)
    return [incident for incident, begun in wanted.items() if begun]


def subjects(found: Iterable[Any]) -> dict[str, Subject]:
    """What `LOADING` found, by id."""
    return {row["id"]: Subject(*[row[name] for name in _COLUMNS]) for row in found}


def after(subject: Subject | None, envelope: Envelope) -> Subject:
    """The incident after one more of its events."""
    found = subject or Subject(envelope.subject, "", "")
    match decode(envelope):
        case IncidentOpened() as event:
            return replace(
                found,
                number=event.number,
                title=event.title,
                priority=event.priority,
                organisation=event.organisation or envelope.organisation,
                service=event.service,
                team=event.team,
                requester=event.requester,
            )
        case IncidentAssigned() as event:
            return replace(found, team=event.team, assignee=event.assignee)
        case IncidentStarted(assignee=str(assignee)):
            return replace(found, assignee=assignee)
        case IncidentPrioritised() as event:
            return replace(found, priority=event.priority)
        case _:
            return found


def rows(saving: Mapping[str, Subject]) -> list[tuple[Any, ...]]:
    """The parameter of `SAVING`, in one order for all who write."""
    return [_values(saving[incident]) for incident in sorted(saving)]


async def save(connection: Any, saving: Mapping[str, Subject]) -> None:
    """Write these rows."""
    if saving:
        await connection.execute(_SAVE, rows(saving))


INCIDENT_SUBJECT = Projection(
    name="incident_subject",
    version=1,
    reads=frozenset(
        {
            IncidentOpened.type_name,
            IncidentAssigned.type_name,
            IncidentStarted.type_name,
            IncidentPrioritised.type_name,
        }
    ),
    tables=(Table("incident_subject", ("id",)),),
    apply=apply,
)
