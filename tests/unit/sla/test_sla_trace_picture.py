"""The picture of a clock: well-formed, escaped, the same every time; labels apart, time never running backwards."""

import re
import xml.etree.ElementTree as ET
from datetime import timedelta
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.clock_stories import T0, ClockStory

from sla.domain.calendar import Hours, always_open, weekly_hours
from sla.explaining.labels import Mark, placed
from sla.explaining.lines import account
from sla.explaining.picture import WIDTH, picture
from sla.explaining.story import story_of
from sla.explaining.timescale import scale

H = timedelta(hours=1)
SVG = "{http://www.w3.org/2000/svg}"
OFFICE = weekly_hours("Asia/Shanghai", [Hours(d, o, c) for d in range(5) for o, c in ((540, 720), (810, 1080))])


def at(hours: float) -> Any:
    return T0 + hours * H


def drawn(story: ClockStory, hours: float, number: str = "INC0000042", language: Any = "en") -> ET.Element:
    found = account(story_of(story.envelopes), story.calendar, at(hours))
    assert found is not None
    text = picture(found, language, number, "resolution")
    assert text == picture(found, language, number, "resolution")
    return ET.fromstring(text)  # noqa: S314 - our own


STORIES: dict[str, tuple[ClockStory, float]] = {
    "met": (ClockStory().until(at(3)).stop(at(3.5)), 4),
    "pauses over a weekend": (
        ClockStory(OFFICE, opened=at(72), target=8 * H)
        .hold(at(74))
        .resume(at(97))
        .hold(at(99), "awaiting_third_party")
        .resume(at(104.5))
        .hold(at(105))
        .resume(at(170))
        .until(at(175))
        .stop(at(176)),
        180,
    ),
    "a month": (
        ClockStory(OFFICE, target=40 * H, warning_percent=(50, 75))
        .prioritise(at(30), 16 * H)
        .hold(at(50))
        .prioritise(at(100), 80 * H)
        .resume(at(190))
        .prioritise(at(400), 120 * H)
        .until(at(640))
        .stop(at(700)),
        720,
    ),
    "just opened": (ClockStory(OFFICE), 0),
    "never opens within": (ClockStory(OFFICE, opened=at(106)), 108),
    "a year": (ClockStory(OFFICE, target=3000 * H), 24 * 365),
    "paused": (ClockStory().hold(at(1)), 500),
    "cancelled": (ClockStory().cancel(at(1)), 50),
    "due long ago": (ClockStory().until(at(5)), 5000),
}


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("name", STORIES)
def test_a_picture_is_well_formed_described_and_within_its_frame(name: str, language: str) -> None:
    story, hours = STORIES[name]
    root = drawn(story, hours, language=language)
    assert (root.get("width"), root.get("role")) == (str(WIDTH), "img")
    assert root.findtext(f"{SVG}title")
    assert len(root.findtext(f"{SVG}desc") or "") > 40
    height = float(root.get("height") or 0)
    for one in root.iter(f"{SVG}rect"):
        if one.get("x") is not None:
            assert 0 <= float(one.get("x") or 0) <= WIDTH
            assert float(one.get("x") or 0) + float(one.get("width") or 0) <= WIDTH
    assert all(0 < float(one.get("y") or 1) < height for one in root.iter(f"{SVG}text"))
    assert len(list(root.iter())) < 400
    notes = [one.text or "" for one in root.iter(f"{SVG}text")]
    assert any("cale" in note or "比" in note for note in notes)


def test_every_kind_of_time_has_a_pattern_beside_its_colour() -> None:
    root = drawn(*STORIES["pauses over a weekend"])
    fills = {one.get("fill") for one in root.iter(f"{SVG}rect")}
    assert {"url(#closed)", "url(#over)", "url(#paused)"} <= fills
    assert {one.get("id") for one in root.iter(f"{SVG}pattern")} >= {"closed", "over", "paused", "stopped"}


