"""Periods, zones and CSV cells, without a database."""

import csv
import io
import itertools
from datetime import UTC, datetime, timedelta

import pytest

from opsledger_runtime.errors import Invalid
from reporting.domain.periods import Period, read_instant, read_moment, read_period, read_zone
from reporting.tables import to_csv

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
SHANGHAI = read_zone("Asia/Shanghai")
BERLIN = read_zone("Europe/Berlin")


def test_days_are_days_of_the_zone_and_the_last_one_is_included() -> None:
    period = read_period("2026-11-01", "2026-11-02", SHANGHAI, NOW)
    assert period.begins == datetime(2026, 10, 31, 16, 0, tzinfo=UTC)
    assert period.ends == datetime(2026, 11, 2, 16, 0, tzinfo=UTC)
    assert period.described()["from"] == "2026-11-01T00:00:00+08:00"


def test_instants_are_taken_as_they_are() -> None:
    period = read_period("2026-11-01T08:00:00+08:00", "2026-11-01T00:00:01Z", SHANGHAI, NOW)
    assert period.ends - period.begins == timedelta(seconds=1)


def test_without_words_the_period_is_the_thirty_days_that_end_now() -> None:
    period = read_period(None, None, SHANGHAI, NOW)
    assert (period.begins, period.ends) == (datetime(2026, 10, 22, 16, 0, tzinfo=UTC), NOW)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2026-11-22T08:00:00", "offset"),
        ("2026-11-22T08:00:00 08:00", "%2B"),
        ("yesterday", "Give a day"),
        ("2026-02-30", "Give a day"),
        ("0001-01-01", "year"),
        ("9999-12-31T23:59:59-12:00", "year"),
        ("", "Give a day"),
        ("2026-11-22\n", "Give a day"),
        ("٢٠٢٦-١١-٢٢", "Give a day"),
    ],
)
def test_what_is_no_instant_is_refused_with_a_reason(text: str, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        read_instant("from", text, SHANGHAI)


def test_moment_of_a_day_is_its_end_or_now() -> None:
    assert read_moment("2026-11-21", SHANGHAI, NOW) == datetime(2026, 11, 21, 16, 0, tzinfo=UTC)
    assert read_moment("2026-11-22", SHANGHAI, NOW) == NOW
    assert read_moment("2026-11-22T03:59:59Z", SHANGHAI, NOW) == NOW - timedelta(seconds=1)
    for future in ("2026-11-23", "2026-11-22T04:00:01Z"):
        with pytest.raises(Invalid, match="future"):
            read_moment(future, SHANGHAI, NOW)


def test_period_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(Invalid, match="ends before"):
        read_period("2026-11-03", "2026-11-02", SHANGHAI, NOW)


@pytest.mark.parametrize("name", ["Mars/Olympus", "../../etc/passwd", "", "asia/shanghai\0", "/etc/localtime"])
def test_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="time zone"):
        read_zone(name)


def test_day_of_the_clock_change_has_25_hours() -> None:
    buckets = read_period("2026-10-24", "2026-10-26", BERLIN, NOW).buckets("day")
    assert [(found.ends - found.begins) / timedelta(hours=1) for found in buckets] == [24, 25, 24]


@pytest.mark.parametrize("step", ["day", "week", "month"])
def test_buckets_cover_the_period_without_gap_or_overlap(step: str) -> None:
    period = read_period("2025-12-25T10:00:00Z", "2026-03-02T10:00:00Z", SHANGHAI, NOW)
    buckets = period.buckets(step)  # type: ignore[arg-type]
    assert buckets[0].begins == period.begins
    assert buckets[-1].ends == period.ends
    assert all(one.ends == two.begins for one, two in itertools.pairwise(buckets))


def test_iso_weeks_belong_to_their_iso_year() -> None:
    buckets = read_period("2026-12-28", "2027-01-04", SHANGHAI, NOW).buckets("week")
    assert [found.label for found in buckets] == ["2026-W53", "2027-W01"]


def test_too_many_groups_are_refused() -> None:
    with pytest.raises(Invalid, match="400 days"):
        Period(NOW - timedelta(days=500), NOW, SHANGHAI).buckets("day")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_csv_cell_is_never_a_formula(text: str) -> None:
    lines = list(csv.reader(io.StringIO(to_csv(["group", "value"], [{"group": text, "value": -1}], {}), newline="")))
    assert lines[1] == [f"'{text}", "-1"]


def test_csv_keeps_chinese_quotes_and_line_ends_and_may_begin_with_a_mark() -> None:
    text = '网络组,"夜班"\n二线'
    found = to_csv(["group", "value"], [{"group": text, "value": None}], {"indicator": "mttr"}, bom=True)
    assert found.startswith("\ufeffgroup,value,indicator\r\n")
    assert list(csv.reader(io.StringIO(found[1:], newline="")))[1] == [text, "", "mttr"]


def test_csv_without_rows_keeps_its_columns() -> None:
    assert to_csv(["group", "value"], [], {"indicator": "mttr"}) == "group,value,indicator\r\n"
