"""Promises as their events left them. Inline: timers are derived from it and answers computed from its memory."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, cast

from pydantic import TypeAdapter

from opsledger_events import Envelope, decode
from opsledger_events.contexts.sla import (
    PromiseBreachWithdrawn,
    PromiseBroken,
    PromiseEvent,
    PromiseKept,
    PromiseMade,
    PromiseMoved,
    PromisePassedOn,
    PromiseReminderReached,
    PromiseWithdrawn,
)
from opsledger_runtime.projections import Projection, Table
from sla.domain.promise_state import PromiseState, evolve, initial_state

READS: Final = frozenset(
    cls.type_name
    for cls in (
        *(PromiseMade, PromiseMoved, PromisePassedOn, PromiseReminderReached),
        *(PromiseBroken, PromiseBreachWithdrawn, PromiseKept, PromiseWithdrawn),
    )
)
MEMORY: Final = TypeAdapter(PromiseState)

_COLUMNS: Final = (
    *("id", "incident", "number", "organisation", "team", "owner", "source", "state", "made_at", "due_at"),
    *("next_reminder_at", "next_break_at", "broken_at", "settled_at", "memory", "correlation", "last_event", "version"),
)
"""In the table's own order: rows travel as its row type, named with its schema since a rebuild fills a copy."""

_STANDING: Final = "select id, memory::text as memory, correlation from promise where id = any($1::text[])"
_UPSERT: Final = f"""
insert into promise select * from unnest($1::sla.promise[])
on conflict (id) do update set ({", ".join(_COLUMNS)}) = ({", ".join(f"excluded.{name}" for name in _COLUMNS)})
"""
_UNSETTLED: Final = """
select found.* from unnest($1::text[], $2::timestamptz[]) as wanted (incident, since) cross join lateral (
  select id, incident from promise where incident = wanted.incident
    and (settled_at is null or settled_at > wanted.since) offset 0) as found
 order by id
"""


async def unsettled_of(connection: Any, since: dict[str, datetime]) -> list[tuple[str, str]]:
    """Promise and incident of what was not settled yet at an instant, by incident."""
    rows = await connection.fetch(_UNSETTLED, list(since), list(since.values()))
    return [(row["id"], row["incident"]) for row in rows]


async def rows_of(connection: Any, promises: Iterable[str]) -> dict[str, Any]:
    """Incident, story and last event of promises."""
    rows = await connection.fetch(
        "select id, incident, correlation, last_event from promise where id = any($1::text[])", list(promises)
    )
    return {row["id"]: row for row in rows}


async def _apply(connection: Any, envelopes: Sequence[Envelope]) -> None:
    standing = sorted({one.subject for one in envelopes} - {e.subject for e in envelopes if e.aggregateversion == 1})
    found = await connection.fetch(_STANDING, standing) if standing else []
    states = {row["id"]: MEMORY.validate_json(row["memory"]) for row in found}
    stories = {row["id"]: row["correlation"] for row in found}
    rows: dict[str, tuple[Any, ...]] = {}
    for envelope in envelopes:
        event = cast(PromiseEvent, decode(envelope))
        state = states[envelope.subject] = evolve(states.get(envelope.subject, initial_state), event)
        story = stories.setdefault(envelope.subject, envelope.correlationid)
        rows[envelope.subject] = _row(envelope, event, state, story)
    await connection.execute(_UPSERT, [rows[promise] for promise in sorted(rows)])


def _row(envelope: Envelope, event: PromiseEvent, state: PromiseState, story: str) -> tuple[Any, ...]:
    reading = state.outlook()
    pending = {mark.kind: mark.at for mark in state.pending()}
    state_shown, broken_at = "open", None
    if reading.settled_at is not None or state.broken_told is not None:
        state_shown, broken_at = reading.state, reading.broken_at
    return (
        *(envelope.subject, event.incident, event.number, event.organisation, event.team, reading.owner, event.source),
        *(state_shown, reading.made_at, reading.due, pending.get("reminder"), pending.get("break"), broken_at),
        *(reading.settled_at, MEMORY.dump_json(state).decode(), story, envelope.id, envelope.aggregateversion),
    )


PROMISES: Final = Projection("promises", 1, READS, (Table("promise", ("id",)),), _apply)
