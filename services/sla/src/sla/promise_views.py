"""What answers show of promises: computed for the caller's instant by the pure function."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from sla.domain.promise import Reading, read
from sla.domain.promise_state import PromiseState
from sla.projections.promises import MEMORY
from sla.promise_words import sentence


class PromiseView(BaseModel):
    """A promise at `as_of`. `broken`: it counts as broken, also where it was kept late.

    `awaits` says what keeps it: `reply` the next word to the requester, `return` the work going on, `completion` the
    resolution, `other` somebody who says so. `due_by_default`: nothing was said of when it is due, so a usual time was
    given to it. `break_announced`: subscribers were told, `provisional` that they were told while the bus was silent.
    """

    id: str
    incident: str
    number: str
    title: str
    text: str
    state: str
    source: str
    awaits: str
    reason: str | None
    organisation: str | None
    team: str | None
    owner: str | None
    promised_by: str
    made_at: datetime
    due_at: datetime
    due_by_default: bool
    previous_due_at: list[datetime]
    remind_at: datetime | None
    reminded_at: datetime | None
    broken: bool
    broken_at: datetime | None
    break_announced: bool
    provisional: bool
    settled_at: datetime | None
    late_seconds: int
    as_of: datetime


class Explanation(BaseModel):
    """One sentence in each language."""

    zh: str
    en: str


class PromiseDetail(PromiseView):
    """A promise that explains itself."""

    explanation: Explanation


SELECT: Final = (
    "select promise.*, opened.data->>'title' as title from promise"
    " join incident_fact as opened on opened.incident = promise.incident and opened.version = 1"
)
"""Rows that `promise_view` understands. Titles may name people, so promises do not hold them."""

_AS_STORED: Final = ("id", "incident", "number", "title", "source", "organisation", "team")


def promise_view(row: Mapping[str, Any], now: datetime) -> PromiseView:
    """A row of `SELECT` as of `now`."""
    return PromiseView(**_figures(row, now)[0])


def promise_detail(row: Mapping[str, Any], now: datetime, zone: ZoneInfo) -> PromiseDetail:
    """A row of `SELECT` as of `now`, in words."""
    figures, state, reading = _figures(row, now)
    words = sentence(state, reading, zone)
    return PromiseDetail(**figures, explanation=Explanation(zh=words.zh, en=words.en))


def _figures(row: Mapping[str, Any], now: datetime) -> tuple[dict[str, Any], PromiseState, Reading]:
    state = MEMORY.validate_json(row["memory"])
    # Two machines' clocks differ a little: an event from just ahead of this one's has happened all the same.
    as_of = now if state.latest is None else max(now, state.latest)
    reading = read(state.facts, as_of)
    if reading is None:
        raise LookupError(f"promise {row['id']} was never made")
    figures: dict[str, Any] = {name: row[name] for name in _AS_STORED}
    figures |= {
        "text": state.text,
        "state": reading.state,
        "awaits": state.awaits,
        "reason": state.reason,
        "owner": reading.owner,
        "promised_by": state.promised_by,
        "made_at": reading.made_at,
        "due_at": reading.due,
        "due_by_default": state.due_by_default,
        "previous_due_at": list(reading.previous),
        "remind_at": reading.remind_at,
        "reminded_at": state.reminded_at,
        "broken": reading.broken_at is not None,
        "broken_at": reading.broken_at,
        "break_announced": state.broken_told is not None,
        "provisional": state.provisional,
        "settled_at": reading.settled_at,
        "late_seconds": reading.late_seconds,
        "as_of": as_of,
    }
    return figures, state, reading