def test_a_hostile_number_cannot_leave_its_text() -> None:
    evil = "</text><script>alert(1)</script>\x00\u202e\"' onload='x' " + "工" * 900
    story = ClockStory(pausing_reasons=(evil.replace("\x00", ""),)).hold(at(1), evil.replace("\x00", ""))
    root = drawn(story, 2, evil)
    assert not list(root.iter(f"{SVG}script"))
    assert not [name for one in root.iter() for name in one.attrib if name.startswith("on")]
    assert len(root.findtext(f"{SVG}title") or "") < 90


def test_marks_at_one_instant_all_get_their_label_or_are_counted() -> None:
    story = ClockStory(target=8 * H, warning_percent=tuple(range(1, 100, 4)))
    texts = [one.text or "" for one in drawn(story.until(at(9)), 9).iter(f"{SVG}text")]
    assert any(text.startswith("breach") for text in texts)
    assert any("more marks" in text for text in texts)


MARKS = st.lists(
    st.builds(
        Mark,
        st.floats(70, 880),
        st.text("abc 12:00周", min_size=1, max_size=30),
        st.just("due"),
        st.integers(0, 7),
    ),
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(MARKS)
def test_no_label_lies_over_another_and_no_leader_runs_through_one(marks: list[Mark]) -> None:
    found, without = placed(marks, 6, WIDTH - 6, 12)
    assert len(found) + without == len(marks)
    assert found or not marks
    for one, other in combinations(found, 2):
        if one.lane == other.lane:
            assert one.end < other.start or other.end < one.start
        upper, lower = (one, other) if one.lane > other.lane else (other, one)
        assert upper.lane == lower.lane or not lower.start <= upper.mark.x <= lower.end
    assert all(one.start >= 6 and one.end <= WIDTH - 6 + 0.01 for one in found)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(1, 3000), min_size=1, max_size=8),
    st.sampled_from([OFFICE, always_open()]),
    st.lists(st.floats(0, 1), min_size=2, max_size=9),
)
def test_what_is_later_is_never_further_left(steps: list[int], calendar: Any, shares: list[float]) -> None:
    story, minute = ClockStory(calendar), 0
    for n, minutes in enumerate(steps):
        minute += minutes
        (story.hold, story.resume)[n % 2](at(minute / 60))
    end = at(minute / 60 + 1)
    found = account(story_of(story.envelopes), calendar, end)
    assert found is not None
    axis = scale(calendar, found.reading.trace, T0, end, 70, 810)
    xs = [axis.x(T0 + share * (end - T0)) for share in sorted(shares)]
    assert xs == sorted(xs)
    assert (axis.x(T0), round(axis.x(end), 6)) == (70, 880)
    assert (axis.x(T0 - H), round(axis.x(end + H), 6)) == (70, 880)


def test_hundreds_of_pauses_stay_a_picture_of_bounded_size() -> None:
    story = ClockStory(target=400 * H)
    for n in range(200):
        story.hold(at(n)).resume(at(n + 0.01))
    root = drawn(story, 210)
    assert len(list(root.iter())) < 1000
    paused = [float(one.get("width") or 0) for one in root.iter(f"{SVG}rect") if one.get("fill") == "url(#paused)"]
    assert paused
    assert all(width >= 1.5 for width in paused)


def test_waiting_leaves_room_for_what_counts() -> None:
    root = drawn(ClockStory(OFFICE).hold(at(1)).resume(at(24 * 20)).until(at(24 * 22)), 24 * 22)
    fills = ("#2f6fb0", "url(#over)")
    counted = [float(one.get("width") or 0) for one in root.iter(f"{SVG}rect") if one.get("fill") in fills]
    assert sum(counted) > 300
    assert re.search("closed time is narrowed, waiting is drawn shorter", "".join(root.itertext()))
    assert re.search("scale: waiting is drawn shorter", "".join(drawn(*STORIES["paused"]).itertext()))
