"""The reader of ServiceNow logs: what is no log is refused with a sentence, a damaged row spoils no other."""

from io import BytesIO
from itertools import pairwise
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.histories import INVENTED, LISBON, LOGS, NOW, log_of, rows_of

from incident.importing.history import NoHistory
from incident.importing.local_time import zone
from incident.importing.records import LONGEST
from incident.importing.servicenow import NEEDED, ServiceNow
from opsledger_events.names import is_name, is_opaque_id


@pytest.mark.parametrize("log", LOGS, ids=str)
def test_every_row_of_a_sound_log_is_read(log: object) -> None:
    rows, damaged = rows_of(log.read_bytes())  # type: ignore[attr-defined]
    assert damaged == []
    assert [row.line for row in rows] == list(range(2, len(rows) + 2))
    for row in rows:
        assert all(is_opaque_id(one) for one in (row.team, row.assignee, row.requester, row.actor) if one is not None)
        assert all(is_name(one) for one in (row.title, row.category, row.configuration_item) if one is not None)


def test_what_a_row_says_is_mapped() -> None:
    cells = {"caller_id": "Caller 2403", "assignment_group": "Group 56", "opened_by": "Opened by  8", "cmdb_ci": "?"}
    cells |= {"u_symptom": "Symptom 72", "category": "Category 55", "subcategory": "Subcategory 170"}
    (row,), _ = rows_of(log_of({**cells, "location": "Location 143", "impact": "1 - High", "urgency": "3 - Low"}))
    assert row.title == "Symptom 72 · Category 55 / Subcategory 170"
    assert (row.requester, row.team, row.assignee) == ("caller-2403", "group-56", None)
    assert (row.impact, row.urgency, row.priority, row.channel) == (1, 3, 3, "phone")
    assert (row.category, row.configuration_item) == ("Category 55 / Subcategory 170", None)
    assert row.resolution == "closed_code: code 5"
    assert row.description == "servicenow INC9000001\nLocation: Location 143\nOpened by: Opened by 8"


@pytest.mark.parametrize(
    ("written", "standing", "reason"),
    [
        ("New", "new", None),
        ("Active", "active", None),
        ("Awaiting User Info", "held", "awaiting_requester"),
        ("Awaiting Vendor", "held", "awaiting_vendor"),
        ("Awaiting Problem", "held", "awaiting_problem"),
        ("Awaiting Evidence", "held", "awaiting_evidence"),
        ("Resolved", "resolved", None),
        ("Closed", "closed", None),
        ("Canceled", "cancelled", None),
        ("-100", None, None),
    ],
)
def test_every_state_of_the_source_has_its_place(written: str, standing: str | None, reason: str | None) -> None:
    (row,), _ = rows_of(log_of({"incident_state": written}))
    assert row.standing == standing
    assert reason is None or row.hold_reason == reason


def test_names_that_no_id_can_spell_stay_apart() -> None:
    groups = ["网络组", "服务台", "Network (EMEA)", "Network [EMEA]", "x" * 300, "x" * 301, "a b", "a-b", "…"]
    rows, _ = rows_of(log_of(*({"assignment_group": group} for group in groups)))
    teams = [row.team for row in rows]
    assert all(team is not None and is_opaque_id(team) for team in teams)
    assert len(set(teams)) == len(groups) - 1, "a space and a hyphen are the same"


def test_what_is_filled_in_afterwards_is_no_part_of_a_rows_identity() -> None:
    early = {"closed_code": "?", "resolved_by": "?", "resolved_at": "?", "closed_at": "?", "made_sla": "FALSE"}
    before, _ = rows_of(log_of(early))
    after, _ = rows_of(log_of({}))
    other, _ = rows_of(log_of({"sys_mod_count": "7"}))
    assert before[0].identity == after[0].identity != other[0].identity


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("number", "?", "has no number"),
        ("number", "x" * 300, "has a number that is no visible line"),
        ("incident_state", "Sleeping", "incident_state is not known: 'Sleeping'"),
        ("incident_state", "?", "incident_state is not known: '?'"),
        ("sys_updated_at", "?", "sys_updated_at is unknown"),
        ("sys_updated_at", "2016-02-29 01:16", "sys_updated_at is not written as 29-02-2016 01:16"),
        ("sys_updated_at", "30-02-2016 01:16", "sys_updated_at is no date"),
        ("sys_updated_at", "01-03-2016 24:16", "sys_updated_at is no date"),
        ("sys_updated_at", "٠١-03-2016 09:16", "sys_updated_at is not written as"),
        ("sys_updated_at", "01-03-0001 09:16", "sys_updated_at is not of this age"),
        ("sys_updated_at", "01-03-9999 09:16", "sys_updated_at is not of this age"),
        ("sys_updated_at", "01-03-2027 09:16", "sys_updated_at lies in the future"),
        ("opened_at", "01-03-2027 09:16", "opened_at lies in the future"),
        ("impact", "4 - None", "impact is none of 1 to 3"),
        ("priority", "six", "priority is none of 1 to 5"),
        ("reassignment_count", "-1", "reassignment_count is no count"),
        ("reopen_count", "9999999", "reopen_count is no count"),
    ],
)
def test_a_damaged_row_is_named_with_its_line_and_the_rest_goes_in(column: str, value: str, why: str) -> None:
    rows, damaged = rows_of(log_of({}, {column: value}, {}))
    assert [row.line for row in rows] == [2, 4]
    assert [(one.line, one.why.startswith(why)) for one in damaged] == [(3, True)], damaged


