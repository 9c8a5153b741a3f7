"""A clock by another revision of its calendar: what is announced, what is taken back, what stays."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from opsledger_events import Event
from opsledger_events.contexts.sla import SLABreached, SLABreachWithdrawn, SLAClockPaused, SLAClockRescheduled
from opsledger_runtime.testing.decider import given
from sla.domain.applications import APPLICATION
from sla.domain.calendar import TZ_VERSION, Day, Hours, weekly_hours, with_days
from sla.domain.commands import (
    AdmitLateReport,
    Agreed,
    AnnounceBreach,
    AnnounceWarning,
    ApplyCalendar,
    CancelClock,
    PauseClock,
    RescheduleClock,
    StartClock,
    StopClock,
    Subject,
)
from sla.domain.decider import CLOCK, is_late

T0 = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
WHO = Subject("incident-1", "INC0000001", "核心交换机", 1, "acme", "core", "network", "person-3", "person-17")
DAILY = weekly_hours("UTC", [Hours(day, 9 * 60, 17 * 60) for day in range(7)])
HOLIDAY = with_days(DAILY, (Day(date(2026, 11, 24), "closed"),))
HOUR = timedelta(hours=1)


def about(hours: float, calendar: Any = DAILY) -> dict[str, Any]:
    return {"subject": WHO, "calendar": calendar, "at": T0 + hours * HOUR, "cause": f"event-at-{hours}"}


def start(**given_: Any) -> StartClock:
    agreed = Agreed("gold", 3, "c", 1, TZ_VERSION, (75,), ("awaiting_requester",))
    terms: dict[str, Any] = {"metric": "resolution", "agreed": agreed, "target": 12 * 3600, "started_at": T0}
    return StartClock(**about(0), **{**terms, **given_})


def told(*commands: Any, **terms: Any) -> list[Event]:
    found: list[Event] = []
    for command in (start(**terms), *commands):
        found += CLOCK.decide(command, CLOCK.fold(found))
    return found


def to_second(hours: float, **given_: Any) -> RescheduleClock:
    terms: dict[str, Any] = {"previous": DAILY, "calendar_revision": 2, "time_zone_database": TZ_VERSION, **given_}
    return RescheduleClock(**about(hours, HOLIDAY), **terms)


def test_r89_a_holiday_moves_what_is_due_and_says_so() -> None:
    outcome = given(CLOCK, told()).when(to_second(2))
    (event,) = outcome.events
    assert isinstance(event, SLAClockRescheduled)
    assert (event.previous_due_at, event.due_at) == (T0 + 28 * HOUR, T0 + 52 * HOUR)
    assert (event.previous_calendar_revision, event.calendar_revision, event.because) == (1, 2, "event-at-2")
    assert event.elapsed_seconds == 2 * 3600
    assert event.standing is not None
    assert event.standing.breach_at == T0 + 52 * HOUR
    assert [mark.at for mark in event.standing.warnings] == [T0 + 49 * HOUR]
    assert outcome.state.calendar_revision == 2


def test_a_revision_is_applied_once_and_none_after_a_later_one() -> None:
    given(CLOCK, told(to_second(2))).when(to_second(3)).then_nothing()
    given(CLOCK, told(to_second(2, calendar_revision=3))).when(to_second(3)).then_nothing()


@pytest.mark.parametrize("command", [StopClock(**about(1)), CancelClock(**about(1))])
def test_a_clock_that_runs_no_more_keeps_its_verdict(command: Any) -> None:
    given(CLOCK, told(command)).when(to_second(2)).then_nothing()
    given(CLOCK).when(to_second(2)).then_nothing()


def test_a_paused_clock_moves_without_a_due_instant() -> None:
    (event,) = given(CLOCK, told(PauseClock(**about(1), reason="awaiting_requester"))).when(to_second(30)).events
    assert isinstance(event, SLAClockRescheduled)
    assert (event.previous_due_at, event.due_at, event.elapsed_seconds) == (None, None, 3600)


def test_r89_a_breach_that_is_none_by_the_new_revision_is_withdrawn_and_may_come_again() -> None:
    past = told(AnnounceWarning(**about(25), percent=75), AnnounceBreach(**about(28)))
    assert isinstance(past[-1], SLABreached)
    outcome = given(CLOCK, past).when(to_second(30))
    withdrawn, rescheduled = outcome.events
    assert isinstance(withdrawn, SLABreachWithdrawn)
    assert (withdrawn.due_at, withdrawn.because, withdrawn.target_seconds) == (T0 + 28 * HOUR, "event-at-30", 43200)
    assert isinstance(rescheduled, SLAClockRescheduled)
    assert rescheduled.standing is not None
    assert (rescheduled.standing.breach_at, rescheduled.standing.breached_at) == (T0 + 52 * HOUR, None)
    again = CLOCK.decide(AnnounceBreach(**about(52, HOLIDAY)), outcome.state)
    assert [type(event) for event in again] == [SLABreached]


def test_a_breach_by_both_revisions_stands_as_announced() -> None:
    past = told(AnnounceBreach(**about(28)))
    outcome = given(CLOCK, past).when(to_second(60))
    (event,) = outcome.events
    assert isinstance(event, SLAClockRescheduled)
    assert event.standing is not None
    assert (event.standing.breach_at, event.standing.breached_at) == (None, T0 + 28 * HOUR)


def test_a_revision_that_opens_more_hours_leaves_the_breach_to_be_announced_at_its_own_instant() -> None:
    around = weekly_hours("UTC", [Hours(day, 0, 1440) for day in range(7)])
    command = RescheduleClock(**about(20, around), previous=DAILY, calendar_revision=2, time_zone_database=TZ_VERSION)
    outcome = given(CLOCK, told()).when(command)
    (event,) = outcome.events
    assert isinstance(event, SLAClockRescheduled)
    assert event.standing is not None
    assert event.standing.breach_at == T0 + 12 * HOUR
    (breach,) = CLOCK.decide(AnnounceBreach(**about(20, around)), outcome.state)
    assert isinstance(breach, SLABreached)
    assert breach.at == T0 + 12 * HOUR


def test_what_happened_before_the_move_and_is_told_after_it_comes_late() -> None:
    """Else the store would refuse an event from before the clock's last one."""
    outcome = given(CLOCK, told(to_second(5)))
    assert is_late(outcome.state, T0 + 4 * HOUR)
    assert not is_late(outcome.state, T0 + 5 * HOUR)
    report = PauseClock(**about(4, HOLIDAY), reason="awaiting_requester")
    admitted = CLOCK.decide(AdmitLateReport(**about(4, HOLIDAY), report=report), outcome.state)
    assert [event.corrects for event in admitted] == [True]
    (paused,) = CLOCK.decide(report, CLOCK.fold([*told(to_second(5)), *admitted]))
    assert isinstance(paused, SLAClockPaused)
    assert paused.elapsed_seconds == 4 * 3600


def test_the_last_revision_alone_can_be_applied_as_often_as_asked() -> None:
    (event,) = given(APPLICATION).when(ApplyCalendar("c", 2, 2)).events
    assert len(given(APPLICATION, [event]).when(ApplyCalendar("c", 2, 2)).events) == 1
    for revision in (1, 3):
        given(APPLICATION).when(ApplyCalendar("c", revision, 2)).then_refused("revision_not_latest")
