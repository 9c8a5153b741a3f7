"""Files of exceptions: what they give, every bad line named, and hostile ones that come to nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla.day_files.csv_file import read_csv
from sla.day_files.ics_file import read_ics
from sla.day_files.report import MOST_BAD, Report
from sla.domain.calendar import Span, days_from
from sla.domain.calendar.days import MOST_INTERVALS
from sla.messages import ZH

HEADER = "date,kind,opens,closes,name_zh,name_en\n"


def bad(report: Report) -> list[tuple[int, str]]:
    assert all(one.code in ZH and one.detail.endswith(".") for one in report.bad)
    return [(one.line, one.code) for one in report.bad]


def ics(*events: str) -> str:
    inside = "".join(f"BEGIN:VEVENT\r\n{event}\r\nEND:VEVENT\r\n" for event in events)
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{inside}END:VCALENDAR\r\n"


def test_r89_a_csv_file_gives_closed_short_and_make_up_days() -> None:
    report = read_csv(
        "\ufeff" + HEADER + "2027-02-06,closed,,,春节,Spring Festival\n"
        "\n2027-02-14,open,,,调休上班,\n"
        '2027-12-24,open,09:00,12:00,"平安夜, 半天",Half day\n2027-12-24,open,14:00,16:00,,\n'
        "2027-12-31,open,22:00,02:00,,\r\n"
    )
    assert bad(report) == []
    assert report.lines == 5
    assert list(report.days.values()) == [
        {"date": "2027-02-06", "kind": "closed", "name_zh": "春节", "name_en": "Spring Festival"},
        {"date": "2027-02-14", "kind": "open", "name_zh": "调休上班"},
        {
            "date": "2027-12-24",
            "kind": "open",
            "name_zh": "平安夜, 半天",
            "name_en": "Half day",
            "hours": [{"opens": "09:00", "closes": "12:00"}, {"opens": "14:00", "closes": "16:00"}],
        },
        {"date": "2027-12-31", "kind": "open", "hours": [{"opens": "22:00", "closes": "02:00"}]},
    ]


def test_every_bad_line_of_a_csv_file_is_named_and_the_good_ones_still_read() -> None:
    report = read_csv(
        "Kind, Date ,opens,closes\n"
        "closed,2027-02-30\nclosed,2027-02-06\nshut,2027-02-07\nclosed,2027-02-06\nopen,2027-02-08,09:00\n"
        "open,2027-02-09,09:00,25:00\nclosed,2027-02-10,09:00,12:00\nclosed,2027-02-11,,,,\nclosed\n"
        "open,2027-02-12,09:00,12:00\nopen,2027-02-12,11:00,13:00\nclosed,3027-01-01\n"
    )
    assert bad(report) == [
        (2, "bad_date"),
        (4, "bad_kind"),
        (5, "day_twice"),
        (6, "bad_time"),
        (7, "bad_time"),
        (8, "closed_day_with_hours"),
        (9, "bad_columns"),
        (10, "bad_date"),
        (12, "hours_overlap"),
        (13, "year_out_of_range"),
    ]
    assert sorted(report.days) == ["2027-02-06", "2027-02-12"]
    assert report.lines == 12


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "bad_header"),
        ("\ufeff\n\n", "bad_header"),
        ("2027-02-06,closed\n", "bad_header"),
        ("date;kind\n2027-02-06;closed\n", "bad_header"),
        ("date,kind,date\n", "bad_header"),
        ("date,opens\n", "bad_header"),
        ('date,kind\n"2027-02-06,closed\n', "bad_csv"),
        ('date,kind\n2027-02-06,"closed"x\n', "bad_csv"),
        ("date,kind\n" + "x" * 200_000 + ",closed\n", "bad_csv"),
        ("date,kind,name_zh\n2027-02-06,closed," + "假" * 101, "bad_name"),
        ('date,kind,name_zh\n2027-02-06,closed,"a\nb"', "bad_name"),
        ("date,kind,name_zh\n2027-02-06,closed,a\u202eb", "bad_name"),
        ("date,kind\n=cmd|' /C calc'!A0,closed\n", "bad_date"),
    ],
)
def test_a_csv_file_that_is_none_is_refused(text: str, code: str) -> None:
    report = read_csv(text)
    assert [found for _, found in bad(report)] == [code]
    assert report.days == {}


def test_a_file_of_nothing_but_bad_lines_is_not_told_line_by_line_for_ever() -> None:
    report = read_csv("date,kind\n" + "x,closed\n" * 5000)
    assert (len(report.bad), report.unreported) == (MOST_BAD, 5000 - MOST_BAD)


def test_a_day_of_hundreds_of_intervals_is_cut_short() -> None:
    minutes = [(hour, minute) for hour in range(24) for minute in range(0, 58, 2)]
    lines = [f"2027-01-01,open,{hour:02}:{minute:02},{hour:02}:{minute + 1:02}\n" for hour, minute in minutes]
    report = read_csv("date,kind,opens,closes\n" + "".join(lines))
    assert len(report.days["2027-01-01"]["hours"]) == MOST_INTERVALS
    assert {code for _, code in bad(report)} == {"too_many_intervals"}


def test_r89_an_ics_file_gives_days_off_and_make_up_days() -> None:
    report = read_ics(
        "\ufeff"
        + ics(
            "DTSTART;VALUE=DATE:20270206\r\nDTEND;VALUE=DATE:20270209\r\nSUMMARY:春节\r\nCATEGORIES:放假",
            "DTSTART;VALUE=DATE:20270214\r\nSUMMARY:春节补班（假期\r\n 调休）",
            "DTSTART;VALUE=DATE:20270501\r\nDURATION:P1D\r\nSUMMARY:Labour Day\r\nCATEGORIES:A\\,B,HOLIDAY",
            "DTSTART:20270502\r\nSUMMARY:x\r\nX-APPLE-SPECIAL-DAY:ALTERNATE-WORKDAY",
            "DTSTART;VALUE=DATE:20270503\r\nSUMMARY:Closed\r\nSTATUS:CANCELLED",
        )
    )
    assert bad(report) == []
    assert [(day["date"], day["kind"]) for day in report.days.values()] == [
        *((f"2027-02-0{n}", "closed") for n in (6, 7, 8)),
        ("2027-02-14", "open"),
        ("2027-05-01", "closed"),
        ("2027-05-02", "open"),
    ]
    assert report.days["2027-02-14"]["name_zh"] == "春节补班（假期调休）"
    assert report.days["2027-05-01"]["name_en"] == "Labour Day"


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ("DTSTART;VALUE=DATE:20270206\nSUMMARY:Team lunch", "bad_kind"),
        ("DTSTART;VALUE=DATE:20270206", "bad_kind"),
        ("SUMMARY:Holiday", "bad_date"),
        ("DTSTART:20270206T090000Z\nSUMMARY:Holiday", "bad_date"),
        ("DTSTART;VALUE=DATE:20270230\nSUMMARY:Holiday", "bad_date"),
        ("DTSTART;VALUE=DATE:20270206\nDTEND;VALUE=DATE:20270206\nSUMMARY:Holiday", "bad_date"),
        ("DTSTART;VALUE=DATE:20270206\nDTEND;VALUE=DATE:20270201\nSUMMARY:Holiday", "bad_date"),
        ("DTSTART;VALUE=DATE:20270206\nDTEND;VALUE=DATE:99991231\nSUMMARY:Holiday", "bad_date"),
        ("DTSTART;VALUE=DATE:20270206\nDURATION:P99D\nSUMMARY:Holiday", "bad_date"),
        ("DTSTART;VALUE=DATE:99991231\nSUMMARY:Holiday", "bad_date"),
        ("DTSTART;VALUE=DATE:19700101\nSUMMARY:Holiday", "year_out_of_range"),
        ("DTSTART;VALUE=DATE:20270206\nRRULE:FREQ=SECONDLY\nSUMMARY:Holiday", "recurring_event"),
    ],
)
def test_an_event_that_cannot_be_taken_is_reported_and_never_guessed(event: str, code: str) -> None:
    report = read_ics(ics("DTSTART;VALUE=DATE:20270101\nSUMMARY:元旦假期", event))
    assert bad(report) == [(7, code)]
    assert list(report.days) == ["2027-01-01"]


NESTED = "BEGIN:VCALENDAR\n" + "BEGIN:X\n" * 5000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "not a calendar",
        "BEGIN:VEVENT\nEND:VEVENT\n",
        "BEGIN:VCALENDAR\n",
        "BEGIN:VCALENDAR\nEND:VCALENDAR\n",
        "BEGIN:VCALENDAR\nEND:VEVENT\n",
        "END:VCALENDAR\n",
        "BEGIN:VCALENDAR\nEND:VCALENDAR\nEND:VCALENDAR\n",
        "BEGIN:VCALENDAR\nno colon at all\nEND:VCALENDAR\n",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:" + "x" * 20_000 + "\nEND:VEVENT\nEND:VCALENDAR\n",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:x" + "\n x" * 20_000 + "\nEND:VEVENT\nEND:VCALENDAR\n",
        NESTED,
        " BEGIN:VCALENDAR\n",
    ],
    ids=lambda text: text[:30],
)
def test_an_ics_file_that_is_none_is_refused(text: str) -> None:
    report = read_ics(text)
    assert [code for _, code in bad(report)] == ["bad_ics"]
    assert report.days == {}


def test_what_an_ics_file_holds_beside_all_day_events_is_passed_over() -> None:
    zone = "BEGIN:VTIMEZONE\nTZID:x\nBEGIN:STANDARD\nDTSTART:19700101T000000\nRRULE:FREQ=SECONDLY\nEND:STANDARD\n"
    alarm = "BEGIN:VALARM\nDTSTART;VALUE=DATE:20270105\nSUMMARY:工作\nEND:VALARM\n"
    event = f"BEGIN:VEVENT\nDTSTART;VALUE=DATE:20270101\nSUMMARY:元旦假期\n{alarm}END:VEVENT\n"
    report = read_ics(f"BEGIN:VCALENDAR\n{zone}END:VTIMEZONE\n{event}END:VCALENDAR\n")
    assert (bad(report), list(report.days)) == ([], ["2027-01-01"])


LINES = st.sampled_from(
    [
        *("BEGIN:VCALENDAR", "END:VCALENDAR", "BEGIN:VEVENT", "END:VEVENT", "SUMMARY:假期", "CATEGORIES:补班"),
        *("DTSTART;VALUE=DATE:20270101", "DTSTART:20270101T000000", "DTEND;VALUE=DATE:20270105", " folded", "", "\x00"),
        *('X;A="', "X;A=1:2", ";:", ":", "DURATION:P3D", "RRULE:x", "2027-01-01,closed", "date,kind", '"', "open,,,"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.lists(st.one_of(LINES, st.text(max_size=30)), max_size=40).map("\n".join), st.text()))
def test_no_text_brings_the_readers_down(text: str) -> None:
    for read in (read_csv, read_ics):
        report = read(text)
        bad(report)
        assert len(days_from(list(report.days.values()), "", (Span(0, 1),))) == len(report.days)
