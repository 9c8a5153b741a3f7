"""What answers show of clocks: computed for the caller's instant by the pure function, never by adding up."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel

from sla.domain.calendar import Calendar, is_provisional
from sla.domain.clock import Interval, Reading, read
from sla.projections.clock import MEMORY
from sla.projections.definitions import parse_calendar


class ClockView(BaseModel):
    """A clock at `as_of`: of a customer's agreement, or of a team's or vendor's (`party`) while it has the incident.

    Seconds are whole seconds of working time; `remaining_seconds` falls below 0 after a breach.
    `target_seconds` counts from the clock's beginning, whatever its agreement's policies made of the target agreed.

    `breached_at` is computed; `breach_announced` says whether subscribers know, `provisional` that they were told
    while the bus was silent. `due_provisional`: the calendar's days are not confirmed that far, so the due instant may
    move.
    """

    id: str
    incident: str
    number: str
    title: str | None
    metric: str
    kind: str
    party: str | None
    priority: int
    organisation: str | None
    service: str | None
    agreement: str
    agreement_revision: int
    calendar: str
    calendar_revision: int
    state: str
    started_at: datetime
    target_seconds: int | None
    elapsed_seconds: int
    remaining_seconds: int | None
    due_at: datetime | None
    due_provisional: bool
    warning_percent: list[int]
    warned: list[int]
    breached_at: datetime | None
    breach_announced: bool
    provisional: bool
    met: bool | None
    as_of: datetime


class IntervalView(BaseModel):
    """A line of the trace: why the clock ran, paused or stood still from `start` to `end`, because of which event."""

    start: datetime
    end: datetime
    state: str
    reason: str | None
    event: str
    counted_seconds: int


class ClockTrace(ClockView):
    """A clock with its intervals."""

    paused: list[IntervalView]
    trace: list[IntervalView]


SELECT = (
    "select clock.*, calendar_revision.definition::text as definition, opened.data->>'title' as title from clock"
    " left join incident_fact as opened on opened.incident = clock.incident and opened.version = 1"
    " join calendar_revision on calendar_revision.calendar = clock.calendar"
    " and calendar_revision.revision = clock.calendar_revision"
)
"""Rows that `clock_view` and `clock_trace` understand. Titles may name people, so clocks do not hold them."""


_AS_STORED = (
    *(
        "id",
        "incident",
        "number",
        "title",
        "metric",
        "kind",
        "party",
        "priority",
        "organisation",
        "service",
        "agreement",
        "agreement_revision",
    ),
    *("calendar", "calendar_revision", "started_at", "provisional"),
)


def clock_view(row: Mapping[str, Any], now: datetime) -> ClockView:
    """A row of `SELECT` as of `now`."""
    return ClockView(**_figures(row, now)[0])


def clock_trace(row: Mapping[str, Any], now: datetime) -> ClockTrace:
    """A row of `SELECT` as of `now`, with its intervals."""
    figures, reading = _figures(row, now)
    return ClockTrace(
        **figures,
        paused=[_interval(interval) for interval in reading.paused],
        trace=[_interval(interval) for interval in reading.trace],
    )


def _figures(row: Mapping[str, Any], now: datetime) -> tuple[dict[str, Any], Reading]:
    state = MEMORY.validate_json(row["memory"])
    calendar: Calendar = parse_calendar(row["definition"])
    # Two machines' clocks differ a little: an event from just ahead of this one's has happened all the same.
    as_of = max(now, state.latest)
    reading = read(state.facts, state.terms(calendar), as_of)
    if reading is None:
        raise LookupError(f"clock {row['id']} has no opening")
    figures: dict[str, Any] = {name: row[name] for name in _AS_STORED}
    figures |= {
        "state": reading.state,
        "target_seconds": reading.target,
        "elapsed_seconds": _whole(reading.elapsed),
        "remaining_seconds": None if reading.remaining is None else -_whole(-reading.remaining),
        "due_at": reading.due,
        "due_provisional": reading.due is not None and is_provisional(calendar, reading.due),
        "warning_percent": list(state.warning_percent),
        "warned": list(row["warned"]),
        "breached_at": state.breached_at(reading),
        "breach_announced": row["breached_at"] is not None,
        "met": reading.met,
        "as_of": as_of,
    }
    return figures, reading


def _interval(interval: Interval) -> IntervalView:
    return IntervalView(
        start=interval.start,
        end=interval.end,
        state=interval.state,
        reason=interval.reason,
        event=interval.event,
        counted_seconds=_whole(interval.counted),
    )


def _whole(duration: timedelta) -> int:
    return duration // timedelta(seconds=1)
