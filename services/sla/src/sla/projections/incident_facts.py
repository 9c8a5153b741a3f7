"""What happened to incidents, as far as clocks need it. Subscribed, by `clocks`.

One row per event, but for notes that are not meant for the requester, so the incident can be shown as it was at any
instant: a breach names who had it then, however late it is announced. An incident whose opening is unknown has rows
without a first one, and no clock.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

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
_SUBJECT = tuple(name for name in Subject.__slots__ if name != "incident")


async def _apply(connection: Any, envelopes: Sequence[Envelope]) -> None:
    envelopes = [envelope for envelope in envelopes if is_told(envelope)]
    facts = [_fact(envelope) for envelope in envelopes]
    await connection.execute(
        "insert into incident_fact (incident, version, at, event, kind, data)"
        " select incident, version, at, event, kind, data::jsonb from unnest($1::text[], $2::integer[],"
        " $3::timestamptz[], $4::uuid[], $5::text[], $6::text[]) as new (incident, version, at, event, kind, data)"
        " on conflict (incident, version) do nothing",
        [envelope.subject for envelope in envelopes],
        [fact.version for fact in facts],
        [fact.at for fact in facts],
        [fact.event for fact in facts],
        [fact.kind for fact in facts],
        [json.dumps(fact.data, ensure_ascii=False) for fact in facts],
    )


def is_told(envelope: Envelope) -> bool:
    """Whether it concerns clocks: of notes, those that the requester reads."""
    return envelope.type_name != IncidentNoted.type_name or envelope.data.get("public", False) is True


def _fact(envelope: Envelope) -> IncidentFact:
    name = envelope.name.removeprefix("Incident")
    return IncidentFact(envelope.aggregateversion, envelope.time, str(envelope.id), name, _data(envelope))


def _data(envelope: Envelope) -> dict[str, Any]:
    kept = {field: envelope.data.get(field) for field in _KEPT[envelope.type_name]}
    if envelope.type_name == IncidentOpened.type_name and kept["organisation"] is None:
        kept["organisation"] = envelope.organisation
    if envelope.type_name != IncidentAssigned.type_name:  # an assignment to a team takes the person away
        kept = {field: value for field, value in kept.items() if value is not None}
    return kept


async def keep_and_find(connection: Any, envelopes: Sequence[Envelope]) -> dict[str, list[IncidentFact]]:
    """Keep what happened; what is known of each incident afterwards, in order of when it happened.

    Only incidents that began earlier than the batch are read: the others are all in it.
    """
    await INCIDENT_FACTS.apply(connection, envelopes)
    begun = {envelope.subject for envelope in envelopes if envelope.aggregateversion == 1}
    found = await facts_of(connection, {envelope.subject for envelope in envelopes} - begun)
    for envelope in envelopes:
        if envelope.subject in begun and is_told(envelope):
            found.setdefault(envelope.subject, []).append(_fact(envelope))
    for facts in found.values():
        facts.sort(key=lambda fact: (fact.at, fact.version))
    return found


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
    return Subject(incident=incident, **{name: found[name] for name in _SUBJECT if name in found})


INCIDENT_FACTS = Projection("incident_facts", 1, READS, (Table("incident_fact", ("incident", "version")),), _apply)
