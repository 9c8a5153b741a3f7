"""What was written and said about an incident, as its detail shows it: description, notes, contacts, path. Pure.

Owns who reads what: internal notes, the notes of contacts and the way to its cause are for staff alone.
"""

from collections.abc import Iterable
from typing import Any

from incident.wire import ContactView, NoteView
from opsledger_events import Envelope, decode
from opsledger_events.contexts.incident import (
    IncidentGrouped,
    IncidentNoted,
    IncidentOpened,
    IncidentRequesterContacted,
)
from opsledger_events.envelope import format_instant


def of_incident(envelopes: Iterable[Envelope], *, internal: bool) -> dict[str, Any]:
    """`description`, `notes`, `contacts` and `path` from these events; not `internal`: for the requester."""
    description = ""
    notes: list[NoteView] = []
    contacts: list[ContactView] = []
    path: list[str] = []
    for envelope in envelopes:
        who_and_when = {"actor": envelope.actor, "time": format_instant(envelope.time)}
        match event := decode(envelope):
            case IncidentOpened():
                description = event.description
            case IncidentNoted() if internal or event.public:
                notes.append(NoteView(text=event.text, public=event.public, **who_and_when))
            case IncidentRequesterContacted():
                booked_at = None if event.booked_at is None else format_instant(event.booked_at)
                note = event.note if internal else None
                contacts.append(ContactView(channel=event.channel, note=note, booked_at=booked_at, **who_and_when))
            case IncidentGrouped() if internal:
                path = path or event.path
    return {"description": description, "notes": notes, "contacts": contacts, "path": path}
