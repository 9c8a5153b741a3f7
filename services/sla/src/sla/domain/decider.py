"""One clock: which command leads to which events.

Refuses to start twice; every other command that does not fit is a repeat or came too late to matter, and does nothing.
An event's envelope time is its `at`. Where a report is late (before something announced), `AdmitLateReport` first
yields events that may carry an earlier time: withdrawn breaches, or else a restatement.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, assert_never

from opsledger_events import Event
from opsledger_events.contexts.sla import (
    ClockMark,
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
from opsledger_runtime.decider import Decider
from opsledger_runtime.errors import RuleViolated
from sla.domain.clock import Fact, FactKind, Reading, figures_at, marks
from sla.domain.commands import (
    AdmitLateReport,
    Agreed,
    AnnounceBreach,
    AnnounceWarning,
    CancelClock,
    ChangeTerms,
    ClockCommand,
    Command,
    ContinueClock,
    FactCommand,
    PauseClock,
    RescheduleClock,
    ResumeClock,
    RetargetClock,
    StartClock,
    StopClock,
)
from sla.domain.state import ClockState, evolve, initial_state
from sla.domain.targets import ByDay, Target, worth

_SECOND = timedelta(seconds=1)


def decide(command: Command, state: ClockState) -> Sequence[Event]:
    """Events of one command."""
    if isinstance(command, StartClock):
        return start_clock(command, state)
    if not state.started or (state.cancelled and not isinstance(command, AdmitLateReport)):
        return []
    match command:
        case AnnounceWarning() | AnnounceBreach():
            return announce(command, state)
        case AdmitLateReport():
            return admit_late_report(command, state)
        case RescheduleClock():
            return reschedule_clock(command, state)
        case ChangeTerms():
            return change_terms(command, state)
        case _:
            return _record(command, state)


def start_clock(command: StartClock, state: ClockState) -> Sequence[Event]:
    """A clock starts once, and again only after it was without a target."""
    if state.started and not state.without_target:
        raise RuleViolated("The clock was started before.", rule="clock_starts_once")
    started = SLAClockStarted(
        **_about(command, command),
        **_agreed(command.agreed),
        target_seconds=-(-worth(command.target, command.calendar, command.started_at) // _SECOND),
        target_by=command.target.told() if isinstance(command.target, ByDay) else None,
        started_at=command.started_at,
        due_at=command.started_at,
        earlier=[
            {"kind": fact.kind, "at": fact.at.isoformat(), "event": fact.event, "reason": fact.reason}
            for fact in command.earlier
        ],
    )
    after = evolve(state, started)
    standing = _standing(after, command)
    # Paused from the start: the due instant is unknown, and the field says what it would be without the pause.
    due = standing.due_at or _reading(replace(after, pausing_reasons=()), command, after.latest).due
    return [started.model_copy(update={"standing": standing, "due_at": due or command.started_at})]


def announce(command: AnnounceWarning | AnnounceBreach, state: ClockState) -> Sequence[Event]:
    """The warning or breach that is pending at the command's instant, if it is."""
    percent = command.percent if isinstance(command, AnnounceWarning) else None
    for mark in state.pending(command.calendar):
        if mark.percent == percent and mark.at <= command.at:
            told: dict[str, Any] = {
                **_about(replace(command, at=mark.at), state),
                "due_at": mark.due,
                "target_seconds": mark.target,
            }
            event: SLAWarningReached | SLABreached = (
                SLAWarningReached(**told, percent=percent)
                if percent is not None
                else SLABreached(**told, provisional=isinstance(command, AnnounceBreach) and command.provisional)
            )
            return [event.model_copy(update={"standing": _standing(evolve(state, event), command)})]
    return []


def admit_late_report(command: AdmitLateReport, state: ClockState) -> Sequence[Event]:
    """Breaches that the report shows false, or the figures that it changes; nothing where it changes nothing."""
    recorded = [] if state.cancelled else _record(command.report, state)
    if not recorded:
        return []
    after = state
    for event in recorded:
        after = evolve(after, event)
    found = {(mark.key, mark.at) for mark in marks(after.facts, after.terms(command.calendar))}
    about, standing = _about(command, state), _standing(after, command)
    false = [
        one
        for one in state.announced
        if one.percent is None and one.at >= command.at and ((None, one.target), one.at) not in found
    ]
    if false:
        return [
            SLABreachWithdrawn(
                **about, because=command.cause, due_at=one.at, target_seconds=one.target, standing=standing
            )
            for one in false
        ]
    return [SLAClockRestated(**about, because=command.cause, standing=standing)]


