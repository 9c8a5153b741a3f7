"""Sentences of a clock's account: two catalogues that fit each other, and what a service desk reads."""

import re
from datetime import date, timedelta
from string import Formatter
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.clock_stories import T0, ClockStory

from sla.domain.calendar import Hours, always_open, weekly_hours, with_days
from sla.explaining import sentences_en, sentences_zh
from sla.explaining.lines import Names, account
from sla.explaining.story import story_of
from sla.explaining.words import CATALOGUES, REASONS, Language, Words, words_of

H = timedelta(hours=1)
OFFICE = weekly_hours("Asia/Shanghai", [Hours(d, 540, 1080) for d in range(5)])
LANGUAGES: list[Language] = ["zh-CN", "en"]


def at(hours: float) -> Any:
    return T0 + hours * H


def sentences(story: ClockStory, hours: float, language: Language = "en") -> list[str]:
    found = account(story_of(story.envelopes), story.calendar, at(hours))
    assert found is not None
    words = words_of(found, language)
    return [*(words.line(line) for line in found.lines), words.closing(found)]


def parameters(text: str) -> set[str | None]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("kind", ["SENTENCES", "WORDS"])
def test_both_catalogues_have_all_keys_with_the_same_parameters(kind: str) -> None:
    zh, en = getattr(sentences_zh, kind), getattr(sentences_en, kind)
    assert zh.keys() == en.keys()
    optional = {"weekday", "weekday_long", "day", "month", "year"} if kind == "WORDS" else set()
    assert {k: parameters(zh[k]) - optional for k in zh} == {k: parameters(en[k]) - optional for k in en}
    assert all((*zh.values(), *en.values()))


def test_both_catalogues_name_all_days_months_and_reasons() -> None:
    for words in CATALOGUES.values():
        assert (len(words.WEEKDAYS), len(words.WEEKDAYS_LONG), len(words.MONTHS)) == (7, 7, 12)
        assert set(REASONS) <= words.WORDS.keys()


def test_a_night_reads_as_one_sentence() -> None:
    story = ClockStory(OFFICE, opened=at(24), target=20 * H)
    assert "Tuesday 18:00 to Wednesday 09:00: outside working hours, not counted." in sentences(story, 50)
    assert "周二 18:00 至周三 09:00：非工作时间，不计时。" in sentences(story, 50, "zh-CN")


@pytest.mark.parametrize(
    ("amount", "zh", "en"),
    [
        (timedelta(hours=3, minutes=20), "3 小时 20 分", "3 h 20 min"),
        (timedelta(hours=180), "180 小时", "180 h"),
        (timedelta(minutes=5, seconds=7), "5 分 7 秒", "5 min 7 s"),
        (timedelta(hours=1, seconds=1), "1 小时 1 秒", "1 h 1 s"),
        (timedelta(), "0 分", "0 min"),
        (timedelta(milliseconds=999), "0 分", "0 min"),
        (-H, "0 分", "0 min"),
    ],
)
def test_durations_are_words_and_never_days(amount: timedelta, zh: str, en: str) -> None:
    found = account(story_of(ClockStory().envelopes), always_open(), at(1))
    assert found is not None
    assert [words_of(found, language).duration(amount) for language in LANGUAGES] == [zh, en]


def test_the_closing_line_says_what_is_left_and_why_the_due_time_moved() -> None:
    story = ClockStory(target=4 * H, pausing_reasons=("awaiting_requester",)).hold(at(1)).resume(at(3))
    assert sentences(story, 4)[-1] == (
        "Target 4 h: 2 h elapsed, 2 h left, due Monday 07:00. First due Monday 05:00. "
        "Moved to Monday 07:00 by 2 h of pause (waiting for the requester)."
    )
    assert sentences(story, 4, "zh-CN")[-1] == (
        "目标 4 小时：已用 2 小时，剩余 2 小时，周一 07:00 到期。最初周一 05:00 到期。"
        "因暂停工作时间 2 小时（等待报障人）移至周一 07:00。"
    )
    assert sentences(story.until(at(8)), 8)[-1].startswith("Target 4 h: 6 h elapsed, 2 h over; it was due Monday 07:00")
    assert sentences(story.stop(at(9)), 10)[-1].startswith("Target 4 h missed: 7 h elapsed, 3 h over")
    assert "never moved" in sentences(ClockStory().stop(at(1)), 2)[-1]
    assert "if it went on now" in sentences(ClockStory().hold(at(1)), 2)[-1]
    assert "nothing is owed" in sentences(ClockStory().cancel(at(1)), 2)[-1]


