"""What a notice can say about an event: a flat set of named values, frozen when the notice is decided.

Pure. Names of people are opaque ids here; a mail shows display names, looked up when it is sent, so that erasing a
contact needs no change to any event (D11).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel

from opsledger_events import Event, event_class, event_classes
from opsledger_events.contexts.incident import (
    IncidentAssigned,
    IncidentCancelled,
    IncidentHeld,
    IncidentNoted,
    IncidentOpened,
    IncidentRequesterContacted,
)
from opsledger_events.contexts.sla import ClockEvent, PromiseEvent, PromiseMoved, PromiseWithdrawn
from opsledger_events.envelope import format_instant, parse_instant

Value = str | int | bool

VALUE_LENGTH: Final = 2000
"""Longest value, in characters: a notice quotes an incident, it does not repeat it."""

NOTIFIABLE: Final = frozenset(
    name
    for name, cls in event_classes().items()
    if name.startswith("incident.Incident") or issubclass(cls, ClockEvent | PromiseEvent)
)
"""Type names of the events that concern one incident, so that somebody can be told about them."""

_INTERNAL: Final[dict[str, frozenset[str]]] = {
    IncidentHeld.type_name: frozenset({"note"}),
    IncidentRequesterContacted.type_name: frozenset({"note"}),
    IncidentCancelled.type_name: frozenset({"reason"}),
    PromiseMoved.type_name: frozenset({"explanation"}),
    PromiseWithdrawn.type_name: frozenset({"explanation"}),
}
"""Free texts that are written for staff: a requester's notice of the event leaves them empty."""

_SAMPLE_TIME: Final = parse_instant("2026-11-22T05:00:00Z")


@dataclass(frozen=True, slots=True)
class Subject:
    """The incident a notice is about, as far as it is known; absent people and groupings are None."""

    id: str
    number: str
    title: str
    priority: int | None = None
    organisation: str | None = None
    service: str | None = None
    team: str | None = None
    assignee: str | None = None
    requester: str | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """One event that somebody may have to be told of. `restricted`: not the requester, whatever a rule says.

    `of_vendor`: what it is about binds a vendor's team, so that telling that team tells nobody of our own.
    """

    subject: Subject
    cause: str
    cause_type: str
    values: dict[str, Value]
    restricted: bool = False
    of_vendor: bool = False


def told_with_its_cause(event: Event) -> bool:
    """Whether it opens or assigns an incident that another one explains: who works on that one was told already."""
    return isinstance(event, IncidentOpened | IncidentAssigned) and event.parent is not None


def subject_of_clock(event: ClockEvent) -> Subject:
    """An SLA event carries its incident, so a notice never waits for the incident's own events.

    A clock of a team concerns that team, and the assignee only while the incident is with it.
    """
    team = event.party or event.team
    return Subject(
        id=event.incident,
        number=event.number,
        title=event.title,
        priority=event.priority,
        organisation=event.organisation,
        service=event.service,
        team=team,
        assignee=event.assignee if event.team == team else None,
        requester=event.requester,
    )


def subject_of_promise(event: PromiseEvent) -> Subject:
    """As of a clock; the assignee is whoever has to keep the promise."""
    return Subject(
        id=event.incident,
        number=event.number,
        title=event.title,
        organisation=event.organisation,
        service=event.service,
        team=event.team,
        assignee=event.owner,
        requester=event.requester,
    )


def values_of(event: Event, subject: Subject, happened: datetime) -> dict[str, Value]:
    """Every scalar of the event and its subject; what is absent is the empty string, so that a wording can test it.

    Names that end in `_at` hold instants, as RFC 3339 in UTC.
    """
    found: dict[str, Value] = {
        "number": subject.number,
        "title": subject.title,
        "priority": "" if subject.priority is None else subject.priority,
        "organisation": subject.organisation or "",
        "service": subject.service or "",
        "team": subject.team or "",
        "assignee": subject.assignee or "",
        "requester": subject.requester or "",
        "happened_at": format_instant(happened),
    }
    for name, value in event.model_dump(mode="json").items():
        if isinstance(value, str | int):
            found[name] = value
        elif value is None and name in _flat_fields(type(event)):
            # A clock's event says all of its incident, whoever the notice concerns: no team is none.
            found[name] = "" if isinstance(event, ClockEvent) else found.get(name, "")
    return {name: _bounded(value) for name, value in found.items()}


@cache
def _flat_fields(cls: type[Event]) -> frozenset[str]:
    return frozenset(name for name, field in cls.model_fields.items() if _is_flat(field.annotation))


def _is_flat(annotation: Any) -> bool:
    """Whether a field of that type would give one value, if it were there."""
    kinds = [get_origin(part) or part for part in (annotation, *get_args(annotation))]
    return not any(isinstance(kind, type) and issubclass(kind, list | dict | BaseModel) for kind in kinds)


def _bounded(value: Value) -> Value:
    if isinstance(value, str) and len(value) > VALUE_LENGTH:
        return value[: VALUE_LENGTH - 1] + "…"
    return value


def notice(event: Event, subject: Subject, cause: str, happened: datetime) -> Notice:
    """What can be said about `event`, which has the id `cause`."""
    kind = event.kind if isinstance(event, ClockEvent) else "sla"
    restricted = kind != "sla" or (isinstance(event, IncidentNoted) and not event.public)
    return Notice(subject, cause, event.type_name, values_of(event, subject, happened), restricted, kind == "uc")


def told_to(values: Mapping[str, Value], notice: Notice, *, outsider: bool) -> dict[str, Value]:
    """`values` of the notice as its reader may see them; to an outsider, internal texts are empty."""
    internal = _INTERNAL.get(notice.cause_type, frozenset()) if outsider else frozenset[str]()
    return {name: "" if name in internal else value for name, value in values.items()}


def samples(event_type: str) -> list[dict[str, Value]]:
    """Values to try a wording with: everything known, and everything that may be absent absent."""
    cls = event_class(event_type)
    full = cls.read(cls.example)
    known = Subject("0192f0c4", **_sample_subject())
    required = {name: value for name, value in cls.example.items() if cls.model_fields[name].is_required()}
    bare_event = cls.read(required)
    bare = Subject("0192f0c4", "INC0000042", "?")
    return [values_of(full, known, _SAMPLE_TIME), values_of(bare_event, bare, _SAMPLE_TIME)]


def _sample_subject() -> dict[str, Any]:
    opened, assigned = IncidentOpened.example, IncidentAssigned.example
    wanted = ("number", "title", "priority", "organisation", "service", "requester")
    return {name: opened[name] for name in wanted} | {name: assigned[name] for name in ("team", "assignee")}
