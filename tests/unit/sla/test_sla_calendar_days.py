"""Dated days: nights, holidays, exceptions that win, and what is refused of them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from opsledger_events.contexts.sla import CalendarDefined
from opsledger_runtime.errors import Invalid
from sla import public_holidays
from sla.calendars import asked_of, definition_of
from sla.domain.calendar import (
    Calendar,
    Day,
    Hours,
    Span,
    add,
    calendar_from,
    elapsed,
    spans_on,
    weekly_hours,
    with_days,
)
from sla.domain.commands import DefineCalendar
from sla.domain.definitions import DEFINITION
from sla.messages import ZH

NOW = datetime(2026, 11, 22, tzinfo=UTC)
HOUR = timedelta(hours=1)
OFFICE: dict[str, Any] = {
    "time_zone": "Asia/Shanghai",
    "always_open": False,
    "weekly": [{"day": day, "opens": "09:00", "closes": "18:00"} for day in range(5)],
}
NIGHTS = weekly_hours("Europe/Berlin", [Hours(day, 22 * 60, 6 * 60) for day in range(7)])


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin"))


def resolved(**asked: Any) -> Calendar:
    return calendar_from(definition_of({**OFFICE, **asked}, NOW))


def defined(definition: dict[str, Any]) -> CalendarDefined:
    (event,) = DEFINITION.decide(DefineCalendar("x", definition, at=NOW), DEFINITION.initial_state)
    assert isinstance(event, CalendarDefined)
    return event


def test_one_definition_is_one_calendar_however_often_it_is_read() -> None:
    asked = {"holidays": {"country": "CN"}}
    assert resolved(**asked) is resolved(**asked)
    assert resolved(**asked) != resolved(**asked, confirmed_through="2026-06-30")


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2026-11-23T20:00", "2026-11-24T12:00", 8),
        ("2026-11-24T05:00", "2026-11-24T23:00", 2),
        ("2026-03-28T12:00", "2026-03-29T12:00", 7),
        ("2026-10-24T12:00", "2026-10-25T12:00", 9),
        ("2025-12-31T23:00", "2026-01-01T01:00", 2),
        ("2025-12-31T12:00", "2026-01-01T12:00", 8),
        ("2025-12-31T12:00", "2028-01-01T12:00", 8 * 731),
    ],
)
def test_r89_a_night_counts_into_the_next_day_and_the_next_year(start: str, end: str, hours: int) -> None:
    assert elapsed(NIGHTS, berlin(start), berlin(end)) == hours * HOUR
    assert add(NIGHTS, berlin(start), hours * HOUR) <= berlin(end)


def test_a_night_may_end_when_the_next_day_begins_and_last_a_whole_day() -> None:
    long = weekly_hours("UTC", [Hours(0, 9 * 60, 9 * 60), Hours(1, 9 * 60, 9 * 60), Hours(6, 23 * 60, 9 * 60)])
    monday = datetime(2026, 11, 23, tzinfo=UTC)
    assert elapsed(long, monday, monday + timedelta(days=7)) == 58 * HOUR
    assert calendar_from(long.definition()) == long
    assert long.definition()["weekly"][0] == {"day": 0, "opens": "09:00", "closes": "09:00"}


def test_a_closed_day_takes_the_intervals_that_open_on_it_and_leaves_the_night_before() -> None:
    calendar = with_days(NIGHTS, (Day(date(2026, 12, 25), "closed"),))
    assert elapsed(calendar, berlin("2026-12-24T12:00"), berlin("2026-12-25T12:00")) == 8 * HOUR
    assert elapsed(calendar, berlin("2026-12-25T12:00"), berlin("2026-12-26T12:00")) == 0 * HOUR


def test_r89_own_exceptions_win_over_published_holidays_and_both_over_the_week() -> None:
    calendar = resolved(
        holidays={"country": "CN"},
        exceptions=[
            {"date": "2026-10-01", "kind": "open", "hours": [{"opens": "10:00", "closes": "12:00"}], "name_zh": "值守"},
            {"date": "2026-10-10", "kind": "closed"},
            {"date": "2026-10-17", "kind": "open"},
            {"date": "2026-10-19", "kind": "closed", "name_en": "Stocktaking"},
        ],
    )
    for text, spans in {
        "2026-10-01": (Span(600, 720),),
        "2026-10-02": (),
        "2026-10-08": (Span(540, 1080),),
        "2026-10-10": (),
        "2026-09-20": (Span(540, 1080),),
        "2026-10-17": (Span(540, 1080),),
        "2026-10-19": (),
    }.items():
        assert spans_on(calendar, date.fromisoformat(text)) == spans, text


def test_an_event_is_computed_with_even_when_the_library_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    event = defined(definition_of({**OFFICE, "holidays": {"country": "CN"}}, NOW))
    stored = event.model_dump(mode="json", exclude_none=True)
    monkeypatch.setattr(public_holidays, "library", None)
    monkeypatch.setattr(public_holidays, "_published", None)
    again = calendar_from(CalendarDefined.read(stored).model_dump(mode="json"))
    assert again == calendar_from(event.model_dump())
    assert event.holidays is not None
    assert (event.holidays.country, event.holidays.version) == ("CN", public_holidays.VERSION)
    assert (event.holidays.from_year, event.holidays.to_year) == (2024, 2028)
    spring = next(day for day in event.days if day.date == date(2026, 2, 17))
    assert (spring.kind, spring.name_zh, spring.source) == ("closed", "春节", "library")
    assert spring.name_en == "Chinese New Year (Spring Festival)"


def test_an_event_of_before_there_were_dated_days_means_what_it_meant() -> None:
    old = {
        "name": "办公时间",
        "time_zone": "Asia/Shanghai",
        "always_open": False,
        "weekly": [{"day": 0, "opens": "09:00", "closes": "12:00"}, {"day": 6, "opens": "13:30", "closes": "24:00"}],
        "default": False,
        "revision": 1,
    }
    for calendar in (calendar_from(old), calendar_from(CalendarDefined.read(old).model_dump(mode="json"))):
        assert calendar == Calendar("Asia/Shanghai", (Hours(0, 540, 720), Hours(6, 810, 1440)))
        assert calendar.definition() == {name: old[name] for name in ("time_zone", "always_open", "weekly")}


def test_a_definition_survives_its_json_form() -> None:
    definition = definition_of({**OFFICE, "holidays": {"country": "CN"}, "confirmed_through": "2026-06-30"}, NOW)
    calendar = calendar_from(definition)
    assert calendar_from(calendar.definition()) == calendar
    assert hash(calendar_from(calendar.definition())) == hash(calendar)
    assert calendar.confirmed_through == date(2026, 6, 30)


def test_what_was_asked_can_be_asked_again() -> None:
    asked = {
        **OFFICE,
        "holidays": {"country": "DE", "subdivision": "BY", "from_year": 2025},
        "exceptions": [{"date": "2026-12-24", "kind": "open", "hours": [{"opens": "09:00", "closes": "12:00"}]}],
        "make_up_weekday": 3,
    }
    for through in ({}, {"confirmed_through": "2026-12-31"}):
        event = defined(definition_of({**asked, **through}, NOW))
        assert defined(definition_of(asked_of(event), NOW)) == event
    later = definition_of(asked_of(defined(definition_of(asked, NOW))), datetime(2027, 1, 2, tzinfo=UTC))
    assert later["confirmed_through"] == "2029-12-31"


DAY = {"date": "2026-12-24", "kind": "closed"}


@pytest.mark.parametrize(
    ("asked", "code", "says"),
    [
        ({"exceptions": [DAY, DAY]}, "day_twice", "there twice"),
        ({"exceptions": [{**DAY, "date": "2026-02-30"}]}, "bad_date", "YYYY-MM-DD"),
        ({"exceptions": [{**DAY, "date": "20261224"}]}, "bad_date", "YYYY-MM-DD"),
        ({"exceptions": [{**DAY, "date": "2026-W52-4"}]}, "bad_date", "YYYY-MM-DD"),
        ({"exceptions": [{**DAY, "date": "1026-12-24"}]}, "year_out_of_range", "2000 to 2100"),
        (
            {"exceptions": [{**DAY, "hours": [{"opens": "09:00", "closes": "12:00"}]}]},
            "closed_day_with_hours",
            "closed",
        ),
        ({"exceptions": [{**DAY, "kind": "open", "hours": []}]}, "open_day_without_hours", "Give its hours"),
        ({"exceptions": [{**DAY, "kind": "open"}], "make_up_weekday": 6}, "open_day_without_hours", "Give its hours"),
        ({"exceptions": [DAY], "make_up_weekday": 7}, "no_weekday", "0 .Monday."),
        (
            {"exceptions": [{**DAY, "kind": "open", "hours": [{"opens": "09:00", "closes": "12:00"}] * 2}]},
            "hours_overlap",
            "overlap",
        ),
        (
            {"exceptions": [{**DAY, "kind": "open", "hours": [{"opens": "22:00", "closes": "09:01"}]}]},
            "hours_overlap",
            r"2026-12-24 \(Thursday\) 22:00 to 09:01 and 2026-12-25 \(Friday\) 09:00 to 18:00 overlap",
        ),
        ({"exceptions": [{**DAY, "kind": "open", "hours": [{"opens": "9", "closes": "12:00"}]}]}, "bad_time", "HH:MM"),
        ({"exceptions": [DAY], "always_open": True, "weekly": []}, "always_open_with_days", "always open"),
        ({"exceptions": [DAY] * 2001}, "too_many_days", "too many"),
        ({"holidays": {"country": "XX"}}, "unknown_country", "ISO 3166"),
        ({"holidays": {"country": "../CN"}}, "unknown_country", "ISO 3166"),
        ({"holidays": {"country": "CN", "subdivision": "BJ"}}, "unknown_subdivision", "leave it out"),
        ({"holidays": {"country": "DE", "subdivision": "XX"}}, "unknown_subdivision", "such as BB"),
        ({"holidays": {"country": "CN", "from_year": 1999}}, "year_out_of_range", "2016 to 2026"),
        ({"holidays": {"country": "CN", "from_year": 2027}}, "year_out_of_range", "2016 to 2026"),
        ({"holidays": {"country": "CN"}, "make_up_weekday": 6}, "make_up_without_hours", "make_up_weekday"),
        ({"confirmed_through": "soon"}, "bad_date", "YYYY-MM-DD"),
    ],
)
def test_r89_a_wrong_day_is_refused_with_a_sentence_that_says_what_to_change(
    asked: dict[str, Any], code: str, says: str
) -> None:
    with pytest.raises(Invalid, match=says) as refused:
        resolved(**asked)
    assert refused.value.code == code
    assert code in ZH
    assert refused.value.errors
    assert refused.value.message.endswith(".")


def test_a_calendar_whose_exceptions_close_a_whole_year_is_refused() -> None:
    rare = {**OFFICE, "weekly": [{"day": 0, "opens": "09:00", "closes": "18:00"}]}
    mondays = [{"date": str(date(2026, 11, 23) + timedelta(weeks=n)), "kind": "closed"} for n in range(60)]
    definition = definition_of({**rare, "exceptions": mondays}, NOW)
    with pytest.raises(Invalid, match="does not open within a year"):
        defined(definition)
    assert defined(definition_of({**rare, "exceptions": mondays[1:]}, NOW)).revision == 1


def test_every_known_country_can_be_asked_for() -> None:
    for country in public_holidays._countries():
        told = public_holidays.published(country, None, 2024, 2028)
        assert told.days == tuple(sorted(told.days))
        assert len({day.date for day in told.days}) == len(told.days), country