def reschedule_clock(command: RescheduleClock, state: ClockState) -> Sequence[Event]:
    """The clock by another revision of its calendar, and breaches that are none by it; nothing once it stopped.

    A breach that stands by both stays as announced.
    """
    before = _reading(state, replace(command, calendar=command.previous), command.at)
    if before.state not in ("running", "paused") or state.calendar_revision >= command.calendar_revision:
        return []
    about = _about(command, state)
    events: list[Event] = []
    after = state
    for withdrawn in _no_breaches_any_more(state, state, command):
        after = evolve(after, withdrawn)
        events.append(withdrawn.model_copy(update={"standing": _standing(after, command)}))
    reading = _reading(after, command, command.at)
    rescheduled = SLAClockRescheduled(
        **about,
        calendar=state.calendar,
        calendar_revision=command.calendar_revision,
        previous_calendar_revision=state.calendar_revision,
        time_zone_database=command.time_zone_database,
        elapsed_seconds=_whole(reading.elapsed),
        previous_due_at=before.due,
        due_at=reading.due,
        because=command.cause,
    )
    return [*events, *_with_standing(rescheduled, after, command)]


def change_terms(command: ChangeTerms, state: ClockState) -> Sequence[Event]:
    """The clock by other terms, and then the breaches that are none by them; nothing once it stopped."""
    before = _reading(state, replace(command, calendar=command.previous), command.at)
    if before.state not in ("running", "paused"):
        return []
    changed = SLAClockTermsChanged(
        **_about(command, state),
        **_agreed(command.agreed),
        previous_agreement=state.agreement,
        previous_agreement_revision=state.agreement_revision,
        facts=[_told(fact) for fact in command.facts],
        elapsed_seconds=0,
        previous_due_at=before.due,
        because=command.cause,
    )
    after = evolve(state, changed)
    reading = _reading(after, command, command.at)
    figures = {"elapsed_seconds": _whole(reading.elapsed), "due_at": reading.due}
    events: list[Event] = [
        changed.model_copy(update={**figures, "standing": _standing(after, command)}),
    ]
    for withdrawn in _no_breaches_any_more(state, after, command):
        after = evolve(after, withdrawn)
        events.append(withdrawn.model_copy(update={"standing": _standing(after, command)}))
    return events


def _no_breaches_any_more(
    state: ClockState, after: ClockState, command: RescheduleClock | ChangeTerms
) -> Sequence[SLABreachWithdrawn]:
    """Of the breaches announced, those that are none by the calendar of the command and the facts of `after`."""
    passed = [mark for mark in marks(after.facts, after.terms(command.calendar)) if mark.at <= command.at]
    true = {mark.target for mark in passed if mark.percent is None}
    instants = {mark.at for mark in passed if mark.percent is None}
    about = _about(command, state)
    return [
        SLABreachWithdrawn(**about, because=command.cause, due_at=one.at, target_seconds=one.target)
        for one in state.announced
        if one.percent is None and one.target not in true and one.at not in instants
    ]


def _told(fact: Fact) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": fact.kind, "at": fact.at.isoformat(), "event": fact.event}
    if fact.reason is not None:
        found["reason"] = fact.reason
    if isinstance(fact.target, ByDay):
        found["by"] = fact.target.told().model_dump(mode="json", exclude_none=True)
    elif fact.target is not None:
        found["target"] = fact.target
    return found


def _agreed(agreed: Agreed) -> dict[str, Any]:
    return {
        "agreement": agreed.agreement,
        "agreement_revision": agreed.agreement_revision,
        "calendar": agreed.calendar,
        "calendar_revision": agreed.calendar_revision,
        "time_zone_database": agreed.time_zone_database,
        "warning_percent": list(agreed.warning_percent),
        "pausing_reasons": list(agreed.pausing_reasons),
        "retarget": agreed.retarget,
        "reopen": agreed.reopen,
        "chosen_by": list(agreed.chosen_by),
    }


def is_late(state: ClockState, at: datetime) -> bool:
    """Whether something that happened at `at` comes after the announcement of something later, or of a breach then."""
    return at < state.latest or any(one.percent is None and one.at >= at for one in state.announced)


