"""When something said in Chinese or English is due: 今天内, 明天上午, 2小时内, within 2 hours, by Friday. Pure.

Local times are those of the calendar. A day without a time ends when the calendar closes on it, at midnight where it
does not open; a week on its Friday; a morning ends at 12:00, an afternoon at 18:00, an evening at midnight. Hours said
without more are hours of the clock on the wall, working hours and working days those of the calendar.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from opsledger_runtime.errors import Invalid
from sla.domain.calendar import Calendar, add, add_working_days, local_date, spans_on

_FRIDAY: Final = 4
_NOON: Final = 12 * 60
_MIDNIGHT: Final = 24 * 60
_WEEK: Final = {
    name: n for n, names in enumerate(("一1", "二2", "三3", "四4", "五5", "六6", "日天7")) for name in names
}
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DIGITS: Final = {name: n for n, name in enumerate("零一二三四五六七八九十")} | {"两": 2}
_WORDS: Final = {
    "a": 1,
    "an": 1,
    "the": 1,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "half an": 0.5,
}
_AHEAD: Final = {"今": 0, "明": 1, "后": 2, "大后": 3, "today": 0, "tonight": 0, "tomorrow": 1}
_PARTS: Final = {
    "上午": 720,
    "早上": 720,
    "早": 720,
    "中午": 780,
    "下午": 1080,
    "傍晚": 1140,
    "晚上": 1440,
    "晚": 1440,
} | {
    "morning": 720,
    "noon": 720,
    "afternoon": 1080,
    "evening": 1440,
    "tonight": 1440,
    "midnight": 1440,
}

_N: Final = r"(?:\d{1,3}|[一二两三四五六七八九十]{1,3}|半)"
_SPAN_ZH: Final = re.compile(
    rf"(?P<n>{_N})\s*个?(?P<half>半)?\s*(?P<unit>工作日|工作小时|小时|钟头|分钟|天|日|周|星期)(?:之内|以内|内|之后|后)"
)
_POINT_ZH: Final = re.compile(
    r"(?:(?P<ahead>今|明|(?<!之|以|最|然|稍|随)大?后)(?:天|日|(?=早|晚))"
    r"|(?P<next>下)?(?:周|星期|礼拜)(?P<weekday>[一二三四五六日天])"
    r"|(?P<week>[下本这])(?:周|星期|礼拜)(?![一二三四五六日天末])"
    r"|(?:(?P<year>20\d\d)[-年])?(?P<month>\d{1,2})[-月](?P<day>\d{1,2})(?:[日号]|(?!\d))"
    r"|(?<!\d)(?P<alone>\d{1,2})[日号](?=上午|下午|中午|早|晚|前|之前|以前|内|会|将|再|来|给|\d|$))?"
    r"\s*(?P<part>上午|早上|早(?=$|前|之前|[^期已日])|中午|下午|傍晚|晚上|(?<![稍最太较很])晚(?=$|前|之前|[^点些]))?"
    rf"\s*(?:(?P<hour>(?<!\d)\d{{1,2}})[:：](?P<minute>\d\d)(?!\d)|(?P<oclock>{_N})[点时](?P<past>半|\d{{1,2}}分?)?)?"
    r"(?P<close>下班)?(?P<until>前|之前|以前|内|之内)?"
)
_SPAN_EN: Final = re.compile(
    r"\b(?:within|in)\s+(?:the\s+next\s+)?(?P<n>\d{1,3}|half an|an?|the|one|two|three|four|five|six)\s+"
    r"(?P<working>working\s+|business\s+)?(?P<unit>minute|min|hour|hr|day|week)s?\b"
)
_TIME_EN: Final = (
    r"(?:(?P<hour{n}>\d{{1,2}}):(?P<minute{n}>\d\d)(?!\d)(?:\s*(?P<half{n}>am|pm)\b)?"
    r"|(?P<oclock{n}>\d{{1,2}})\s*(?P<of{n}>am|pm)\b)"
)
_DAY_EN: Final = (
    r"(?:(?P<ahead{n}>today|tonight|tomorrow)|(?:(?P<next{n}>next)\s+)?(?P<weekday{n}>mon|tue|wed|thu|fri|sat|sun)"
    r"(?:day|sday|nesday|rsday|urday)?"
    r"|(?P<year{n}>20\d\d)-(?P<month{n}>\d\d)-(?P<day{n}>\d\d)"
    r"|(?P<date{n}>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<named{n}>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
    r"|(?P<called{n}>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\s+(?P<dated{n}>\d{{1,2}})(?:st|nd|rd|th)?)\b"
)
_HAN: Final = re.compile(r"[\u4e00-\u9fff]")
_BEFORE: Final = r"(?:by|before|until|till|at|on|no\s+later\s+than)\s+"
_CLOSE_EN: Final = re.compile(
    r"\b(?:by|before|at)\s+(?:the\s+)?(?:end\s+of\s+(?:the\s+)?(?:business\s+)?day|eod|cob|close\s+of\s+business)\b"
)
_POINTS_EN: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b{_BEFORE}{_TIME_EN.format(n='')}(?:\s+(?:on\s+)?{_DAY_EN.format(n='')})?",
        rf"\b(?:{_BEFORE})?(?P<ahead>today|tonight|tomorrow)\b(?:\s+(?P<part>morning|noon|afternoon|evening))?"
        rf"(?:\s+(?:{_BEFORE})?{_TIME_EN.format(n='')})?",
        rf"\b{_BEFORE}{_DAY_EN.format(n='')}(?:\s+(?P<part>morning|noon|afternoon|evening))?"
        rf"(?:\s+(?:{_BEFORE})?{_TIME_EN.format(n='')})?",
        r"\b(?P<week>this|next)\s+week\b",
        rf"\b(?:this\s+|{_BEFORE})(?P<part>morning|noon|afternoon|evening|midnight)\b",
    )
)


@dataclass(frozen=True, slots=True)
class Said:
    """A due instant as it was said. `text`: the words. One of `span`, `working_hours`, `working_days`, or a day and a
    minute of it; `close`: when the working day ends; `loose`: an hour that may be of the morning or the afternoon.
    """

    text: str
    span: timedelta | None = None
    working_hours: int | None = None
    working_days: int | None = None
    ahead: int | None = None
    weekday: int | None = None
    next_week: bool = False
    year: int | None = None
    month: int | None = None
    day: int | None = None
    minute: int | None = None
    loose: bool = False
    close: bool = False


def said_in(text: str) -> Said | None:
    """The first due instant in a few words, spans before points; None where there is none."""
    lower = text.lower()
    return (_said_zh(lower) if _HAN.search(lower) else None) or _said_en(lower)


def _said_zh(lower: str) -> Said | None:
    if (found := _SPAN_ZH.search(lower)) is not None:
        return _span(found)
    return next((point for found in _POINT_ZH.finditer(lower) if (point := _point_zh(found)) is not None), None)


def _said_en(lower: str) -> Said | None:
    if (found := _SPAN_EN.search(lower)) is not None:
        return _span(found)
    if (found := _CLOSE_EN.search(lower)) is not None:
        return Said(found[0], close=True)
    found_points = [found for pattern in _POINTS_EN for found in pattern.finditer(lower)]
    for found in sorted(found_points, key=lambda one: (one.start(), -one.end())):
        if (point := _point(found.groupdict(), found[0])) is not None:
            return point
    return None


def instant_of(said: Said, calendar: Calendar, at: datetime) -> datetime | None:
    """When that is, said at `at`; None where it has passed or there is no such day."""
    try:
        due = _instant(said, calendar, at)
    except (Invalid, ValueError, OverflowError):
        return None
    return due if due is not None and due > at else None


def number(text: str) -> float:
    """Of digits, of a Chinese numeral below 100, of an English word; 半 is 0.5."""
    if text.isdigit():
        return float(text)
    if text == "半":
        return 0.5
    if text in _WORDS:
        return _WORDS[text]
    tens, found, units = text.partition("十")
    if not found:
        return _DIGITS.get(text, 0)
    return _DIGITS.get(tens, 1 if not tens else 0) * 10 + _DIGITS.get(units, 0)


def _span(found: re.Match[str]) -> Said | None:
    parts = found.groupdict()
    count, unit = number(parts["n"]) + (0.5 if parts.get("half") else 0), parts["unit"]
    if unit == "工作日" or (parts.get("working") and unit == "day"):
        return Said(found[0], working_days=max(int(count), 1))
    if unit == "工作小时" or (parts.get("working") and unit in ("hour", "hr")):
        return Said(found[0], working_hours=max(int(count), 1))
    if unit in ("小时", "钟头", "hour", "hr"):
        return Said(found[0], span=timedelta(hours=count))
    if unit in ("分钟", "minute", "min"):
        return Said(found[0], span=timedelta(minutes=count))
    if unit in ("天", "日", "day"):
        return Said(found[0], ahead=int(count)) if count >= 1 else Said(found[0], span=timedelta(hours=12))
    return Said(found[0], ahead=int(count * 7))


def _point_zh(found: re.Match[str]) -> Said | None:
    parts = found.groupdict()
    if not any(
        parts[name] for name in ("ahead", "weekday", "week", "month", "alone", "part", "hour", "oclock", "close")
    ):
        return None
    oclock = parts["oclock"]
    if oclock is not None and not oclock.isdigit() and not (parts["part"] or parts["past"] or parts["until"]):
        return None  # 快一点
    weekday = _FRIDAY if parts["week"] else _WEEK.get(parts["weekday"] or "")
    day = parts["day"] or parts["alone"]
    return _made(
        found[0],
        {**parts, "next": "next" if parts["week"] == "下" else parts["next"]},
        ahead=_AHEAD.get(parts["ahead"] or ""),
        weekday=weekday,
        day=None if day is None else int(day),
        minute=_minute_zh(parts),
        loose=oclock is not None and parts["part"] is None,
    )


def _minute_zh(parts: dict[str, str | None]) -> int | None:
    part, past = parts["part"], parts["past"] or ""
    if parts["hour"] is not None:
        minute = int(parts["hour"]) * 60 + int(parts["minute"] or 0)
    elif parts["oclock"] is not None:
        minute = int(number(parts["oclock"]) * 60) + (30 if past == "半" else int(past.rstrip("分") or 0))
    else:
        return None if part is None else _PARTS[part]
    afternoon = part in ("下午", "傍晚", "晚上", "晚") or (part == "中午" and minute < 3 * 60)
    return minute + _NOON if afternoon and minute <= _NOON and not (part == "下午" and minute >= _NOON) else minute


def _point(parts: dict[str, str | None], text: str) -> Said | None:
    ahead, named = parts.get("ahead"), parts.get("named") or parts.get("called")
    date_of = parts.get("day") or parts.get("date") or parts.get("dated")
    week, weekday = parts.get("week"), parts.get("weekday")
    hour, half = parts.get("hour") or parts.get("oclock"), parts.get("half") or parts.get("of")
    minute = None if hour is None else int(hour) * 60 + int(parts.get("minute") or 0)
    if minute is not None and half is not None:
        minute = minute % _NOON + (_NOON if half == "pm" else 0)
    if minute is None:
        minute = _PARTS.get(parts.get("part") or (ahead or ""))
    return _made(
        text,
        {
            **parts,
            "next": "next" if week == "next" else parts.get("next"),
            "month": str(_MONTHS.index(named) + 1) if named else parts.get("month"),
        },
        ahead=None if ahead is None else _AHEAD[ahead],
        weekday=_FRIDAY if week else None if weekday is None else _DAYS.index(weekday),
        day=None if date_of is None else int(date_of),
        minute=minute,
    )


def _made(
    text: str,
    parts: dict[str, str | None],
    *,
    ahead: int | None,
    weekday: int | None,
    day: int | None,
    minute: int | None,
    loose: bool = False,
) -> Said | None:
    if minute is not None and minute > _MIDNIGHT:
        return None
    year, month = parts.get("year"), parts.get("month")
    return Said(
        text.strip(),
        ahead=ahead,
        weekday=weekday,
        next_week=parts.get("next") is not None,
        year=None if year is None else int(year),
        month=None if month is None else int(month),
        day=day,
        minute=minute,
        loose=loose,
        close=bool(parts.get("close")),
    )


def _instant(said: Said, calendar: Calendar, at: datetime) -> datetime | None:
    if said.span is not None:
        return at + said.span
    if said.working_hours is not None:
        return add(calendar, at, timedelta(hours=said.working_hours))
    if said.working_days is not None:
        return add_working_days(calendar, at, said.working_days)
    today = local_date(calendar, at)
    day = _day(said, today)
    if day is not None:
        minute = _closing(calendar, day) if said.minute is None else said.minute
        if said.loose and minute < 7 * 60:
            minute += _NOON
        due = _local(calendar, day, minute)
        return _local(calendar, day, _MIDNIGHT) if said.minute is None and due <= at else due
    if said.close:
        due = _local(calendar, today, _closing(calendar, today))
        return due if due > at and spans_on(calendar, today) else add_working_days(calendar, at, 1)
    if said.minute is None:
        return None
    minutes = (said.minute, said.minute + _NOON) if said.loose and said.minute <= _NOON else (said.minute,)
    ahead = [_local(calendar, today, minute) for minute in minutes if minute <= _MIDNIGHT]
    ahead += [_local(calendar, today + timedelta(days=1), minute) for minute in minutes if minute <= _MIDNIGHT]
    return next((due for due in ahead if due > at), None)


def _day(said: Said, today: date) -> date | None:
    if said.ahead is not None:
        return today + timedelta(days=said.ahead)
    if said.weekday is not None:
        if said.next_week:
            return today + timedelta(days=7 - today.weekday() + said.weekday)
        return today + timedelta(days=(said.weekday - today.weekday()) % 7)
    if said.day is None:
        return None
    if said.month is not None:
        found = date(said.year or today.year, said.month, said.day)
        return found if said.year is not None or found >= today else found.replace(year=today.year + 1)
    if said.day >= today.day:
        return today.replace(day=said.day)
    following = today.replace(day=1) + timedelta(days=31)
    return following.replace(day=said.day)


def _closing(calendar: Calendar, day: date) -> int:
    spans = spans_on(calendar, day)
    return spans[-1].closes if spans else _MIDNIGHT


def _local(calendar: Calendar, day: date, minute: int) -> datetime:
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(calendar.time_zone))
    return (midnight + timedelta(minutes=minute)).astimezone(UTC)
