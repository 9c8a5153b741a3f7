"""The clocks as their events left them. Inline: timers are derived from it and answers computed from its memory.

`memory` is the aggregate's folded state, so a row needs nothing but its own events and can be rebuilt anywhere.
"""

import json
from collections.abc import Sequence
from typing import Any, cast, get_args

from pydantic import TypeAdapter

from opsledger_events import Envelope, decode
from opsledger_events.contexts.sla import (
    ClockEvent,
    ClockStanding,
    SLABreached,
    SLABreachWithdrawn,
    SLAClockCancelled,
    SLAClockContinued,
    SLAClockPaused,
    SLAClockRestated,
    SLAClockResumed,
    SLAClockRetargeted,
    SLAClockStarted,
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
    | SLAMet
    | SLAMissed
    | SLAClockContinued
    | SLAClockCancelled
)
READS = frozenset(cls.type_name for cls in get_args(CLOCK_EVENTS))
MEMORY = TypeAdapter(ClockState)

_COLUMNS = (
    *("id", "incident", "number", "metric", "organisation", "service", "priority", "agreement", "agreement_revision"),
    *("calendar", "calendar_revision", "state", "started_at", "changed_at", "target_seconds", "elapsed_seconds"),
    *("due_at", "next_breach_at", "next_warnings", "warned", "breached_at", "provisional", "met", "memory"),
    *("import_id", "imported_at", "correlation", "last_event", "version"),
)
_VALUES = ", ".join(f"${n}" for n in range(1, len(_COLUMNS) + 1))
_UPSERT = (
    f"insert into clock ({', '.join(_COLUMNS)}) values ({_VALUES})"
    f" on conflict (id) do update set ({', '.join(_COLUMNS)}) = ({_VALUES})"
)


async def _apply(connection: Any, envelopes: Sequence[Envelope]) -> None:
    for envelope in envelopes:
        row = await connection.fetchrow(
            "select memory, started_at, correlation, provisional, import_id, imported_at from clock where id = $1",
            envelope.subject,
        )
        before = MEMORY.validate_json(row["memory"]) if row else initial_state
        event = cast(ClockEvent, decode(envelope))
        values = _row(envelope, event, evolve(before, event))
        started = isinstance(event, SLAClockStarted)
        values["started_at"] = event.started_at if isinstance(event, SLAClockStarted) else row["started_at"]
        values["correlation"] = envelope.correlationid if started and row is None else row["correlation"]
        if envelope.importid is not None and not isinstance(event, SLAWarningReached | SLABreached):
            values["import_id"], values["imported_at"] = envelope.importid, envelope.recordedtime
        else:
            values["import_id"], values["imported_at"] = (row["import_id"], row["imported_at"]) if row else (None, None)
        provisional = event.provisional if isinstance(event, SLABreached) else row is not None and row["provisional"]
        values["provisional"] = provisional and values["breached_at"] is not None
        await connection.execute(_UPSERT, *[values[column] for column in _COLUMNS])


def _row(envelope: Envelope, event: ClockEvent, state: ClockState) -> dict[str, Any]:
    standing = event.standing or ClockStanding(state="running", elapsed_seconds=0)
    target = state.target
    announced = [one for one in state.announced if one.target == target]
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
        "changed_at": state.latest,
        "target_seconds": target,
        "elapsed_seconds": standing.elapsed_seconds,
        "due_at": standing.due_at,
        "next_breach_at": standing.breach_at,
        "next_warnings": json.dumps([mark.model_dump(mode="json") for mark in standing.warnings]),
        "warned": sorted(one.percent for one in announced if one.percent is not None),
        "breached_at": next((one.at for one in announced if one.percent is None), None),
        "met": standing.met,
        "memory": MEMORY.dump_json(state).decode(),
        "last_event": envelope.id,
        "version": envelope.aggregateversion,
    }


CLOCKS = Projection("clocks", 1, READS, (Table("clock", ("id",)),), _apply)
