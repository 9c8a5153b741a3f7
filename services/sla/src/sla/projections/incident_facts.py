"""What happened to incidents, as far as clocks need it. Subscribed, by `clocks`.

One row per event, so the incident can be shown as it was at any instant: a breach names who had it then, however
late it is announced. An incident whose opening is unknown has rows without a first one, and no clock.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from opsledger_events import Envelope
from opsledger_events.contexts.incident import (
    IncidentAssigned,
    IncidentCancelled,
    IncidentClosed,
    IncidentHeld,
    IncidentOpened,
    IncidentPrioritised,
    IncidentReopened,
    IncidentResolved,
    IncidentResumed,
    IncidentStarted,
)
from opsledger_runtime.projections import Projection, Table
from sla.domain.commands import Subject

_KEPT: dict[str, tuple[str, ...]] = {
    IncidentOpened.type_name: ("number", "title", "priority", "organisation", "service", "requester", "team"),
    IncidentAssigned.type_name: ("team", "assignee"),
    IncidentStarted.type_name: ("assignee",),
    IncidentHeld.type_name: ("reason",),
    IncidentResumed.type_name: (),
    IncidentPrioritised.type_name: ("priority",),
    IncidentResolved.type_name: (),
    IncidentReopened.type_name: (),
    IncidentClosed.type_name: (),
    IncidentCancelled.type_name: (),
}
READS = frozenset(_KEPT)


@dataclass(frozen=True, slots=True)
class IncidentFact:
    """One event of an incident; `kind` is the event's name without `Incident`, for example `Held`."""

    version: int
    at: datetime
    event: str
    kind: str
    data: dict[str, Any]


async def _apply(connection: Any, envelopes: Sequence[Envelope]) -> None:
    await connection.executemany(
        "insert into incident_fact (incident, version, at, event, kind, data) values ($1, $2, $3, $4, $5, $6::jsonb)"
        " on conflict (incident, version) do nothing",
        [
            (
                envelope.subject,
                envelope.aggregateversion,
                envelope.time,
                envelope.id,
                envelope.name.removeprefix("Incident"),
                json.dumps(_data(envelope), ensure_ascii=False),
            )
            for envelope in envelopes
        ],
    )


def _data(envelope: Envelope) -> dict[str, Any]:
    kept = {field: envelope.data.get(field) for field in _KEPT[envelope.type_name]}
    if envelope.type_name == IncidentOpened.type_name and kept["organisation"] is None:
        kept["organisation"] = envelope.organisation
    if envelope.type_name != IncidentAssigned.type_name:  # an assignment to a team takes the person away
        kept = {field: value for field, value in kept.items() if value is not None}
    return kept


async def facts_of(connection: Any, incident: str) -> list[IncidentFact]:
    """What is known of an incident, in order of when it happened."""
    rows = await connection.fetch(
        "select version, at, event, kind, data from incident_fact where incident = $1 order by at, version", incident
    )
    return [
        IncidentFact(row["version"], row["at"], str(row["event"]), row["kind"], json.loads(row["data"])) for row in rows
    ]


def subject_at(incident: str, facts: Iterable[IncidentFact], at: datetime) -> Subject | None:
    """The incident as it was at `at`; None while its opening is unknown."""
    known = sorted(facts, key=lambda fact: (fact.at, fact.version))
    opened = next((fact for fact in known if fact.kind == "Opened"), None)
    if opened is None:
        return None
    found = dict(opened.data)
    for fact in known:
        if fact.at <= at and fact.kind in ("Assigned", "Started", "Prioritised"):
            found.update(fact.data)
    return Subject(incident=incident, **found)


INCIDENT_FACTS = Projection("incident_facts", 1, READS, (Table("incident_fact", ("incident", "version")),), _apply)
