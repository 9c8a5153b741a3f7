"""The clocks as their events left them. Inline: timers are derived from it and answers computed from its memory.

`memory` is the aggregate's folded state, so a row needs nothing but its own events and can be rebuilt anywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any, cast, get_args
from uuid import UUID

from pydantic import TypeAdapter
from pydantic_core import to_json

from opsledger_events import Envelope, decode
from opsledger_events.contexts.sla import (
    ClockEvent,
    ClockStanding,
    SLABreached,
    SLABreachWithdrawn,
    SLAClockCancelled,
    SLAClockContinued,
    SLAClockPaused,
    SLAClockRescheduled,
    SLAClockRestated,
    SLAClockResumed,
    SLAClockRetargeted,
    SLAClockStarted,
    SLAClockTermsChanged,
    SLAMet,
    SLAMissed,
    SLAWarningReached,
)
from opsledger_runtime.projections import Projection, Table
from sla.domain.state import ClockState, evolve, initial_state

CLOCK_EVENTS = (
    SLAClockStarted
    | SLAClockPaused
    | SLAClockResumed
    | SLAClockRetargeted
    | SLAWarningReached
    | SLABreached
    | SLABreachWithdrawn
    | SLAClockRestated
    | SLAClockRescheduled
    | SLAClockTermsChanged
    | SLAMet
    | SLAMissed
    | SLAClockContinued
    | SLAClockCancelled
)
READS = frozenset(cls.type_name for cls in get_args(CLOCK_EVENTS))
MEMORY = TypeAdapter(ClockState)
_ANNOUNCEMENTS = frozenset({SLAWarningReached.type_name, SLABreached.type_name})

_COLUMNS = (
    *("id", "incident", "number", "metric", "organisation", "service", "priority", "agreement", "agreement_revision"),
    *("calendar", "calendar_revision", "state", "started_at", "changed_at", "target_seconds", "elapsed_seconds"),
    *("due_at", "next_breach_at", "next_warnings", "warned", "breached_at", "provisional", "met", "memory"),
    *("import_id", "imported_at", "correlation", "last_event", "version", "kind", "party"),
)
"""In the table's own order: rows travel as its row type, named with its schema since a rebuild fills a copy."""
# One look into the index for each key (`offset 0`), whatever the planner believed of the table when it was empty.
_STANDING = """
select found.* from unnest($1::text[]) as wanted (id) cross join lateral (
  select id, memory::text as memory, started_at, provisional, correlation, last_event, import_id, imported_at
    from clock where id = wanted.id offset 0) as found
"""
_TRAILS = """
select found.* from unnest($1::text[]) as wanted (id) cross join lateral (
  select id, correlation, last_event, import_id, imported_at from clock where id = wanted.id offset 0) as found
"""
_TRAIL = ("correlation", "last_event", "import_id", "imported_at")
_UPSERT = f"""
insert into clock select * from unnest($1::sla.clock[])
on conflict (id) do update set ({", ".join(_COLUMNS)}) = ({", ".join(f"excluded.{name}" for name in _COLUMNS)})
"""


@dataclass(frozen=True, slots=True)
class Trail:
    """What is behind a clock's last event: the story it belongs to, the event, and the import that told it last."""

    correlation: str
    last_event: UUID
    import_id: str | None
    imported_at: datetime | None


def trail_after(before: Trail | None, envelope: Envelope) -> Trail:
    """What is behind a clock after one more of its events. An announcement is told by what was told before it."""
    imported = (before.import_id, before.imported_at) if before else (None, None)
    if envelope.importid is not None and envelope.type_name not in _ANNOUNCEMENTS:
        imported = envelope.importid, envelope.recordedtime
    return Trail(before.correlation if before else envelope.correlationid, envelope.id, *imported)


async def trails_of(connection: Any, clocks: Sequence[str]) -> dict[str, Trail]:
    """The trails of those clocks that there are."""
    rows = await connection.fetch(_TRAILS, clocks)
    return {row["id"]: Trail(*list(row)[1:]) for row in rows}


async def _apply(connection: Any, envelopes: Sequence[Envelope]) -> None:
    """Fold the events onto the rows they belong to: one statement to read, one to write, whatever the number."""
    standing = sorted(
        {envelope.subject for envelope in envelopes} - {e.subject for e in envelopes if e.aggregateversion == 1}
    )
    rows = {}
    if standing:
        rows = {row["id"]: dict(row) for row in await connection.fetch(_STANDING, standing)}
    states = {clock: MEMORY.validate_json(row["memory"]) for clock, row in rows.items()}
    for envelope in envelopes:
        event = cast(ClockEvent, decode(envelope))
        states[envelope.subject] = evolve(states.get(envelope.subject, initial_state), event)
        rows[envelope.subject] = _row(envelope, event, states[envelope.subject], rows.get(envelope.subject))
    for clock, row in rows.items():
        row["memory"] = MEMORY.dump_json(states[clock]).decode()
    values = itemgetter(*_COLUMNS)
    await connection.execute(_UPSERT, [values(rows[clock]) for clock in sorted(states)])


def _row(envelope: Envelope, event: ClockEvent, state: ClockState, before: dict[str, Any] | None) -> dict[str, Any]:
    standing = event.standing or ClockStanding(state="running", elapsed_seconds=0)
    target = standing.target_seconds
    announced = [one for one in state.announced if one.target == target]
    known = (one for one in state.announced if one.target == target or one.at == standing.breached_at)
    breached_at = next((one.at for one in known if one.percent is None), None)
    provisional = event.provisional if type(event) is SLABreached else before is not None and before["provisional"]
    trail = trail_after(Trail(*(before[name] for name in _TRAIL)) if before else None, envelope)
    return {
        "id": envelope.subject,
        "incident": event.incident,
        "number": event.number,
        "metric": event.metric,
        "organisation": event.organisation,
        "service": event.service,
        "priority": event.priority,
        "agreement": state.agreement,
        "agreement_revision": state.agreement_revision,
        "calendar": state.calendar,
        "calendar_revision": state.calendar_revision,
        "state": standing.state,
        "started_at": event.started_at if type(event) is SLAClockStarted else before and before["started_at"],
        "changed_at": state.latest,
        "target_seconds": target,
        "elapsed_seconds": standing.elapsed_seconds,
        "due_at": standing.due_at,
        "next_breach_at": standing.breach_at,
        "next_warnings": to_json(standing.warnings).decode(),
        "warned": sorted(one.percent for one in announced if one.percent is not None),
        "breached_at": breached_at,
        "provisional": provisional and breached_at is not None,
        "met": standing.met,
        "import_id": trail.import_id,
        "imported_at": trail.imported_at,
        "correlation": trail.correlation,
        "last_event": trail.last_event,
        "version": envelope.aggregateversion,
        "kind": event.kind,
        "party": event.party,
    }


CLOCKS = Projection("clocks", 1, READS, (Table("clock", ("id",)),), _apply)
