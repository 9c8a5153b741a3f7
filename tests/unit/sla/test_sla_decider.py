"""Given events, when a command, then events: one clock."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from opsledger_events import Event
from opsledger_events.contexts.sla import (
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
from opsledger_runtime.testing.decider import given
from sla.domain.calendar import TZ_VERSION, always_open
from sla.domain.commands import (
    AdmitLateReport,
    Agreed,
    AnnounceBreach,
    AnnounceWarning,
    CancelClock,
    ContinueClock,
    PauseClock,
    ResumeClock,
    RetargetClock,
    StartClock,
    StopClock,
    Subject,
)
from sla.domain.decider import CLOCK, is_late

T0 = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
WHO = Subject("incident-1", "INC0000001", "核心交换机", 1, "acme", "core", "network", "person-3", "person-17")


def about(hours: float) -> dict[str, Any]:
    when = T0 + timedelta(hours=hours)
    return {"subject": WHO, "calendar": always_open(), "at": when, "cause": f"event-at-{hours}"}


START = StartClock(
    **about(0),
    metric="resolution",
    agreed=Agreed("gold", 3, "always", 2, TZ_VERSION, (75,), ("awaiting_requester",)),
    target=4 * 3600,
    started_at=T0,
)
WAIT = {"reason": "awaiting_requester"}


def told(*commands: Any) -> list[Event]:
    """The events that these commands led to."""
    found: list[Event] = []
    for command in (START, *commands):
        found += CLOCK.decide(command, CLOCK.fold(found))
    return found


def only(events: list[Event], kind: type[Event]) -> Any:
    (event,) = events
    assert type(event) is kind
    return event


def test_r89_a_started_clock_names_every_version_it_is_computed_with() -> None:
    event = only(given(CLOCK).when(START).events, SLAClockStarted)
    assert (event.agreement_revision, event.calendar_revision, event.time_zone_database) == (3, 2, TZ_VERSION)
    assert event.due_at == T0 + timedelta(hours=4)
    assert event.standing.breach_at == T0 + timedelta(hours=4)
    assert [(w.percent, w.at) for w in event.standing.warnings] == [(75, T0 + timedelta(hours=3))]
    assert (event.incident, event.team, event.assignee, event.metric) == (
        "incident-1",
        "network",
        "person-3",
        "resolution",
    )


def test_a_clock_starts_once() -> None:
    given(CLOCK, told()).when(START).then_refused("clock_starts_once")


def test_a_clock_without_target_may_start_again() -> None:
    past = told(RetargetClock(**about(1), target=None))
    assert only(given(CLOCK, past).when(START).events, SLAClockStarted)


@pytest.mark.parametrize(
    "command",
    [
        PauseClock(**about(1), **WAIT),
        StopClock(**about(1)),
        CancelClock(**about(1)),
        RetargetClock(**about(1), target=60),
        AnnounceBreach(**about(9)),
        AdmitLateReport(**about(1), report=StopClock(**about(1))),
    ],
)
def test_an_incident_without_clock_has_nothing_to_tell(command: Any) -> None:
    given(CLOCK).when(command).then_nothing()
    given(CLOCK, told(CancelClock(**about(0.5)))).when(command).then_nothing()


def test_pausing_for_a_reason_that_the_agreement_names() -> None:
    event = only(given(CLOCK, told()).when(PauseClock(**about(1), **WAIT)).events, SLAClockPaused)
    assert (event.elapsed_seconds, event.standing.due_at, event.standing.breach_at) == (3600, None, None)
    assert event.standing.warnings == []


def test_pausing_for_another_reason_does_nothing() -> None:
    given(CLOCK, told()).when(PauseClock(**about(1), reason="lunch")).then_nothing()


def test_pausing_twice_does_nothing() -> None:
    given(CLOCK, told(PauseClock(**about(1), **WAIT))).when(PauseClock(**about(2), **WAIT)).then_nothing()


def test_a_hold_that_changes_to_a_reason_that_does_not_pause_resumes() -> None:
    past = told(PauseClock(**about(1), **WAIT))
    assert only(given(CLOCK, past).when(PauseClock(**about(2), reason="lunch")).events, SLAClockResumed)


def test_resuming_gives_a_new_due_instant() -> None:
    past = told(PauseClock(**about(1), **WAIT))
    event = only(given(CLOCK, past).when(ResumeClock(**about(3))).events, SLAClockResumed)
    assert (event.due_at, event.elapsed_seconds) == (T0 + timedelta(hours=6), 3600)
    given(CLOCK, told()).when(ResumeClock(**about(3))).then_nothing()


def test_retargeting_keeps_elapsed_time_and_the_same_target_is_nothing() -> None:
    event = only(given(CLOCK, told()).when(RetargetClock(**about(1), target=7200)).events, SLAClockRetargeted)
    assert (event.previous_target_seconds, event.target_seconds, event.elapsed_seconds) == (14400, 7200, 3600)
    assert event.due_at == T0 + timedelta(hours=2)
    given(CLOCK, told()).when(RetargetClock(**about(1), target=14400)).then_nothing()


def test_retargeting_while_paused_has_no_due_instant() -> None:
    past = told(PauseClock(**about(1), **WAIT))
    event = only(given(CLOCK, past).when(RetargetClock(**about(2), target=7200)).events, SLAClockRetargeted)
    assert event.due_at is None


def test_stopping_in_time_and_too_late() -> None:
    assert only(given(CLOCK, told()).when(StopClock(**about(4))).events, SLAMet).elapsed_seconds == 14400
    missed = only(given(CLOCK, told()).when(StopClock(**about(5))).events, SLAMissed)
    assert (missed.elapsed_seconds, missed.overrun_seconds, missed.standing.met) == (18000, 3600, False)
    given(CLOCK, told(StopClock(**about(1)))).when(StopClock(**about(2))).then_nothing()


def test_r94_continuing_a_running_clock_does_nothing() -> None:
    given(CLOCK, told()).when(ContinueClock(**about(1), target=14400)).then_nothing()


def test_r94_a_clock_continues_with_the_target_of_the_priority_at_that_time() -> None:
    past = told(StopClock(**about(1)))
    same = only(given(CLOCK, past).when(ContinueClock(**about(2), target=14400)).events, SLAClockContinued)
    assert same.due_at == T0 + timedelta(hours=5)
    continued, retargeted = given(CLOCK, past).when(ContinueClock(**about(2), target=7200)).events
    assert (type(continued), type(retargeted)) == (SLAClockContinued, SLAClockRetargeted)
    assert retargeted.standing.due_at == T0 + timedelta(hours=3)  # type: ignore[attr-defined]
    _, cancelled = given(CLOCK, past).when(ContinueClock(**about(2), target=None)).events
    assert (type(cancelled), cancelled.reason) == (SLAClockCancelled, "no_target")  # type: ignore[attr-defined]


def test_a_target_that_comes_back_keeps_its_announced_breach() -> None:
    past = told(AnnounceBreach(**about(4)), RetargetClock(**about(5), target=None))
    again = only(given(CLOCK, past).when(replace(START, **about(9))).events, SLAClockStarted)
    assert again.standing.breached_at == T0 + timedelta(hours=4)


@pytest.mark.parametrize("target", [60, 3600 * 9, None])
def test_a_new_priority_changes_no_verdict_that_was_given(target: int | None) -> None:
    for stopped in (1, 5):
        command = RetargetClock(**about(6), target=target)
        given(CLOCK, told(StopClock(**about(stopped)))).when(command).then_nothing()


def test_the_standing_tells_target_and_breach_of_that_target() -> None:
    standing = told(AnnounceBreach(**about(4)), RetargetClock(**about(5), target=3600 * 9))[-1].standing  # type: ignore[attr-defined]
    assert (standing.target_seconds, standing.breached_at) == (3600 * 9, None)
    back = (RetargetClock(**about(5), target=3600 * 9), RetargetClock(**about(6), target=14400))
    standing = told(AnnounceBreach(**about(4)), *back)[-1].standing  # type: ignore[attr-defined]
    assert (standing.target_seconds, standing.breached_at) == (14400, T0 + timedelta(hours=4))


def test_cancelling_works_in_every_state() -> None:
    for past in ((), (PauseClock(**about(1), **WAIT),), (StopClock(**about(1)),)):
        assert only(given(CLOCK, told(*past)).when(CancelClock(**about(2))).events, SLAClockCancelled)


def test_a_warning_and_a_breach_are_announced_once_and_not_before_they_are_true() -> None:
    given(CLOCK, told()).when(AnnounceWarning(**about(2.9), percent=75)).then_nothing()
    given(CLOCK, told()).when(AnnounceWarning(**about(3.5), percent=50)).then_nothing()
    given(CLOCK, told()).when(AnnounceBreach(**about(3.9))).then_nothing()
    warning = only(given(CLOCK, told()).when(AnnounceWarning(**about(3.5), percent=75)).events, SLAWarningReached)
    assert (warning.at, warning.due_at) == (T0 + timedelta(hours=3), T0 + timedelta(hours=4))
    breach = only(given(CLOCK, told()).when(AnnounceBreach(**about(9), provisional=True)).events, SLABreached)
    assert (breach.at, breach.due_at, breach.provisional) == (T0 + timedelta(hours=4), T0 + timedelta(hours=4), True)
    past = told(AnnounceWarning(**about(3), percent=75), AnnounceBreach(**about(4)))
    given(CLOCK, past).when(AnnounceBreach(**about(9))).then_nothing()
    given(CLOCK, past).when(AnnounceWarning(**about(9), percent=75)).then_nothing()


def test_after_a_breach_no_warning_of_the_same_target_follows() -> None:
    given(CLOCK, told(AnnounceBreach(**about(4)))).when(AnnounceWarning(**about(9), percent=75)).then_nothing()


def test_a_timer_of_a_paused_or_stopped_clock_says_nothing() -> None:
    for past in (PauseClock(**about(1), **WAIT), StopClock(**about(1))):
        given(CLOCK, told(past)).when(AnnounceBreach(**about(9))).then_nothing()


@pytest.mark.parametrize(
    "report",
    [StopClock(**about(3.9)), StopClock(**about(4)), PauseClock(**about(2), **WAIT), CancelClock(**about(1))],
)
def test_a_late_report_withdraws_the_breach_that_it_shows_false(report: Any) -> None:
    past = told(AnnounceBreach(**about(4)))
    state = CLOCK.fold(past)
    assert is_late(state, report.at)
    admitted = AdmitLateReport(subject=WHO, calendar=always_open(), at=report.at, cause="late", report=report)
    event = only(given(CLOCK, past).when(admitted).events, SLABreachWithdrawn)
    assert (event.because, event.due_at, event.at) == ("late", T0 + timedelta(hours=4), report.at)
    after = given(CLOCK, [*past, event]).when(report)
    assert after.state.announced == ()
    assert type(after.events[0]) in (SLAMet, SLAClockPaused, SLAClockCancelled)


def test_a_late_report_that_leaves_the_breach_true_restates_the_figures() -> None:
    past = told(RetargetClock(**about(1), target=3600 * 6), AnnounceBreach(**about(6)))
    report = RetargetClock(**about(0.5), target=3600 * 5)
    admitted = AdmitLateReport(subject=WHO, calendar=always_open(), at=report.at, cause="late", report=report)
    event = only(given(CLOCK, past).when(admitted).events, SLAClockRestated)
    assert event.standing.due_at == T0 + timedelta(hours=6)


def test_a_late_report_that_changes_nothing_is_nothing() -> None:
    past = told(AnnounceBreach(**about(4)))
    report = PauseClock(**about(2), reason="lunch")
    given(CLOCK, past).when(AdmitLateReport(**about(2), report=report)).then_nothing()


def test_what_happened_before_the_opening_is_refused() -> None:
    given(CLOCK, told()).when(StopClock(**about(-1))).then_refused("before_start")


def test_facts_told_in_any_order_lead_to_the_same_figures() -> None:
    steps = [PauseClock(**about(1), **WAIT), RetargetClock(**about(2), target=3600 * 9), StopClock(**about(5))]
    figures = set()
    for order in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
        events = told(*[steps[n] for n in order])
        standing = events[-1].standing  # type: ignore[attr-defined]
        figures.add((standing.state, standing.elapsed_seconds, standing.met, CLOCK.fold(events).agreed))
    assert figures == {("stopped", 3600, True, 3600 * 9)}


def test_a_late_stop_takes_back_the_targets_that_came_after_it() -> None:
    steps = [StopClock(**about(2)), RetargetClock(**about(3), target=3600)]
    for order in (steps, steps[::-1]):
        events = told(*order)
        standing = events[-1].standing  # type: ignore[attr-defined]
        assert (standing.met, standing.target_seconds, CLOCK.fold(events).agreed) == (True, 14400, 14400)


def test_evolving_does_not_need_the_subject() -> None:
    event = told()[0]
    assert CLOCK.evolve(CLOCK.initial_state, event) == CLOCK.evolve(
        CLOCK.initial_state, event.model_copy(update={"title": "", "assignee": None})
    )
