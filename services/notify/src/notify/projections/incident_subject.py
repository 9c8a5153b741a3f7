"""Subscribed read model `incident_subject`: what a notice says of an incident besides the event itself.

Only incident events fill it, in their own order. SLA events carry their incident along, so that no notice depends on
the order between contexts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace
from typing import Any

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
_LOAD = """
select found.* from unnest($1::text[]) as wanted (id)
  cross join lateral (select * from incident_subject where id = wanted.id offset 0) as found
"""
_SAVE = """
insert into incident_subject select * from unnest($1::notify.incident_subject[])
on conflict (id) do update set (number, title, priority, organisation, service, team, assignee, requester)
  = (excluded.number, excluded.title, excluded.priority, excluded.organisation, excluded.service, excluded.team,
     excluded.assignee, excluded.requester)
"""


async def apply(connection: Any, envelopes: Sequence[Envelope]) -> None:
    """Each incident as its events left it; one whose opening was never seen stays a stub."""
    found = await load(connection, envelopes)
    for envelope in envelopes:
        found[envelope.subject] = after(found.get(envelope.subject), envelope)
    await save(connection, found)


async def load(connection: Any, envelopes: Sequence[Envelope]) -> dict[str, Subject]:
    """The incidents of these events as far as they are known; those that are opened here are not looked for."""
    opened = {envelope.subject for envelope in envelopes if envelope.aggregateversion == 1}
    wanted = {envelope.subject for envelope in envelopes} - opened
    if not wanted:
        return {}
    rows = await connection.fetch(_LOAD, list(wanted))
    return {row["id"]: Subject(**dict(row)) for row in rows}


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


async def save(connection: Any, subjects: Mapping[str, Subject]) -> None:
    """Write these rows."""
    if subjects:
        await connection.execute(_SAVE, [astuple(subjects[incident]) for incident in sorted(subjects)])


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
