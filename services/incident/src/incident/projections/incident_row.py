"""An incident with its instants: what lists and single answers show. Pure.

The same fold serves the read model, `?as_of=` and `?known_at=`, so they cannot disagree.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from incident.domain.decider import DECIDER
from incident.domain.state import Incident, State
from opsledger_events import Envelope, decode
from opsledger_events.contexts.incident import IncidentClosed, IncidentReopened, IncidentResolved, IncidentStarted
from opsledger_events.envelope import format_instant


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """An incident, its version, and when what happened. Instants are event times, in UTC."""

    id: str
    version: int = 0
    incident: Incident = field(default=DECIDER.initial_state)
    opened_at: datetime | None = None
    started_at: datetime | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    changed_at: datetime | None = None


_FACTS: Final = tuple(found.name for found in fields(Incident))
_INSTANTS: Final = ("opened_at", "started_at", "resolved_at", "closed_at", "changed_at")
_INTERNAL: Final = ("hold_note", "cancel_reason")
COLUMNS: Final = ("id", "version", *_FACTS, *_INSTANTS, "title_folded")
"""The columns of `incident_queue`."""

_facts_of: Final = attrgetter(*_FACTS)
_instants_of: Final = attrgetter(*_INSTANTS)


def after(row: IncidentRow, envelope: Envelope) -> IncidentRow:
    """The row after one more event."""
    event = decode(envelope)
    at = envelope.time
    started, resolved, closed = row.started_at, row.resolved_at, row.closed_at
    match event:
        case IncidentStarted():
            started = started or at
        case IncidentResolved():
            resolved = at
        case IncidentReopened():
            resolved = None
        case IncidentClosed():
            closed = at
    incident = DECIDER.evolve(row.incident, event)
    return IncidentRow(
        row.id, envelope.aggregateversion, incident, row.opened_at or at, started, resolved, closed, changed_at=at
    )


def fold(row: IncidentRow, envelopes: Iterable[Envelope]) -> IncidentRow:
    """The row after these events."""
    for envelope in envelopes:
        row = after(row, envelope)
    return row


def from_record(record: Mapping[str, Any]) -> IncidentRow:
    """A row as the table holds it."""
    facts = {name: record[name] for name in _FACTS}
    incident = Incident(**{**facts, "state": State(facts["state"])})
    return IncidentRow(record["id"], record["version"], incident, *(record[name] for name in _INSTANTS))


def to_record(row: IncidentRow) -> dict[str, Any]:
    """Values by column, for an encoder that knows instants; a column that is left out is null."""
    values = (row.id, row.version, *_facts_of(row.incident), *_instants_of(row), folded(row.incident.title))
    return {name: value for name, value in zip(COLUMNS, values, strict=True) if value is not None}


def shown(row: IncidentRow, *, internal: bool = True) -> dict[str, Any]:
    """What callers see of an incident in a list; not `internal`: without what was written for the desk."""
    blanked = {} if internal else dict.fromkeys(_INTERNAL)
    instants = {name: getattr(row, name) for name in _INSTANTS}
    return {
        "id": row.id,
        "version": row.version,
        **{name: _told(getattr(row.incident, name)) for name in _FACTS},
        **blanked,
        **{name: _told(at) for name, at in instants.items()},
    }


def _told(value: Any) -> Any:
    return format_instant(value) if isinstance(value, datetime) else value


def folded(text: str) -> str:
    """For searching: full-width and half-width, upper and lower case are the same."""
    return unicodedata.normalize("NFKC", text).casefold()
