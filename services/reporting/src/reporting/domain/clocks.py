"""How an SLA clock's events change its row.

A kept promise counts at the instant it was kept, a broken one at the instant it broke, whether or not the clock still
runs: a number once reported for a period does not move to another when the work is done at last.
"""

from datetime import datetime
from typing import Final, assert_never, get_args

from opsledger_events.contexts.sla import (
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
from reporting.domain.days import date_key
from reporting.domain.rows import ClockRow, priority_key

ClockFact = (
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
FACTS: Final = get_args(ClockFact)


def fold_clock(row: ClockRow, event: ClockFact, time: datetime, organisation: str | None) -> None:
    """Change `row` as an event announced at `time` says. `organisation` is the envelope's.

    A late report makes `at` earlier than what came before; `standing` then says where the clock stands in truth.
    """
    when = event.at or time
    row.incident_number, row.service, row.team = event.number, event.service, event.team or None
    row.organisation = event.organisation if event.organisation is not None else organisation
    row.priority_key = priority_key(event.priority)
    match event:  # the commonest first: each case that does not fit costs time
        case SLAClockStarted():
            _start(row, event)
        case SLAMet():
            row.stopped_at, row.met, row.paused = when, True, False
            row.elapsed_seconds, row.overrun_seconds = event.elapsed_seconds, None
        case SLAMissed():
            row.stopped_at, row.met, row.paused = when, False, False
            row.elapsed_seconds, row.overrun_seconds = event.elapsed_seconds, event.overrun_seconds
        case SLABreached():
            if event.target_seconds is None or event.target_seconds == row.target_seconds:
                row.breached_at, row.provisional = event.at or event.due_at, event.provisional
                row.withdrawn = False
        case SLAClockPaused():
            row.elapsed_seconds, row.paused, row.due_at = event.elapsed_seconds, True, None
        case SLAClockResumed():
            row.elapsed_seconds, row.paused, row.due_at = event.elapsed_seconds, False, event.due_at
        case SLAClockRetargeted():
            row.target_seconds, row.elapsed_seconds = event.target_seconds, event.elapsed_seconds
            row.due_at = event.due_at
            if event.due_at is None or event.due_at > when:  # what broke was the earlier target
                row.breached_at, row.provisional = None, False
            else:
                row.breached_at = row.breached_at or event.due_at
        case SLAWarningReached():
            row.warned_at = row.warned_at or when
        case SLABreachWithdrawn():
            if event.target_seconds is None or event.target_seconds == row.target_seconds:
                row.breached_at, row.provisional = None, False
            row.withdrawn = row.withdrawn or row.breached_at is None
        case SLAClockRestated() | SLAClockRescheduled():
            pass  # `standing` says it all
        case SLAClockTermsChanged():
            row.agreement_id, row.agreement_revision = event.agreement, event.agreement_revision
        case SLAClockContinued():
            row.stopped_at, row.met, row.overrun_seconds = None, None, None
            row.elapsed_seconds, row.due_at, row.paused = event.elapsed_seconds, event.due_at, False
        case SLAClockCancelled():
            row.cancelled_at, row.paused = when, False
        case _:
            assert_never(event)
    if event.standing is not None:
        _stand(row, event.standing, when)
    _decide(row, when)


def _start(row: ClockRow, event: SLAClockStarted) -> None:
    row.agreement_id, row.agreement_revision = event.agreement, event.agreement_revision
    if event.target_seconds != row.target_seconds:  # what broke was the earlier target
        row.breached_at, row.provisional, row.withdrawn = None, False, False
    row.target_seconds, row.due_at = event.target_seconds, event.due_at
    row.started_at, row.started_date_key = event.started_at, date_key(event.started_at)
    row.cancelled_at = None  # a clock that lost its target was cancelled and may get another
    stops = [fact["at"] for fact in event.earlier if fact.get("kind") == "stopped"]
    row.stopped_at = datetime.fromisoformat(stops[-1]) if stops else None


def _stand(row: ClockRow, standing: ClockStanding, when: datetime) -> None:
    row.elapsed_seconds, row.due_at = standing.elapsed_seconds, standing.due_at
    row.paused, row.met = standing.state == "paused", standing.met
    if standing.target_seconds is not None:  # its word on the breach is then the truth, also where there is none
        if standing.breached_at != row.breached_at or standing.target_seconds != row.target_seconds:
            row.provisional = False
        row.target_seconds, row.breached_at = standing.target_seconds, standing.breached_at
        row.withdrawn = row.withdrawn and row.breached_at is None
        row.overrun_seconds = None if row.met is not False else max(0, row.elapsed_seconds - row.target_seconds)
    elif standing.state == "cancelled":  # before it had a target, as a late report shows
        row.target_seconds, row.breached_at, row.provisional = None, None, False
    if standing.state == "stopped":
        row.stopped_at = row.stopped_at or when
    elif standing.state != "cancelled":
        row.stopped_at, row.overrun_seconds = None, None


def _decide(row: ClockRow, when: datetime) -> None:
    if row.met is not None:
        row.provisional = False
        row.breached_at = None if row.met else row.breached_at or row.due_at or when
        row.overrun_seconds = None if row.met else row.overrun_seconds
    row.state = _state(row)
    decided_at = row.stopped_at if row.met else row.breached_at
    if decided_at != row.decided_at:
        row.decided_at, row.decided_date_key = decided_at, date_key(decided_at)


def _state(row: ClockRow) -> str:
    if row.cancelled_at is not None:
        return "cancelled"
    if row.met is not None:
        return "met" if row.met else "missed"
    if row.breached_at is not None:
        return "breached"
    return "paused" if row.paused else "running"
