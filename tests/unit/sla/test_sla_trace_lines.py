"""A clock's account: what its lines say of known stories, and that they add up for any."""

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.clock_stories import T0, ClockStory

from sla.domain.calendar import Calendar, Day, Hours, Span, always_open, elapsed, weekly_hours, with_days
from sla.domain.clock import read
from sla.explaining.lines import Account, account
from sla.explaining.pieces import cut, summary
from sla.explaining.story import story_of

H = timedelta(hours=1)
OFFICE = weekly_hours("Asia/Shanghai", [Hours(d, o, c) for d in range(5) for o, c in ((540, 720), (810, 1080))])
BERLIN = weekly_hours("Europe/Berlin", [Hours(d, 0, 1440) for d in range(7)])


def at(hours: float) -> Any:
    return T0 + hours * H


def told(story: ClockStory, hours: float) -> Account:
    found = account(story_of(story.envelopes), story.calendar, at(hours))
    assert found is not None
    return found


def kinds(found: Account) -> list[tuple[str, float]]:
    return [(line.kind, (line.start - T0) / H) for line in found.lines]


def test_r89_every_interval_is_a_line_with_the_event_behind_it() -> None:
    story = ClockStory().hold(at(1)).resume(at(3)).until(at(5)).stop(at(5.5))
    found = told(story, 6)
    assert kinds(found) == [
        ("opened", 0),
        ("always_open", 0),
        ("paused", 1),
        ("resumed", 3),
        ("always_open", 3),
        ("warning", 5),
        ("always_open", 5),
        ("met", 5.5),
        ("stopped", 5.5),
    ]
    paused = found.lines[2]
    assert (paused.reason, paused.counted, paused.working, paused.elapsed) == ("awaiting_requester", 0 * H, 2 * H, H)
    assert paused.event is not None
    assert (paused.event.type, paused.event.happened_at) == ("sla.SLAClockPaused.v1", at(1))
    assert [line.event.type.split(".")[1] for line in found.lines if line.event] == [
        *("SLAClockStarted", "SLAClockStarted", "SLAClockPaused", "SLAClockResumed", "SLAClockResumed"),
        *("SLAWarningReached", "SLAClockResumed", "SLAMet", "SLAMet"),
    ]


def test_nights_breaks_and_weekends_are_lines_of_a_short_clock() -> None:
    found = told(ClockStory(OFFICE, opened=at(96), target=20 * H), 96 + 74)  # Friday 09:00 to Monday 11:00
    lines = [(line.rule, (line.start - at(96)) / H, line.counted / H) for line in found.lines if line.end is not None]
    assert lines == [
        ("working_hours", 0, 3),
        ("outside_hours", 3, 0),
        ("working_hours", 4.5, 4.5),
        ("weekend", 9, 0),
        ("working_hours", 72, 2),
    ]


def test_a_year_is_a_few_lines_and_says_how_much_was_not_counted() -> None:
    story = ClockStory(OFFICE, target=4000 * H).hold(at(24 * 100)).resume(at(24 * 110))
    found = told(story, 24 * 365)
    assert len(found.lines) < 12
    long = [line for line in found.lines if line.kind == "long_run"]
    assert [line.values["days"] for line in long] == [72, 181]
    assert all(line.values["counted"] + line.values["uncounted"] == line.end - line.start for line in long if line.end)


def test_a_pause_outside_working_hours_moves_nothing_and_says_so() -> None:
    found = told(ClockStory(OFFICE, target=8 * H).hold(at(9)).resume(at(10)), 11)
    assert "paused_closed" in dict(kinds(found))
    assert found.moves == ()


def test_each_move_of_the_due_instant_has_its_cause() -> None:
    story = ClockStory(target=8 * H).hold(at(1)).prioritise(at(2), 6 * H).resume(at(4)).stop(at(5)).go_on(at(7))
    found = told(story, 8)
    assert found.first_due == at(8)
    assert [(move.because, move.before, move.after, move.working) for move in found.moves] == [
        ("pause", at(8), at(9), H),
        ("target", at(9), at(7), 2 * H),
        ("pause", at(7), at(9), 2 * H),
        ("standing", at(9), at(11), 2 * H),
    ]
    assert found.reading.due == found.moves[-1].after