def test_a_due_time_beyond_the_published_holidays_says_so() -> None:
    calendar = with_days(OFFICE, (), date(2026, 12, 31))
    assert "published up to 2026-12-31 only" in sentences(ClockStory(calendar, target=400 * H), 1)[-1]
    assert "节假日仅公布至 2026-12-31" in sentences(ClockStory(calendar, target=400 * H), 1, "zh-CN")[-1]
    for story in (ClockStory(calendar, target=8 * H), ClockStory(calendar, target=400 * H).stop(at(1))):
        assert "published" not in sentences(story, 2)[-1]


def test_what_became_known_late_is_said_so() -> None:
    story = ClockStory().until(at(5)).hold(at(2), known=at(5)).resume(at(4), known=at(5.2))
    said = " ".join(sentences(story, 5.5))
    assert "resumed; due Monday 07:00. (Became known Monday 06:12.)" in said
    assert "what happened on Monday 03:00 became known; the breach of Monday 05:00 is withdrawn." in said


@pytest.mark.parametrize(
    ("opened", "says"),
    [("2026-03-28T23:00+01:00", "forward by 1 h"), ("2026-10-24T23:00+02:00", "back by 1 h")],
)
def test_a_day_of_23_or_25_hours_says_that_clocks_were_set(opened: str, says: str) -> None:
    begun = type(T0).fromisoformat(opened)
    story = ClockStory(always_open("Europe/Berlin"), opened=begun, target=30 * H)
    found = account(story_of(story.envelopes), story.calendar, begun + 12 * H)
    assert found is not None
    words = words_of(found, "en")
    assert says in words.line(found.lines[1])


def test_a_local_time_that_comes_twice_has_its_offset() -> None:
    begun = type(T0).fromisoformat("2026-10-25T02:30+01:00")
    found = account(story_of(ClockStory(always_open("Europe/Berlin"), opened=begun).envelopes), always_open(), begun)
    assert found is not None
    assert "02:30 (UTC+0100)" in Words("en", ZoneInfo("Europe/Berlin"), "near").instant(begun)


def test_dates_are_told_where_weekdays_are_not_enough() -> None:
    assert "23 Nov 09:00" in sentences(ClockStory(OFFICE, target=100 * H), 300)[0]
    assert "2026" in sentences(ClockStory(OFFICE, target=300 * H), 24 * 60)[0]
    assert "2026年11月23日（周一）09:00" in sentences(ClockStory(OFFICE, target=300 * H), 24 * 60, "zh-CN")[0]


HOSTILE = "<script>{0} {span} %s \x00\u202e\n" + "长" * 500


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_hostile_reason_or_name_stays_one_short_piece_of_text(language: Language) -> None:
    story = ClockStory(pausing_reasons=(HOSTILE.replace("\x00", ""),)).hold(at(1), HOSTILE.replace("\x00", ""))
    (said,) = [text for text in sentences(story, 2, language) if "script" in text and "01:00" not in text][:1]
    assert "{0} {span} %s" in said
    assert len(said) < 200
    assert not re.search(r"[\x00-\x1f\u202e]", said)
    words = Words(language, ZoneInfo("UTC"), "near")
    assert len(words.value(Names(((HOSTILE, None),)))) < 70
    assert words.value(Names(((None, None),))) == ""


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(1, 900)), max_size=8), st.sampled_from([always_open(), OFFICE])
)
def test_every_line_of_any_story_has_its_sentence_in_both_languages(steps: list[Any], calendar: Any) -> None:
    story, minute = ClockStory(calendar), 0
    for kind, minutes in steps:
        minute += minutes
        when = at(minute / 60)
        (story.hold, story.resume, story.stop, story.go_on, story.until)[kind](when)
    english, chinese = (sentences(story, minute / 60 + 1, language) for language in ("en", "zh-CN"))
    assert len(english) == len(chinese)
    assert all(text and "{" not in text for text in (*english, *chinese))
    assert not any(re.search(r"[\u4e00-\u9fff]", text) for text in english)
