"""Dated days from iCalendar (RFC 5545): each all-day VEVENT closes its days, or makes working days of them.

Which of the two is told by CATEGORIES, else by SUMMARY (Apple's calendars have a property for it), in the words below;
an event that says neither is reported and never guessed. Lines are split by the library `icalendar`; time zones and
recurrences are never computed, so a hostile file cannot make it work. Recurring and timed events are reported.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from icalendar.parser import Contentline

from sla.day_files.report import LONGEST_NAME, Report

MOST_DAYS_OF_AN_EVENT: Final = 31
WORKING: Final = ("补班", "上班", "（班）", "(班)", "workday", "working day", "make-up")
CLOSED: Final = ("休", "假", "holiday", "closed", "day off")

_TELLING: Final = ("CATEGORIES", "X-APPLE-SPECIAL-DAY", "SUMMARY")
_DATE: Final = re.compile(r"[0-9]{8}")
_DAYS: Final = re.compile(r"P([0-9]{1,2})D")
_CHINESE: Final = re.compile("[\u4e00-\u9fff]")
_ENDS: Final = re.compile("\r\n|\n|\r")
_LONGEST_LINE: Final = 10_000


@dataclass(slots=True)
class _Event:
    """A VEVENT's own properties by name, and the line at which it begins."""

    line: int
    properties: dict[str, str] = field(default_factory=dict)


class _Unreadable(ValueError):
    """A line that is none; `line` counts from 1."""

    def __init__(self, line: int, detail: str) -> None:
        super().__init__(detail)
        self.line = line


def read_ics(text: str) -> Report:
    """The days of a file, and its bad events, each by the line at which it begins."""
    report = Report()
    try:
        for event in _events(text.removeprefix("\ufeff")):
            report.lines += 1
            _take(event, report)
    except _Unreadable as error:
        report.refuse(error.line, "bad_ics", f"The file cannot be read from here on: {error}")
    if not report.lines and not report.bad:
        report.refuse(1, "bad_ics", "The file holds no event. Give an iCalendar file with VEVENT components.")
    return report


def _events(text: str) -> Iterator[_Event]:
    inside: list[str] = []
    event: _Event | None = None
    for number, line in _content_lines(text):
        try:
            name, parameters, value = Contentline(line).parts()  # type: ignore[no-untyped-call]
        except ValueError:
            raise _Unreadable(number, "this is no line of iCalendar.") from None
        name = name.upper()
        if not inside and (name, value.upper()) != ("BEGIN", "VCALENDAR"):
            raise _Unreadable(number, "an iCalendar file begins with BEGIN:VCALENDAR.")
        if name == "BEGIN":
            inside.append(value.upper())
            if len(inside) > 10:
                raise _Unreadable(number, "components are nested too deep.")
            if inside[1:] == ["VEVENT"]:
                event = _Event(number)
        elif name == "END":
            if inside.pop() != value.upper():
                raise _Unreadable(number, f"END:{value[:20]} ends what was not begun.")
            if event is not None and inside == ["VCALENDAR"]:
                yield event
                event = None
        elif event is not None and inside[1:] == ["VEVENT"]:
            if name == "DTSTART" and str(parameters.get("VALUE", "")).upper() != "DATE":
                value = value if _DATE.fullmatch(value) else "timed"
            joined = event.properties.get(name) if name == "CATEGORIES" else None
            event.properties[name] = value if joined is None else f"{joined},{value}"
    if inside:
        raise _Unreadable(text.count("\n") + 1, f"the file ends before END:{inside[-1][:20]}.")


def _content_lines(text: str) -> Iterator[tuple[int, str]]:
    """Unfolded lines, each with the number of its first one; blank lines are passed over."""
    number, found = 0, ""
    for at, line in enumerate(_ENDS.split(text), 1):
        if line[:1] in (" ", "\t") and found:
            found += line[1:]
            if len(found) > _LONGEST_LINE:
                raise _Unreadable(number, "the line is too long.")
            continue
        if found:
            yield number, found
        number, found = at, line if line.strip() else ""
        if len(found) > _LONGEST_LINE:
            raise _Unreadable(number, "the line is too long.")
    if found:
        yield number, found


def _take(event: _Event, report: Report) -> None:
    told = event.properties
    if told.get("STATUS", "").upper() == "CANCELLED":
        return
    if "RRULE" in told or "RDATE" in told:
        report.refuse(event.line, "recurring_event", "The event recurs. Give each of its days an event of its own.")
        return
    kind = next(filter(None, (_kind(told.get(name, "")) for name in _TELLING)), None)
    if kind is None:
        words = f"{'、'.join(WORKING[:2])} or WORKDAY, 休、假 or HOLIDAY"
        report.refuse(event.line, "bad_kind", f"Neither CATEGORIES nor SUMMARY says what the day is: write {words}.")
        return
    days = _days(told)
    if days is None:
        report.refuse(
            event.line,
            "bad_date",
            f"Give an all-day event with DTSTART;VALUE=DATE, of at most {MOST_DAYS_OF_AN_EVENT} days.",
        )
        return
    summary = " ".join(told.get("SUMMARY", "").split())[:LONGEST_NAME] or None
    name = "name_zh" if summary and _CHINESE.search(summary) else "name_en"
    for day in days:
        report.take(event.line, {"date": day.isoformat(), "kind": kind, name: summary})


def _kind(text: str) -> str | None:
    """Working words are looked for first: “春节补班（假期调休）” is a working day."""
    lowered = text.lower()
    if any(word in lowered for word in WORKING):
        return "open"
    return "closed" if any(word in lowered for word in CLOSED) else None


def _days(told: dict[str, str]) -> list[date] | None:
    """From DTSTART up to DTEND or for DURATION; one day where neither is told. None where that makes no sense."""
    start = _date(told.get("DTSTART", ""))
    if start is None:
        return None
    count = 1
    if "DTEND" in told:
        end = _date(told["DTEND"])
        count = 0 if end is None else (end - start).days
    elif "DURATION" in told:
        matched = _DAYS.fullmatch(told["DURATION"])
        count = int(matched[1]) if matched else 0
    if not 1 <= count <= MOST_DAYS_OF_AN_EVENT or start.year > 9000:
        return None
    return [start + timedelta(days=n) for n in range(count)]


def _date(text: str) -> date | None:
    if not _DATE.fullmatch(text):
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None
