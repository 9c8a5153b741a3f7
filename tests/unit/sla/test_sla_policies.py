"""What another target and a reopening mean for a clock that runs: each agreement says it, and nothing is lost by it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.clock_stories import T0, ClockStory

from opsledger_events.contexts.sla import SLAClockContinued, SLAClockRetargeted, SLAClockStarted
from sla.domain.calendar import Calendar, Hours, add_working_days, always_open, weekly_hours
from sla.domain.clock import Fact, Reading, Terms, marks, read
from sla.domain.targets import ByDay

HOUR = timedelta(hours=1)
ALWAYS = always_open()
OFFICE = weekly_hours("Asia/Shanghai", [Hours(day, *span) for day in range(5) for span in ((540, 720), (810, 1080))])


def at(hours: float) -> datetime:
    """So many hours after Monday 09:00 in Shanghai."""
    return T0 + hours * HOUR


def reading(story: list[tuple[Any, ...]], hours: float, calendar: Calendar = ALWAYS, **policies: Any) -> Reading:
    """Each step: hours, kind, and a target in hours or by day, or the reason of a wait."""
    facts = []
    for n, (when, kind, *detail) in enumerate(story):
        given = detail[0] if detail else None
        target = given if isinstance(given, ByDay) else int(given * 3600) if isinstance(given, int | float) else None
        facts.append(Fact(kind, at(when), f"e{n}", n, given if kind == "held" else None, target))
    found = read(facts, Terms(calendar, frozenset({"wait"}), (), **policies), at(hours))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("policy", "due"),
    [("from_opening", 2), ("from_change", 3), ("proportional", 2.5), ("keep_remaining", 4)],
)
def test_r89_another_target_means_what_the_agreement_says(policy: Any, due: float) -> None:
    """Four hours, and after one of them two: from the opening, from the change, of which three quarters are left, or
    for clocks to come.
    """
    now = reading([(0, "opened", 4), (1, "targeted", 2)], 1.5, retarget=policy)
    assert (now.due, now.elapsed, now.agreed) == (at(due), 1.5 * HOUR, 7200)
    assert now.remaining == (due - 1.5) * HOUR


@pytest.mark.parametrize("policy", ["from_opening", "from_change", "proportional", "keep_remaining"])
def test_no_policy_loses_a_pause(policy: Any) -> None:
    story = [(0, "opened", 4), (1, "held", "wait"), (3, "resumed"), (4, "targeted", 2), (5, "held", "wait")]
    now = reading(story, 6, retarget=policy)
    assert (now.state, now.elapsed, len(now.paused)) == ("paused", 3 * HOUR, 2)


@pytest.mark.parametrize(("policy", "breached"), [("from_opening", 5), ("from_change", 6), ("proportional", None)])
def test_a_target_that_is_exceeded_already(policy: Any, breached: float | None) -> None:
    """By share, a target that was exceeded stays as it is: there is nothing left to share."""
    now = reading([(0, "opened", 4), (5, "targeted", 1)], 100, retarget=policy)
    assert now.breached_at == at(4 if breached is None else breached)


def test_a_change_that_is_told_late_counts_where_it_happened() -> None:
    story = ClockStory(retarget="from_change").prioritise(at(3), 2 * HOUR)
    late = ClockStory(retarget="from_change").until(at(3)).prioritise(at(3), 2 * HOUR)
    late.prioritise(at(1), 8 * HOUR, known=at(3.5))
    assert story.state.terms(always_open()).retarget == "from_change"
    for told, due in ((story, at(5)), (late, at(5))):
        found = read(told.state.facts, told.state.terms(always_open()), at(4))
        assert found is not None
        assert found.due == due


def test_the_event_says_what_is_agreed_and_what_it_comes_to() -> None:
    (event,) = _of(SLAClockRetargeted, ClockStory(retarget="from_change").prioritise(at(1), 2 * HOUR))
    assert (event["previous_target_seconds"], event["agreed_seconds"], event["target_seconds"]) == (14400, 7200, 10800)
    assert event["due_at"] == "2026-11-23T04:00:00Z"


@pytest.mark.parametrize(("policy", "due", "met"), [("continue", 6, False), ("restart", 8, True)])
def test_r89_a_reopening_means_what_the_agreement_says(policy: Any, due: float, met: bool) -> None:
    """Four hours, done after two and reopened two hours later: two are left, or four again; done at half past seven."""
    story = [(0, "opened", 4), (2, "stopped"), (4, "continued"), (7.5, "stopped")]
    assert reading(story, 5, reopen=policy).due == at(due)
    assert reading(story, 9, reopen=policy).met is met


def test_a_restart_takes_back_nothing_that_was_counted() -> None:
    story = [(0, "opened", 4), (2, "stopped"), (6, "continued"), (7, "held", "wait"), (8, "resumed")]
    now = reading(story, 9, reopen="restart")
    assert (now.elapsed, now.remaining, now.due, now.target) == (4 * HOUR, 2 * HOUR, at(11), 6 * 3600)
    (event,) = _of(SLAClockContinued, ClockStory(reopen="restart").stop(at(2)).go_on(at(6)))
    assert (event["elapsed_seconds"], event["due_at"]) == (7200, "2026-11-23T11:00:00Z")


def test_another_target_after_a_restart_counts_from_there() -> None:
    story = [(0, "opened", 4), (2, "stopped"), (6, "continued"), (7, "targeted", 8)]
    assert reading(story, 8, reopen="restart").due == at(14)
    assert reading(story, 8, reopen="restart", retarget="from_change").due == at(15)


AT_FOUR, BY_CLOSING = ByDay(1, 16 * 60), ByDay(1)


def test_r89_due_on_the_next_working_day_at_four() -> None:
    """Opened on Monday at nine: Tuesday at four, seven and a half working hours and five and a half more away."""
    now = reading([(0, "opened", AT_FOUR)], 1, OFFICE)
    assert now.due == add_working_days(OFFICE, T0, 1, 16 * 60) == datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
    assert (now.target, now.agreed) == (int(7.5 * 3600) + int(5.5 * 3600), AT_FOUR)


def test_a_pause_moves_a_target_by_day_by_the_working_time_that_it_takes() -> None:
    story = [(0, "opened", AT_FOUR), (1, "held", "wait"), (3, "resumed")]
    assert reading(story, 4, OFFICE).due == datetime(2026, 11, 24, 10, 0, tzinfo=UTC)  # two hours: six o'clock
    over_night = [(0, "opened", AT_FOUR), (9, "held", "wait"), (24, "resumed")]
    assert reading(over_night, 25, OFFICE).due == datetime(2026, 11, 24, 8, 0, tzinfo=UTC)  # nobody would have worked


def test_a_target_by_day_counts_from_what_the_policy_says() -> None:
    story = [(0, "opened", 4), (25, "targeted", BY_CLOSING)]
    assert reading(story, 26, OFFICE).due == datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
    assert reading(story, 26, OFFICE, retarget="from_change").due == datetime(2026, 11, 25, 10, 0, tzinfo=UTC)


def test_a_clock_by_day_says_so_and_remembers_it() -> None:
    story = ClockStory(calendar=OFFICE, target=AT_FOUR, retarget="from_change")
    (event,) = _of(SLAClockStarted, story)
    assert (event["target_by"], event["due_at"]) == ({"working_days": 1, "at": "16:00"}, "2026-11-24T08:00:00Z")
    assert story.state.agreed == AT_FOUR
    story.prioritise(at(25), BY_CLOSING)
    (event,) = _of(SLAClockRetargeted, story)
    assert (event["agreed_by"], event["due_at"]) == ({"working_days": 1}, "2026-11-25T10:00:00Z")


def _of(kind: type[Any], story: ClockStory) -> list[dict[str, Any]]:
    return [one.data for one in story.envelopes if one.type_name == kind.type_name]


def test_a_target_by_day_is_due_when_the_day_closes_whatever_the_second_of_the_opening() -> None:
    opened = [Fact("opened", T0 + timedelta(microseconds=400_123), "e", 0, None, BY_CLOSING)]
    found = read(opened, Terms(OFFICE, frozenset()), at(1))
    assert found is not None
    assert found.due == datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


def test_a_warning_comes_by_the_share_of_what_was_granted() -> None:
    """Of four hours granted anew after thirty, three are used three hours later."""
    opened = Fact("opened", T0, "a", 0, None, 40 * 3600)
    reopened = [opened, Fact("stopped", at(30), "b", 1), Fact("continued", at(31), "c", 2)]
    four = Fact("targeted", at(31), "d", 3, None, 4 * 3600)
    terms = Terms(ALWAYS, frozenset(), (75,))
    for facts, policy in (([*reopened, four], {"reopen": "restart"}), ([opened, four], {"retarget": "from_change"})):
        found = [mark for mark in marks(facts, replace(terms, **policy)) if mark.at > at(31)]  # type: ignore[arg-type]
        assert [(mark.percent, mark.at) for mark in found] == [(75, at(34)), (None, at(35))]
