"""The clock function: known stories, and laws that hold for any order of events."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsledger_events.contexts.sla import ReopenPolicy, RetargetPolicy
from sla.domain.calendar import Hours, always_open, weekly_hours
from sla.domain.clock import Fact, Reading, Terms, marks, read
from sla.domain.targets import ByDay

T0 = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)  # Monday 09:00 in Shanghai
HOUR = timedelta(hours=1)
TERMS = Terms(always_open(), frozenset({"awaiting_requester"}), (75,))
OFFICE = Terms(
    weekly_hours("Asia/Shanghai", [Hours(d, 540, 1080) for d in range(5)]), frozenset({"awaiting_requester"}), (50, 75)
)


def at(hours: float) -> datetime:
    return T0 + hours * HOUR


def facts(*told: tuple[Any, ...]) -> list[Fact]:
    """Each: (hours after the opening, kind, reason or target in hours)."""
    found = []
    for n, (hours, kind, *detail) in enumerate(told):
        reason = detail[0] if kind == "held" else None
        target = int(detail[0] * 3600) if kind in ("opened", "targeted") else None
        found.append(Fact(kind, at(hours), f"e{n}", n, reason, target))
    return found


def reading(story: list[Fact], hours: float, terms: Terms = TERMS) -> Reading:
    found = read(story, terms, at(hours))
    assert found is not None
    return found


def test_r89_a_clock_runs_to_its_due_instant_warns_and_breaches() -> None:
    story = facts((0, "opened", 4))
    now = reading(story, 1)
    assert (now.state, now.elapsed, now.remaining, now.due) == ("running", HOUR, 3 * HOUR, at(4))
    assert not now.warnings
    assert reading(story, 3).warnings[0].at == at(3)
    assert reading(story, 3.99).breached_at is None
    assert reading(story, 4).breached_at == at(4)
    assert reading(story, 5).remaining == -HOUR


def test_a_pause_moves_the_due_instant_and_keeps_elapsed_time() -> None:
    story = facts((0, "opened", 4), (1, "held", "awaiting_requester"), (11, "resumed"))
    paused = reading(story, 5)
    assert (paused.state, paused.elapsed, paused.due) == ("paused", HOUR, None)
    after = reading(story, 12)
    assert (after.elapsed, after.due) == (2 * HOUR, at(14))
    assert [(i.start, i.end, i.reason, i.event) for i in after.paused] == [(at(1), at(11), "awaiting_requester", "e1")]


def test_a_hold_reason_that_the_agreement_does_not_name_pauses_nothing() -> None:
    assert reading(facts((0, "opened", 4), (1, "held", "lunch")), 3).elapsed == 3 * HOUR


def test_a_hold_that_changes_to_a_reason_that_does_not_pause_resumes() -> None:
    story = facts((0, "opened", 4), (1, "held", "awaiting_requester"), (2, "held", "lunch"))
    assert reading(story, 3).elapsed == 2 * HOUR


def test_r89_a_new_target_loses_neither_elapsed_time_nor_pauses() -> None:
    story = facts((0, "opened", 8), (1, "held", "awaiting_requester"), (3, "resumed"), (4, "targeted", 4))
    now = reading(story, 4)
    assert (now.elapsed, now.due) == (2 * HOUR, at(6))
    assert sum((i.end - i.start for i in now.paused), timedelta()) == 2 * HOUR


def test_a_new_target_that_is_exceeded_already_breaches_at_once_even_while_paused() -> None:
    running = reading(facts((0, "opened", 8), (5, "targeted", 2)), 5)
    assert (running.breached_at, running.due) == (at(5), at(2))
    paused = reading(facts((0, "opened", 8), (5, "held", "awaiting_requester"), (6, "targeted", 2)), 6)
    assert (paused.state, paused.breached_at) == ("paused", at(6))


def test_each_target_is_breached_once_and_the_last_one_judges() -> None:
    story = facts((0, "opened", 2), (3, "targeted", 8), (4, "targeted", 2), (5, "targeted", 8), (6, "stopped"))
    breaches = [mark for mark in marks(story, TERMS) if mark.percent is None]
    assert [(mark.target, mark.at) for mark in breaches] == [(7200, at(2))]
    assert reading(story, 4.5).breached_at == at(2)
    assert reading(story, 7).met is True


def test_a_verdict_stands_whatever_target_comes_after_it() -> None:
    missed = reading(facts((0, "opened", 1), (2, "stopped"), (3, "targeted", 4)), 9)
    assert (missed.target, missed.met, missed.breached_at, missed.due) == (3600, False, at(1), at(1))
    met = reading(facts((0, "opened", 4), (2, "stopped"), (3, "targeted", 1)), 9)
    assert (met.target, met.met, met.breached_at, met.due) == (4 * 3600, True, None, at(4))


def test_a_reopened_clock_takes_the_target_that_it_is_given_then() -> None:
    story = facts((0, "opened", 1), (2, "stopped"), (3, "targeted", 9), (5, "continued"), (5, "targeted", 4))
    assert reading(story[:4], 6).target == 3600
    now = reading(story, 6)
    assert (now.target, now.due, now.breached_at) == (4 * 3600, at(7), None)


def test_what_stops_or_pauses_at_the_due_instant_is_in_time() -> None:
    stopped = reading(facts((0, "opened", 4), (4, "stopped")), 9)
    assert (stopped.met, stopped.breached_at, stopped.elapsed) == (True, None, 4 * HOUR)
    paused = facts((0, "opened", 4), (4, "held", "awaiting_requester"), (6, "resumed"))
    assert reading(paused, 5).breached_at is None
    assert reading(paused, 6).breached_at == at(6)


def test_a_due_instant_at_closing_time_has_passed_when_the_weekend_is_over() -> None:
    story = [Fact("opened", at(0), target=9 * 3600), Fact("stopped", at(9 + 24 + 10))]
    assert reading(story[:1], 9, OFFICE).due == at(9)
    after = reading(story, 60, OFFICE)
    assert (after.breached_at, after.met) == (at(9), False)


def test_r94_a_reopened_clock_goes_on_and_the_time_between_does_not_count() -> None:
    story = facts((0, "opened", 4), (2, "stopped"), (10, "continued"))
    assert reading(story, 5).met is True
    now = reading(story, 11)
    assert (now.state, now.elapsed, now.due, now.met) == ("running", 3 * HOUR, at(12), None)
    assert reading([*story, Fact("stopped", at(13))], 20).met is False


def test_a_cancelled_clock_counts_no_further_and_has_nothing_to_announce() -> None:
    story = facts((0, "opened", 4), (1, "cancelled"), (2, "continued"), (3, "targeted", 1))
    assert (reading(story, 9).state, reading(story, 9).elapsed, reading(story, 9).breached_at) == (
        "cancelled",
        HOUR,
        None,
    )
    assert marks(story, TERMS) == ()


def test_of_thresholds_passed_at_one_instant_the_highest_is_announced() -> None:
    story = [Fact("opened", at(0), target=36 * 3600), Fact("targeted", at(8), target=10 * 3600, order=1)]
    assert next((m.percent, m.target) for m in marks(story, OFFICE)) == (75, 36000)
    story[1] = Fact("targeted", at(8), target=3600, order=1)
    assert [m.percent for m in marks(story, OFFICE)] == [None]


def test_the_trace_names_every_interval_with_its_event() -> None:
    story = facts((0, "opened", 8), (1, "held", "awaiting_requester"), (2, "resumed"), (3, "stopped"), (5, "continued"))
    trace = reading(story, 6).trace
    assert [(i.state, i.event, i.counted) for i in trace] == [
        ("running", "e0", HOUR),
        ("paused", "e1", timedelta()),
        ("running", "e2", HOUR),
        ("stopped", "e3", timedelta()),
        ("running", "e4", HOUR),
    ]
    assert all(a.end == b.start for a, b in itertools.pairwise(trace))


def test_before_its_opening_there_is_no_clock() -> None:
    assert read(facts((1, "opened", 4)), TERMS, at(0)) is None
    assert read(facts((0, "held", "awaiting_requester")), TERMS, at(1)) is None


TARGET = st.integers(1, 40).map(lambda halves: halves * 1800) | st.builds(
    ByDay, st.integers(1, 3), st.sampled_from([None, 600, 960])
)


@st.composite
def stories(draw: st.DrawFn) -> list[Fact]:
    found = [Fact("opened", T0, "e0", 0, None, draw(TARGET))]
    kinds = st.sampled_from(["held", "resumed", "targeted", "stopped", "continued", "held", "resumed"])
    minute = 0
    for n in range(1, draw(st.integers(1, 10))):
        minute += draw(st.integers(0, 600))
        kind = draw(kinds)
        reason = draw(st.sampled_from(["awaiting_requester", "lunch"])) if kind == "held" else None
        target = draw(TARGET) if kind == "targeted" else None
        found.append(Fact(kind, T0 + timedelta(minutes=minute), f"e{n}", n, reason, target))
    return found


TERM = st.builds(
    replace,
    st.sampled_from([TERMS, OFFICE]),
    retarget=st.sampled_from(get_args(get_args(RetargetPolicy)[0])),
    reopen=st.sampled_from(get_args(get_args(ReopenPolicy)[0])),
)
NOW = st.integers(0, 20_000).map(lambda minutes: T0 + timedelta(minutes=minutes))


@settings(max_examples=200, deadline=None)
@given(stories(), TERM, NOW, st.randoms(use_true_random=False))
def test_late_and_out_of_order_events_give_the_same_result(
    story: list[Fact], terms: Terms, now: datetime, random: Any
) -> None:
    shuffled = list(story)
    random.shuffle(shuffled)
    assert read(shuffled, terms, now) == read(story, terms, now)
    assert marks(shuffled, terms) == marks(story, terms)


@settings(max_examples=200, deadline=None)
@given(stories(), TERM, NOW, NOW)
def test_elapsed_time_never_falls_and_a_breach_never_moves(
    story: list[Fact], terms: Terms, one: datetime, two: datetime
) -> None:
    first, second = sorted((one, two))
    before, after = read(story, terms, first), read(story, terms, second)
    assert before is not None
    assert after is not None
    assert before.elapsed <= after.elapsed
    passed = [m for m in marks([f for f in story if f.at <= first], terms) if m.at < first]
    assert passed == [m for m in marks(story, terms) if m.at < first]


@settings(max_examples=200, deadline=None)
@given(stories(), TERM, NOW, NOW)
def test_a_pause_of_zero_length_is_the_identity(story: list[Fact], terms: Terms, when: datetime, now: datetime) -> None:
    state = read(story, terms, when)
    if state is None or state.state != "running":
        return
    pause = [Fact("held", when, "p", 50, "awaiting_requester"), Fact("resumed", when, "q", 51)]
    plain, paused = read(story, terms, now), read([*story, *pause], terms, now)
    assert plain is not None
    assert paused is not None
    figures = ("state", "target", "elapsed", "due", "breached_at", "met", "paused", "warnings")
    assert all(getattr(plain, name) == getattr(paused, name) for name in figures)


@settings(max_examples=200, deadline=None)
@given(stories(), TERM, NOW)
def test_the_trace_adds_up(story: list[Fact], terms: Terms, now: datetime) -> None:
    found = read(story, terms, now)
    assert found is not None
    assert sum((i.counted for i in found.trace), timedelta()) == found.elapsed
    assert not found.trace or (found.trace[0].start, found.trace[-1].end) == (T0, now)


@settings(max_examples=100, deadline=None)
@given(stories(), NOW, st.integers(1, 8))
def test_shifting_everything_by_whole_weeks_shifts_the_due_instant_alike(
    story: list[Fact], now: datetime, weeks: int
) -> None:
    shift = timedelta(weeks=weeks)
    moved = [Fact(f.kind, f.at + shift, f.event, f.order, f.reason, f.target) for f in story]
    for terms in (TERMS, OFFICE, replace(OFFICE, retarget="proportional", reopen="restart")):
        before, after = read(story, terms, now), read(moved, terms, now + shift)
        assert before is not None
        assert after is not None
        assert after.due == (None if before.due is None else before.due + shift)
        assert after.elapsed == before.elapsed


@settings(max_examples=200, deadline=None)
@given(stories(), TERM, NOW, st.integers(1, 40))
def test_no_retarget_ever_loses_a_pause_or_elapsed_time(
    story: list[Fact], terms: Terms, now: datetime, target: int
) -> None:
    kept = read([*story, Fact("targeted", now, "t", 99, None, target * 1800)], terms, now)
    before = read(story, terms, now)
    assert kept is not None
    assert before is not None
    assert (kept.elapsed, kept.paused, kept.state) == (before.elapsed, before.paused, before.state)


@pytest.mark.parametrize("percent", [1, 33, 75, 100])
def test_a_warning_comes_at_its_share_of_the_target(percent: int) -> None:
    found = marks(facts((0, "opened", 4)), Terms(always_open(), frozenset(), (percent,)))
    assert found[0].at == at(4 * percent / 100)
    assert (found[0].percent is None) == (percent == 100)