GOOD = log_of({}).splitlines(keepends=True)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"only,three,cells\n", "has 3 cells instead of 36"),
        (GOOD[1].replace(b"Phone", b"Ph\0ne"), "holds a NUL"),
        (GOOD[1].replace(b"Phone", "Téléphone".encode("latin-1")), "is not text in UTF-8"),
        (GOOD[1].replace(b"Phone", b"x" * 10_000_000), "is longer than 1 MiB"),
        (GOOD[1].replace(b"Phone", b'"' + b"x" * 10_000_000 + b'"'), "is longer than 1 MiB"),
        (GOOD[1].replace(b"Phone", b'"' + b"x" * 500_000 + b'"'), "field larger than field limit"),
        (GOOD[1].replace(b"Phone", b'"Phone'), "holds a quote that does not end well"),
        (GOOD[1].replace(b"Phone", b'"Pho"ne'), "',' expected after '\"'"),
        (GOOD[0], "repeats the header"),
    ],
)
def test_a_broken_line_spoils_no_other(line: bytes, why: str) -> None:
    rows, damaged = rows_of(b"".join([GOOD[0], GOOD[1], line, GOOD[1], GOOD[1]]))
    assert [row.line for row in rows] == [2, 4, 5]
    assert [(one.line, one.why.startswith(why)) for one in damaged] == [(3, True)], damaged


def test_a_quoted_cell_may_hold_lines_and_commas() -> None:
    several = GOOD[1].replace(b"Location 1", b'"Floor 1,\r\nroom ""2"""')
    rows, damaged = rows_of(b"\xef\xbb\xbf" + GOOD[0] + several + b"\r\n \n" + GOOD[1])
    assert damaged == []
    assert [row.line for row in rows] == [2, 6]
    assert 'Floor 1, room "2"' in rows[0].description


def test_a_stray_quote_at_the_end_costs_its_own_line_alone() -> None:
    rows, damaged = rows_of(b"".join([GOOD[0], GOOD[1].replace(b"Phone", b'"Phone'), *[GOOD[1]] * 50_000]))
    assert (len(rows), [one.line for one in damaged]) == (50_000, [2])
    assert sum(map(len, GOOD)) * 50_000 > LONGEST


@pytest.mark.parametrize(
    ("log", "sentence"),
    [
        (b"", "The file is empty."),
        (b"\n\n", "The file is empty."),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "This is no log of ServiceNow|is no CSV in UTF-8"),
        (b"\0\0\0\0", "its line 1 holds a NUL"),
        (INVENTED.read_text().encode("utf-16"), "is no CSV in UTF-8: its line 1"),
        (INVENTED.read_text().encode("utf-16-be"), "is no CSV in UTF-8: its line 1"),
        (b"x" * 3_000_000, "its line 1 is longer than 1 MiB"),
        (b"number,incident_state,number\n", "stand in the header more than once: number"),
        (b"number;incident_state\n", "These columns are missing: number, incident_state, opened_at"),
        (b"number,incident_state\n1,New\n", "These columns are missing: opened_at, sys_updated_at, assignment_group"),
    ],
)
def test_what_is_no_log_is_refused_with_a_sentence(log: bytes, sentence: str) -> None:
    with pytest.raises(NoHistory, match=sentence):
        rows_of(log)


@pytest.mark.parametrize("column", NEEDED)
def test_each_column_that_is_needed_is_missed_by_name(column: str) -> None:
    names = INVENTED.read_text().splitlines()[0].split(",")
    with pytest.raises(NoHistory, match=f"These columns are missing: {column}."):
        rows_of(log_of({}, header=[name for name in names if name != column]))


def test_the_other_columns_may_be_missing() -> None:
    rows, damaged = rows_of(log_of({}, header=NEEDED))
    assert damaged == []
    assert rows[0].title == "INC9000001"


def test_local_times_around_a_change_of_clocks_are_decided_and_said() -> None:
    times = ("27-03-2016 01:30", "30-10-2016 01:30", "30-10-2016 02:30")
    rows, _ = rows_of(log_of(*({"opened_at": "01-01-2016 00:00", "sys_updated_at": at} for at in times)))
    assert [(f"{row.at:%d %H:%M}", row.doubts) for row in rows] == [
        ("27 01:30", ("missing_time",)),  # as if clocks had not been put forward
        ("30 00:30", ("ambiguous_time",)),  # the first of the two
        ("30 02:30", ()),
    ]


@pytest.mark.parametrize("name", ["Europe/Atlantis", "", "../etc/passwd", "/etc/passwd", "x" * 300, "\0", "Europe"])
def test_a_zone_that_is_none_is_refused_with_a_sentence(name: str) -> None:
    with pytest.raises(ValueError, match=r"^There is no time zone .*Europe/Lisbon\.$"):
        zone(name)


@given(st.binary(max_size=400), st.integers(0, 5000))
def test_whatever_bytes_stand_in_a_log_the_lines_before_them_are_read(spoilt: bytes, at: int) -> None:
    log = INVENTED.read_bytes()
    at = len(GOOD[0]) + at
    before = log[:at].count(b"\n") - 1
    rows, damaged = rows_of(log[:at] + spoilt + log[at:])
    lines = [row.line for row in rows]
    assert set(range(2, before)) <= set(lines)
    assert all(first < second for first, second in pairwise(lines))
    assert not set(lines) & {one.line for one in damaged}


def test_a_log_is_read_as_it_comes() -> None:
    """Rows are handed on before the file has been read to its end."""

    class Endless(BytesIO):
        def readline(self, size: int | None = -1) -> bytes:
            return super().readline(size) or GOOD[1]

    source: BinaryIO = Endless(GOOD[0])
    rows = ServiceNow(LISBON, NOW).read(source)
    assert [next(rows).line for _ in range(5)] == [2, 3, 4, 5, 6]
