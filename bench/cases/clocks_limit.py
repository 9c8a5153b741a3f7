"""The naive way to know a clock: go through the calendar's work intervals day by day and add up what it ran of each.

Takes stories that are in order and whole; knows no warnings, no trace, nothing that comes late.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import asyncpg

from bench.cases.clocks_stories import OFFICE_HOURS, PAUSING, TARGETS
from bench.measuring import Stopwatch
from opsledger_events.envelope import parse_instant
from sla.calendars import definition_of
from sla.domain.calendar import Calendar, calendar_from, spans_on

Step = tuple[str, datetime, Any]
"""What happened, when, and the hold's reason or the target in seconds."""

_ZERO: Final = timedelta(0)
_US: Final = timedelta(microseconds=1)

_FACTS: Final = """
select array_agg(kind order by version) as kinds, array_agg(at order by version) as instants,
       array_agg(coalesce(data->>'priority', data->>'reason') order by version) as details
  from incident_fact group by incident
"""
_RESOLUTION: Final = {
    "Opened": "opened",
    "Prioritised": "targeted",
    "Held": "held",
    "Resumed": "resumed",
    "Resolved": "stopped",
    "Closed": "stopped",
    "Reopened": "continued",
    "Cancelled": "cancelled",
}
_RESPONSE: Final = {**_RESOLUTION, "Started": "stopped", "Reopened": None}
_MEANINGS: Final[dict[str, dict[str, Any]]] = {"response": _RESPONSE, "resolution": _RESOLUTION}


class Days(NamedTuple):
    """The work intervals of a calendar in order."""

    opens: list[datetime]
    closes: list[datetime]


class Known(NamedTuple):
    """`due` None: the clock is paused or stopped, short of its target."""

    verdict: str
    target: timedelta
    elapsed: timedelta
    due: datetime | None


def days_of(calendar: Calendar, first: date, last: date) -> Days:
    """The work intervals that open on these days, laid out once and looked through many times."""
    zone = ZoneInfo(calendar.time_zone)
    found = Days([], [])
    for ordinal in range(first.toordinal(), last.toordinal() + 1):
        day = date.fromordinal(ordinal)
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
        for opens, closes in spans_on(calendar, day):
            found.opens.append((midnight + timedelta(minutes=opens)).astimezone(UTC))
            found.closes.append((midnight + timedelta(minutes=closes)).astimezone(UTC))
    return found


def count(steps: Sequence[Step], days: Days, policy: str, now: datetime) -> Known:
    """What a clock shows, from its targets and pauses alone."""
    spent, target, grant, due, state, verdict = _ZERO, _ZERO, _ZERO, None, "", "running"
    ran: list[tuple[datetime, datetime]] = []
    for n, (kind, begun, detail) in enumerate(steps):
        if kind == "cancelled":
            return Known("none", target, spent, None)
        if kind == "stopped" and state != "stopped":
            state, verdict = "stopped", "breached" if due is not None and due < begun else "met"
        elif kind == "held":
            state = "paused" if detail in PAUSING else "running"
        elif kind != "targeted":
            state, verdict = "running", "running"
        if kind in ("opened", "targeted"):
            target, grant = _granted(policy, target, grant, spent, timedelta(seconds=detail), first=kind == "opened")
            due = _reached(ran, days, target) if spent > target else None
        if state == "running":
            end = steps[n + 1][1] if n + 1 < len(steps) else now
            ran.append((begun, end))
            for day in range(bisect_right(days.closes, begun), len(days.opens)):
                if days.opens[day] >= end:
                    break
                start = max(days.opens[day], begun)
                amount = min(days.closes[day], end) - start
                if due is None and spent + amount >= target:
                    due = start + (target - spent)
                spent += amount
    if state == "running" and due is None:
        due = _reached([*ran[:-1], (ran[-1][0], days.closes[-1])], days, target)
    if state != "stopped" and due is not None and due <= now:
        verdict = "breached"
    return Known(verdict, target, spent, due)


def _granted(
    policy: str, before: timedelta, grant: timedelta, spent: timedelta, new: timedelta, *, first: bool
) -> tuple[timedelta, timedelta]:
    """The target, and how much of it was given last."""
    if first or policy == "from_opening":
        return new, new
    if policy == "from_change":
        return spent + new, new
    if policy == "proportional" and before > spent:
        return spent + new // _US * ((before - spent) // _US) // (grant // _US) * _US, new
    return before, grant


def _reached(ran: Sequence[tuple[datetime, datetime]], days: Days, target: timedelta) -> datetime | None:
    """When so much working time had passed in these stretches."""
    for begun, end in ran:
        for day in range(bisect_right(days.closes, begun), len(days.opens)):
            if days.opens[day] >= end:
                break
            start = max(days.opens[day], begun)
            amount = min(days.closes[day], end) - start
            if amount >= target:
                return start + target
            target -= amount
    return None


async def preview(url: str, now: str, first: str) -> dict[str, Any]:
    """Read the facts of every incident in one statement and judge both clocks of each; verdicts and seconds."""
    instant = parse_instant(now)
    calendar = calendar_from(definition_of(OFFICE_HOURS, instant))
    connection = await asyncpg.connect(url, server_settings={"search_path": "sla, es", "timezone": "UTC"})
    try:
        with Stopwatch() as watch:
            days = days_of(calendar, date.fromisoformat(first), instant.date() + timedelta(days=365))
            rows = await connection.fetch(_FACTS)
            with Stopwatch() as judging:
                verdicts = _judge(rows, days, instant)
    finally:
        await connection.close()
    return {"seconds": watch.seconds, "judging": judging.seconds, "incidents": len(rows), "verdicts": verdicts}


def _judge(rows: Sequence[Any], days: Days, now: datetime) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in rows:
        told = list(zip(row["kinds"], row["instants"], row["details"], strict=True))
        for metric in _MEANINGS:
            verdict = count(story(told, metric), days, "from_opening", now).verdict
            found[f"{metric} {verdict}"] = found.get(f"{metric} {verdict}", 0) + 1
    return found


def story(told: Sequence[tuple[str, datetime, Any]], metric: str) -> list[Step]:
    """What the events of an incident, by kind, instant and priority or reason, mean to its clock of a metric."""
    meanings = _MEANINGS[metric]
    found: list[Step] = []
    stopped = False
    for name, at, detail in told:
        kind = meanings.get(name)
        if kind is None or (stopped and kind in ("targeted", "held", "resumed", "stopped")):
            continue
        stopped = kind == "stopped"
        found.append((kind, at, TARGETS[int(detail)][metric] if kind in ("opened", "targeted") else detail))
    return found
