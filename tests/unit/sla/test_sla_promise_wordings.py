"""Which public notes promise something, measured on sentences of both languages, and what they say of when."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.promise_sentences import DESK_OTHERS, DESK_PROMISES, NO_PROMISES, PROMISES

from sla.domain.calendar import Hours, always_open, weekly_hours
from sla.domain.promise_dues import instant_of, said_in
from sla.domain.promise_wordings import MOST_CHARACTERS, wordings_in


@pytest.mark.parametrize(("text", "awaits", "dated"), PROMISES)
def test_r18_these_wordings_promise(text: str, awaits: str, dated: bool) -> None:
    (found,) = wordings_in(text)
    assert (found.awaits, found.said is not None) == (awaits, dated)


@pytest.mark.parametrize("text", NO_PROMISES)
def test_r18_these_wordings_promise_nothing(text: str) -> None:
    assert wordings_in(text) == []


def test_r18_of_what_desks_write_nine_in_ten_promises_are_found_and_hardly_one_is_false() -> None:
    """Both languages, 76 promises and 98 others."""
    true = sum(bool(wordings_in(text)) for text in DESK_PROMISES)
    false = [text for text in DESK_OTHERS if wordings_in(text)]
    assert true / len(DESK_PROMISES) >= 0.9
    assert len(false) <= 1, false


def test_r18_a_note_may_promise_word_and_work_at_once() -> None:
    found = wordings_in("收到。确定原因后再回复您，今天内修复。\n> 上封：尽快回复")
    assert [(one.awaits, one.text) for one in found] == [("reply", "确定原因后再回复您"), ("completion", "今天内修复")]


@given(st.text(alphabet="会将在尽快今明天日内前17:点 回复完成，。?we will fix by'n", max_size=200))
def test_any_text_is_read(text: str) -> None:
    for found in wordings_in(text):
        assert found.text
        if found.said is not None:
            instant_of(found.said, always_open(), datetime(2026, 11, 23, tzinfo=UTC))


@pytest.mark.timeout(20)
def test_a_long_text_is_read_in_time_and_only_at_its_beginning() -> None:
    for text in ("会" * 20_000, "确认" * 10_000, "we will " * 3_000, "9" * 20_000, "“" * 20_000, "，" * 20_000):
        assert wordings_in(text) == []
    assert wordings_in("x" * MOST_CHARACTERS + "。尽快回复您") == []


OFFICE = weekly_hours("Asia/Shanghai", [Hours(day, 9 * 60, 18 * 60) for day in range(5)])
MONDAY = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
"""10:30 in Shanghai."""


def local(text: str) -> datetime:
    """`11-23 18:00` in Shanghai; 24:00 ends the day."""
    day, _, time = text.partition(" ")
    month, date = (int(part) for part in day.split("-"))
    hour, minute = (int(part) for part in time.split(":"))
    return datetime(2026, month, date, tzinfo=UTC) + timedelta(hours=hour - 8, minutes=minute)


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("2小时内", "11-23 12:30"),
        ("半小时内", "11-23 11:00"),
        ("一个半小时内", "11-23 12:00"),
        ("三十分钟内", "11-23 11:00"),
        ("2个工作小时内", "11-23 12:30"),
        ("两个工作日内", "11-25 18:00"),
        ("3天内", "11-26 18:00"),
        ("今天内", "11-23 18:00"),
        ("今天下午3点前", "11-23 15:00"),
        ("明天上午", "11-24 12:00"),
        ("明早", "11-24 12:00"),
        ("明天9点半前", "11-24 09:30"),
        ("后天下午", "11-25 18:00"),
        ("周五前", "11-27 18:00"),
        ("下周一上午10点", "11-30 10:00"),
        ("25日前", "11-25 18:00"),
        ("5日前", "12-05 24:00"),
        ("12月1日10:00前", "12-01 10:00"),
        ("17:00前", "11-23 17:00"),
        ("10:00前", "11-24 10:00"),
        ("下班前", "11-23 18:00"),
        ("下周", "12-04 18:00"),
        ("本周内", "11-27 18:00"),
        ("early next week", "12-04 18:00"),
        ("at 9:00 tomorrow", "11-24 09:00"),
        ("今晚", "11-23 24:00"),
        ("晚上8点", "11-23 20:00"),
        ("5点前", "11-23 17:00"),
        ("within 2 hours", "11-23 12:30"),
        ("within half an hour", "11-23 11:00"),
        ("within 2 business days", "11-25 18:00"),
        ("by 17:00", "11-23 17:00"),
        ("by 5 pm", "11-23 17:00"),
        ("by 5:30 pm tomorrow", "11-24 17:30"),
        ("tomorrow", "11-24 18:00"),
        ("tomorrow morning", "11-24 12:00"),
        ("tomorrow at 10:00", "11-24 10:00"),
        ("by Friday", "11-27 18:00"),
        ("by next Monday", "11-30 18:00"),
        ("on Friday at 10:00", "11-27 10:00"),
        ("by 25 November", "11-25 18:00"),
        ("by Dec 1st", "12-01 18:00"),
        ("by end of day", "11-23 18:00"),
        ("this afternoon", "11-23 18:00"),
    ],
)
def test_r18_when_it_is_due_is_read_from_the_words(text: str, due: str) -> None:
    said = said_in(text)
    assert said is not None
    assert instant_of(said, OFFICE, MONDAY) == local(due)


@pytest.mark.parametrize("text", ["今天上午8点前", "2月31日前", "2020-01-01前", "99日前", "by 30:00", "25:61前"])
def test_what_has_passed_or_is_no_day_says_nothing_of_when(text: str) -> None:
    said = said_in(text)
    assert said is None or instant_of(said, OFFICE, MONDAY) is None


@pytest.mark.parametrize(
    "text", ["快一点", "尽快", "端口 12", "有点慢", "3号机房", "稍晚", "版本 2.10", "soon", "in the room"]
)
def test_words_that_say_nothing_of_when(text: str) -> None:
    assert said_in(text) is None


def test_a_day_without_hours_ends_at_midnight() -> None:
    said, saturday = said_in("今天内"), datetime(2026, 11, 28, 2, tzinfo=UTC)
    assert said is not None
    assert instant_of(said, always_open("Asia/Shanghai"), MONDAY) == local("11-23 24:00")
    assert instant_of(said, OFFICE, saturday) == local("11-28 24:00")
