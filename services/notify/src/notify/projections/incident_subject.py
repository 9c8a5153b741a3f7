"""Subscribed read model `incident_subject`: what a notice says of an incident besides the event itself.

Only incident events fill it, in their own order. SLA events carry their incident along, so that no notice depends on
the order between contexts.
"""

from collections.abc import Sequence
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

_STUB = "insert into incident_subject (id, number, title) values ($1, '', '') on conflict (id) do nothing"
_OPENED = """
update incident_subject
set number = $2, title = $3, priority = $4, organisation = $5, service = $6, team = $7, requester = $8
where id = $1
"""


async def apply(connection: Any, envelopes: Sequence[Envelope]) -> None:
    """Each incident as its events left it; one whose opening was never seen stays a stub."""
    for envelope in envelopes:
        incident = envelope.subject
        event = decode(envelope)
        await connection.execute(_STUB, incident)
        match event:
            case IncidentOpened():
                await connection.execute(
                    _OPENED,
                    incident,
                    event.number,
                    event.title,
                    event.priority,
                    event.organisation or envelope.organisation,
                    event.service,
                    event.team,
                    event.requester,
                )
            case IncidentAssigned():
                await connection.execute(
                    "update incident_subject set team = $2, assignee = $3 where id = $1",
                    incident,
                    event.team,
                    event.assignee,
                )
            case IncidentStarted(assignee=str()):
                await connection.execute(
                    "update incident_subject set assignee = $2 where id = $1", incident, event.assignee
                )
            case IncidentPrioritised():
                await connection.execute(
                    "update incident_subject set priority = $2 where id = $1", incident, event.priority
                )


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


async def find(connection: Any, incident: str) -> Subject:
    """The incident; one that was never seen is known by its id alone."""
    row = await connection.fetchrow("select * from incident_subject where id = $1", incident)
    if row is None:
        return Subject(incident, "", "")
    return Subject(**dict(row))