def _record(command: FactCommand, state: ClockState) -> Sequence[Event]:
    before = _reading(state, command, command.at)
    about: dict[str, Any] = {**_about(command, state), "elapsed_seconds": _whole(before.elapsed)}
    match command:
        case PauseClock():
            if command.reason not in state.pausing_reasons:
                return _resumed(command, state, before, about)
            if before.state != "running":
                return []
            return _with_standing(SLAClockPaused(**about, reason=command.reason), state, command)
        case ResumeClock():
            return _resumed(command, state, before, about)
        case RetargetClock():
            return _retargeted(command, command.target, state, before, about)
        case StopClock():
            return _stopped(command, state, before, about)
        case ContinueClock():
            if before.state != "stopped":
                return []
            return _continued(command, state, before, about)
        case CancelClock():
            return _with_standing(SLAClockCancelled(**_about(command, state)), state, command)
        case _:
            assert_never(command)


def _resumed(
    command: PauseClock | ResumeClock, state: ClockState, before: Reading, about: dict[str, Any]
) -> Sequence[Event]:
    if before.state != "paused":
        return []
    due = _due_after(state, "resumed", command)
    return _with_standing(SLAClockResumed(**about, due_at=due), state, command)


def _continued(command: ContinueClock, state: ClockState, before: Reading, about: dict[str, Any]) -> Sequence[Event]:
    """Priorities that changed while it stood still count from here."""
    due = _due_after(state, "continued", command)
    continued = _with_standing(SLAClockContinued(**about, due_at=due), state, command)
    after = evolve(state, continued[0])
    running = _reading(after, command, command.at)
    return [*continued, *_retargeted(command, command.target, after, running, about)]


def _retargeted(
    command: RetargetClock | ContinueClock,
    target: Target | None,
    state: ClockState,
    before: Reading,
    about: dict[str, Any],
) -> Sequence[Event]:
    if before.state == "stopped":  # the verdict stands
        return []
    if target is None:
        event = SLAClockCancelled(**_about(command, state), reason="no_target")
        return _with_standing(event, state, command)
    if before.agreed == target or before.target is None:
        return []
    fact = Fact("targeted", command.at, command.cause, len(state.facts), None, target)
    after = _reading(replace(state, facts=(*state.facts, fact)), command, command.at)
    retargeted = SLAClockRetargeted(
        **about,
        previous_target_seconds=before.target,
        target_seconds=after.target or 0,
        due_at=after.due,
        agreed_seconds=target if isinstance(target, int) else None,
        agreed_by=target.told() if isinstance(target, ByDay) else None,
    )
    return _with_standing(retargeted, state, command)


def _stopped(command: StopClock, state: ClockState, before: Reading, about: dict[str, Any]) -> Sequence[Event]:
    if before.state == "stopped" or before.target is None:
        return []
    fact = Fact("stopped", command.at, command.cause, len(state.facts))
    after = _reading(replace(state, facts=(*state.facts, fact)), command, command.at)
    if after.met:
        return _with_standing(SLAMet(**about), state, command)
    overrun = max(-(before.remaining or timedelta(0)), timedelta(0))
    return _with_standing(SLAMissed(**about, overrun_seconds=_whole(overrun)), state, command)


def _due_after(state: ClockState, kind: FactKind, command: ClockCommand) -> datetime:
    facts = (*state.facts, Fact(kind, command.at, command.cause, len(state.facts)))
    return _reading(replace(state, facts=facts), command, command.at).due or command.at


def _with_standing(event: Any, state: ClockState, command: ClockCommand) -> Sequence[Event]:
    return [event.model_copy(update={"standing": _standing(evolve(state, event), command)})]


def _standing(state: ClockState, command: ClockCommand) -> ClockStanding:
    reading = _reading(state, command, state.latest)
    pending = state.pending(command.calendar)
    return ClockStanding(
        state=reading.state,
        elapsed_seconds=_whole(reading.elapsed),
        due_at=reading.due,
        breach_at=next((mark.at for mark in pending if mark.percent is None), None),
        warnings=[ClockMark(percent=mark.percent, at=mark.at) for mark in pending if mark.percent is not None],
        met=reading.met,
        target_seconds=reading.target,
        breached_at=state.breached_at(reading),
    )


def _reading(state: ClockState, command: ClockCommand, at: datetime) -> Reading:
    reading = figures_at(state.facts, state.terms(command.calendar), at)
    if reading is None:
        raise RuleViolated("It happened before the clock was started.", rule="before_start")
    return reading


def _about(command: ClockCommand, of: ClockState | StartClock) -> dict[str, Any]:
    about = {"metric": of.metric, "kind": of.kind, "party": of.party}
    return {**command.subject.fields(), **about, "at": command.at, "cause": command.cause}


def _whole(duration: timedelta) -> int:
    return duration // _SECOND


CLOCK: Decider[Command, ClockState] = Decider(decide, evolve, initial_state)