def test_while_paused_the_account_says_when_it_would_be_due() -> None:
    found = told(ClockStory().hold(at(1)), 3)
    assert (found.reading.due, found.due_if_resumed) == (None, at(6))
    assert [(move.because, move.after) for move in found.moves] == [("pause", at(6))]


def test_a_withdrawn_breach_and_its_correction_are_both_told() -> None:
    story = ClockStory().until(at(5)).hold(at(2), known=at(5)).resume(at(4), known=at(5.2))
    found = told(story, 5.5)
    told_of = dict(kinds(found))
    assert (told_of["breach_untrue"], told_of["withdrawn"]) == (4, 5)
    assert found.breached_at is None
    late = [line.kind for line in found.lines if line.event and line.event.late]
    assert (late[0], late.count("resumed"), late.count("withdrawn")) == ("paused", 1, 1)


def test_a_late_report_that_changes_figures_is_a_line() -> None:
    story = (
        ClockStory(target=2 * H).until(at(2)).prioritise(at(3), H).until(at(3)).prioritise(at(2.5), 6 * H, known=at(4))
    )
    assert dict(kinds(told(story, 5)))["restated"] == 4


def test_what_is_said_as_of_an_instant_knows_nothing_later() -> None:
    story = ClockStory().hold(at(1)).resume(at(3)).until(at(6)).stop(at(7))
    early = told(story, 2)
    assert [kind for kind, _ in kinds(early)] == ["opened", "always_open", "paused"]
    assert (early.reading.state, early.breached_at) == ("paused", None)
    assert account(story_of(story.envelopes), always_open(), at(-1)) is None
    at_once = told(story, 0)
    assert [kind for kind, _ in kinds(at_once)] == ["opened"]


def test_a_stop_at_the_very_instant_is_told() -> None:
    assert [kind for kind, _ in kinds(told(ClockStory().stop(at(1)), 1))][-1] == "met"


def test_a_clock_without_target_and_its_new_life_are_told() -> None:
    story = ClockStory().prioritise(at(1), None)
    assert [kind for kind, _ in kinds(told(story, 2))] == ["opened", "always_open", "without_target", "cancelled"]


def test_a_breach_by_a_new_target_is_told_as_such() -> None:
    story = ClockStory(target=8 * H).prioritise(at(5), 2 * H).until(at(5))
    assert ("breached_at_once", 5) in kinds(told(story, 6))


def test_an_announcement_that_has_not_come_yet_is_not_claimed() -> None:
    found = dict(kinds(told(ClockStory(), 5)))
    assert (found["warning_silent"], found["breached_silent"]) == (3, 4)


def test_hundreds_of_changes_are_told_without_asking_for_each() -> None:
    story = ClockStory(target=400 * H)
    for n in range(150):
        story.hold(at(n)).resume(at(n + 0.5))
    found = told(story, 160)
    assert [move.because for move in found.moves] == ["several"]
    assert sum((line.counted for line in found.lines), 0 * H) == found.reading.elapsed


@st.composite
def lives(draw: st.DrawFn) -> ClockStory:
    story = ClockStory(
        draw(st.sampled_from([always_open("Asia/Shanghai"), OFFICE, BERLIN])),
        target=draw(st.integers(1, 60)) * H / 2,
        warning_percent=draw(st.sampled_from([(), (75,), (50, 75)])),
    )
    minute = known = 0
    for _ in range(draw(st.integers(0, 8))):
        minute += draw(st.integers(0, 3000))
        known = max(known, minute + draw(st.sampled_from([0, 0, 0, 30, 4000])))
        when, told_at = T0 + timedelta(minutes=minute), T0 + timedelta(minutes=known)
        match draw(st.sampled_from(["hold", "hold", "resume", "resume", "target", "stop", "go on", "announce"])):
            case "hold":
                story.hold(when, draw(st.sampled_from(["awaiting_requester", "awaiting_third_party", "x"])), told_at)
            case "resume":
                story.resume(when, told_at)
            case "target":
                story.prioritise(when, draw(st.integers(1, 60)) * H / 2, told_at)
            case "stop":
                story.stop(when, told_at)
            case "go on":
                story.go_on(when, None, told_at)
            case _:
                story.until(told_at)
    return story


