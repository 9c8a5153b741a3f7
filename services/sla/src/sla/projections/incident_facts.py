"""What happened to incidents, as far as clocks and promises need it. Subscribed, by `clocks`.

One row per event, but for notes that are not meant for the requester, so the incident can be shown as it was at any
instant: a breach names who had it then, however late it is announced. An incident whose opening is unknown has rows
without a first one, no clock and no promise.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from pydantic_core import to_json

from opsledger_events import Envelope
from opsledger_events.contexts.incident import (
    IncidentAssigned,
    IncidentCancelled,
    IncidentClosed,
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
from opsledger_runtime.projections import Projection, Table
from sla.domain.commands import Subject
from sla.domain.measures import IncidentFact

_KEPT: dict[str, tuple[str, ...]] = {
    IncidentOpened.type_name: (
        *("number", "title", "priority", "organisation", "service", "category", "criticality", "requester", "team"),
    ),
    IncidentAssigned.type_name: ("team", "assignee"),
    IncidentStarted.type_name: ("assignee",),
    IncidentHeld.type_name: ("reason",),
    IncidentResumed.type_name: (),
    IncidentPrioritised.type_name: ("priority",),
    IncidentNoted.type_name: (),
    IncidentRequesterContacted.type_name: (),
    IncidentWorkaroundProvided.type_name: (),
    IncidentResolved.type_name: (),
    IncidentReopened.type_name: (),
    IncidentClosed.type_name: (),
    IncidentCancelled.type_name: (),
}
READS = frozenset(_KEPT)
_CHANGING: Final = frozenset({"Assigned", "Started", "Prioritised"})
_NOW: Final = datetime.max.replace(tzinfo=UTC)
_SUBJECT = tuple(name for name in Subject.__slots__ if name != "incident")

_KEEP: Final = """
with added as (
  insert into incident_fact (incident, version, at, event, kind, data)
  select incident, version, at, event, kind, data::jsonb
    from unnest($1::text[], $2::integer[], $3::timestamptz[], $4::uuid[], $5::text[], $6::text[])
      as new (incident, version, at, event, kind, data)
  on conflict (incident, version) do nothing
  returning incident, version
)
select incident, null::uuid as stamp from added where version = 1
   and not exists (select from incident_fact as old where old.incident = added.incident)
   and not exists (select from clock where clock.incident = added.incident)
 union all
select null, event from definition_stamp
"""


async def _apply(connection: Any, envelopes: Sequence[Envelope]) -> None:
    told = [envelope for envelope in envelopes if is_told(envelope)]
    if told:
        await keep(connection, [(envelope.subject, fact_of(envelope)) for envelope in told])


async def keep(connection: Any, told: Sequence[tuple[str, IncidentFact]]) -> tuple[set[str], UUID | None]:
    """Keep what happened to incidents; returns those that are new: nothing is known of them but this, and no clock.

    Beside them the stamp of the definitions that stand, which whoever keeps asks for next.
    """
    rows = await connection.fetch(
        _KEEP,
        [incident for incident, _ in told],
        [fact.version for _, fact in told],
        [fact.at for _, fact in told],
        [fact.event for _, fact in told],
        [fact.kind for _, fact in told],
        [to_json(fact.data).decode() for _, fact in told],
    )
    stamp = next((row["stamp"] for row in rows if row["stamp"] is not None), None)
    return {row["incident"] for row in rows if row["incident"] is not None}, stamp


def is_told(envelope: Envelope) -> bool:
    """Whether it concerns clocks: of notes, those that the requester reads."""
    return envelope.type_name != IncidentNoted.type_name or envelope.data.get("public", False) is True


def fact_of(envelope: Envelope) -> IncidentFact:
    """The event as clocks know it."""
    name = envelope.name.removeprefix("Incident")
    return IncidentFact(envelope.aggregateversion, envelope.time, str(envelope.id), name, _data(envelope))


def _data(envelope: Envelope) -> dict[str, Any]:
    kept = {field: envelope.data.get(field) for field in _KEPT[envelope.type_name]}
    if envelope.type_name == IncidentOpened.type_name and kept["organisation"] is None:
        kept["organisation"] = envelope.organisation
    if envelope.type_name != IncidentAssigned.type_name:  # an assignment to a team takes the person away
        kept = {field: value for field, value in kept.items() if value is not None}
    return kept


async def facts_of(connection: Any, incidents: Iterable[str]) -> dict[str, list[IncidentFact]]:
    """What is known of incidents, in order of when it happened; an empty list where nothing is."""
    found: dict[str, list[IncidentFact]] = {incident: [] for incident in incidents}
    if not found:
        return found
    rows = await connection.fetch(
        "select found.* from unnest($1::text[]) as wanted (incident) cross join lateral"
        " (select incident, version, at, event, kind, data from incident_fact where incident = wanted.incident"
        " offset 0) as found order by at, version",
        list(found),
    )
    for row in rows:
        fact = IncidentFact(row["version"], row["at"], str(row["event"]), row["kind"], json.loads(row["data"]))
        found[row["incident"]].append(fact)
    return found


def subject_at(incident: str, facts: Sequence[IncidentFact], at: datetime) -> Subject | None:
    """The incident as it was at `at`, by its facts in order; None while its opening is unknown."""
    opened = next((fact for fact in facts if fact.kind == "Opened"), None)
    if opened is None:
        return None
    found = dict(opened.data)
    for fact in facts:
        if fact.at <= at and fact.kind in _CHANGING:
            found.update(fact.data)
    return Subject(incident=incident, **{name: found[name] for name in _SUBJECT if name in found})


async def subjects_of(connection: Any, incidents: Iterable[str]) -> dict[str, Subject]:
    """Incidents as they are now, as far as it is known; without those whose opening is not."""
    found = await facts_of(connection, incidents)
    subjects = {incident: subject_at(incident, facts, _NOW) for incident, facts in found.items()}
    return {incident: subject for incident, subject in subjects.items() if subject is not None}


async def named(connection: Any, id_or_number: str) -> Subject | None:
    """The incident with this id or number."""
    incident = await connection.fetchval(
        "select incident from incident_fact where version = 1 and (incident = $1 or data->>'number' = $1)"
        " order by incident = $1 desc, incident limit 1",
        id_or_number,
    )
    return None if incident is None else (await subjects_of(connection, [incident])).get(incident)


INCIDENT_FACTS = Projection("incident_facts", 1, READS, (Table("incident_fact", ("incident", "version")),), _apply)