@settings(max_examples=300, deadline=None)
@given(lives(), st.integers(0, 40_000))
def test_r89_the_counted_intervals_add_up_to_elapsed(story: ClockStory, minutes: int) -> None:
    now = T0 + timedelta(minutes=minutes)
    found = account(story_of(story.envelopes), story.calendar, now)
    reading = read(story.state.facts, story.state.terms(story.calendar), now)
    assert found is not None
    assert reading is not None
    assert sum((line.counted for line in found.lines), timedelta()) == reading.elapsed
    assert found.lines[-1].elapsed == reading.elapsed
    spans = [(line.start, line.end) for line in found.lines if line.end is not None]
    assert [end for _, end in spans][:-1] == [start for start, _ in spans][1:]
    assert not spans or (spans[0][0], spans[-1][1]) == (T0, now)


@settings(max_examples=300, deadline=None)
@given(lives(), st.integers(0, 40_000))
def test_the_moves_lead_from_the_first_due_instant_to_the_present_one(story: ClockStory, minutes: int) -> None:
    found = account(story_of(story.envelopes), story.calendar, T0 + timedelta(minutes=minutes))
    assert found is not None
    dues = [found.first_due, *(move.after for move in found.moves)]
    assert [move.before for move in found.moves] == dues[:-1]
    assert all(move.before != move.after for move in found.moves)
    if found.reading.state == "running":
        assert dues[-1] == found.reading.due
    if found.reading.state == "paused":
        assert dues[-1] == found.due_if_resumed


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([OFFICE, BERLIN]), st.integers(0, 12_000_000), st.integers(1, 14_000))
def test_pieces_cover_a_stretch_and_hold_its_working_time(calendar: Calendar, begin: int, length: int) -> None:
    start = T0 + timedelta(seconds=begin)
    end = start + timedelta(minutes=length)
    pieces = cut(calendar, start, end, most=1000)
    assert pieces is not None
    assert [piece.end for piece in pieces][:-1] == [piece.start for piece in pieces][1:]
    assert (pieces[0].start, pieces[-1].end) == (start, end)
    assert all(a.works != b.works for a, b in pairwise(pieces))
    working = sum((piece.end - piece.start for piece in pieces if piece.works), timedelta())
    assert working == elapsed(calendar, start, end)
    assert 0 <= summary(calendar, start, end).working_days <= 11


def test_dated_days_give_their_names() -> None:
    saturday, monday = date(2026, 11, 28), date(2026, 11, 30)
    days = (
        Day(saturday, "closed", (), "测试节", "Test Day"),
        Day(monday, "open", (Span(540, 720),), "调休", "make-up"),
    )
    dated = with_days(OFFICE, days)
    pieces = cut(dated, at(96), at(96 + 74))
    assert pieces is not None
    assert [(piece.rule, piece.names) for piece in pieces][-2:] == [
        ("holiday", (("测试节", "Test Day"),)),
        ("make_up_day", (("调休", "make-up"),)),
    ]
    assert summary(dated, at(96), at(96 + 74)).closed == (("测试节", "Test Day"),)


def test_another_revision_of_the_calendar_is_told_and_moves_the_due_time_from_the_beginning() -> None:
    shorter = weekly_hours("Asia/Shanghai", [Hours(d, 600, 960) for d in range(5)])
    longer = ClockStory(weekly_hours("Asia/Shanghai", [Hours(d, 540, 1080) for d in range(5)]), target=12 * H)
    found = told(longer.hold(at(1)).resume(at(2)).reschedule(at(24), shorter), 26)
    assert ("rescheduled", 24) in kinds(found)
    assert found.first_due == at(27)
    assert [(move.because, move.before, move.after) for move in found.moves] == [
        ("calendar", at(27), at(24 + 7)),
        ("pause", at(24 + 7), at(48 + 2)),
    ]
    assert found.reading.due == at(48 + 2)
