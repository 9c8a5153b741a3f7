"""Documents to bodies: metadata, durations, the calendar that is meant; and what of a definition is different."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from opsledger.applying_difference import as_compared, changes, wanted
from opsledger.applying_documents import Defined, Document, documents, id_of, named, seconds_of, shown_seconds
from opsledger.applying_words import visible, worded
from opsledger.applying_yaml import Unusable, read
from opsledger_events.contexts.sla import AgreementDefined, CalendarDefined

NOW = datetime(2026, 11, 23, tzinfo=UTC)
ID = UUID("00000000-0000-7000-8000-00000000ca1e")


def agreement(spec: str, metadata: str = "name: gold") -> str:
    return f"apiVersion: opsledger/v1\nkind: Agreement\nmetadata: {{{metadata}}}\nspec: {spec}\n"


def calendar(spec: str, metadata: str = "name: office") -> str:
    return f"apiVersion: opsledger/v1\nkind: Calendar\nmetadata: {{{metadata}}}\nspec: {spec}\n"


def found(*texts: str) -> list[Document]:
    return documents(read("---\n".join(texts), "f.yaml"))


def targets(text: str) -> Any:
    (one,) = found(agreement(f"{{targets: [{text}]}}"))
    return one.spec.plain()["targets"]


def refused(*texts: str) -> list[str]:
    with pytest.raises(Unusable) as caught:
        found(*texts)
    assert all(worded(trouble, "zh") for trouble in caught.value.troubles)
    return [f"{trouble.code} {trouble.place}" for trouble in caught.value.troubles]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("15m", 900), ("4h", 14_400), ("1h30m", 5_400), ("90s", 90), ("100h", 360_000), ("1h0m1s", 3_601), ("0m", 0)],
)
def test_durations_are_seconds(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds
    assert seconds_of(shown_seconds(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *((one, "days") for one in ("2d", "1 day", "3 days", "2w", "1d4h", "1.5d", "2天")),
        *((one, "no_duration") for one in ("", "4", "h", "1.5h", "-1h", "30m1h", "1h 30m", "15 minutes", "PT4H", "٣h")),
    ],
)
def test_what_is_no_duration_is_refused(text: str, code: str) -> None:
    assert [one.split()[0] for one in refused(agreement(f"{{targets: [{{response: '{text}'}}]}}"))] == [code]


def test_targets_become_what_the_platform_takes() -> None:
    given = "{priority: 1, response: 15m, resolution: {working_days: 1, at: 16:00}, update_seconds: 60, owned_by: null}"
    assert targets(given) == [
        {
            "priority": 1,
            "response_seconds": 900,
            "resolution_by": {"working_days": 1, "at": "16:00"},
            "update_seconds": 60,
            "owned_by": None,
        }
    ]
    assert targets("3, {anything: 1m}") == [3, {"anything_seconds": 60}]


def test_a_metric_is_given_once_and_every_wrong_one_is_named() -> None:
    text = agreement("\n  targets:\n  - {response: 1m, response_seconds: 60}\n  - {a: 2d, b: 5, c: [1]}")
    places = ("f.yaml:6:20", "f.yaml:7:9", "f.yaml:7:16", "f.yaml:7:22")
    codes = ("metric_twice", "days", "no_duration", "no_duration")
    assert refused(text) == [f"{code} {place}" for code, place in zip(codes, places, strict=True)]


def test_days_are_refused_with_what_to_write() -> None:
    with pytest.raises(Unusable) as caught:
        found(agreement("{targets: [{resolution: 2d}]}"))
    assert worded(caught.value.troubles[0], "en") == (
        "f.yaml:4:31: 2d may mean 24 hours or a working day. Write hours, such as resolution: 48h, or resolution: "
        '{working_days: 2, at: "16:00"}.'
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[]", "no_mapping f.yaml:1:1"),
        ("just text", "no_mapping f.yaml:1:1"),
        ("apiVersion: opsledger/v1\n", "missing_field f.yaml:1:1"),
        (calendar("{}").replace("v1", "v2"), "api_version f.yaml:1:13"),
        (calendar("{}").replace("Calendar", "Pod"), "kind f.yaml:2:7"),
        (calendar("{}").replace("Calendar", "[a]"), "kind f.yaml:2:7"),
        (calendar("{}") + "status: {}\n", "unknown_field f.yaml:5:1"),
        (calendar("{}", "name: a, labels: {}"), "unknown_field f.yaml:3:21"),
        (calendar("{}", ""), "name f.yaml:3:11"),
        (calendar("{}", "name: Office"), "name f.yaml:3:18"),
        (calendar("{}", "name: 办公"), "name f.yaml:3:18"),
        (calendar("{}", "name: -a"), "name f.yaml:3:18"),
        (calendar("{}", "name: 5"), "name f.yaml:3:18"),
        (calendar("{}", f"name: {'a' * 64}"), "name f.yaml:3:18"),
        (calendar("{}", "name: a, id: b"), "no_id f.yaml:3:25"),
        (calendar("{}", "name: a, id: [b]"), "no_id f.yaml:3:25"),
        (calendar("[]"), "no_mapping f.yaml:4:7"),
        (calendar(""), "no_mapping f.yaml:4:6"),
    ],
)
def test_a_document_that_is_none_is_refused_with_its_place(text: str, expected: str) -> None:
    assert refused(text) == [expected]


def test_a_document_is_given_once_by_name_and_by_id() -> None:
    assert refused(calendar("{}"), calendar("{}")) == ["document_twice f.yaml:6:1"]
    assert refused(calendar("{}", f"name: a, id: {ID}"), calendar("{}", f"name: b, id: {ID}")) == [
        "document_twice f.yaml:6:1"
    ]
    found(calendar("{}", "name: same"), agreement("{}", "name: same"))


def test_the_id_is_derived_or_given_and_the_name_is_shown_where_no_other_is() -> None:
    (derived, given) = found(calendar("{}"), calendar("{name: 办公}", f"name: b, id: {ID}"))
    assert (derived.id, derived.spec.plain()) == (id_of("calendar", "office"), {"name": "office"})
    assert (given.id, given.spec.plain()) == (ID, {"name": "办公"})


def test_calendars_come_before_agreements() -> None:
    assert [one.label for one in found(agreement("{}"), calendar("{}", "name: z"), calendar("{}", "name: a"))] == [
        "calendar/z",
        "calendar/a",
        "agreement/gold",
    ]


DEFINED = [Defined(ID, "办公"), Defined(UUID(int=7), "twice"), Defined(UUID(int=8), "twice")]
DEFINED += [Defined(id_of("calendar", "before"), "x")]


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("office", str(id_of("calendar", "office"))),
        ("before", str(id_of("calendar", "before"))),
        ("办公", str(ID)),
        (str(UUID(int=9)).upper(), str(UUID(int=9))),
        ("twice", "several_calendars"),
        ("nowhere", "no_such_calendar"),
    ],
)
def test_a_calendar_is_meant_by_key_by_id_or_by_its_only_name(reference: str, expected: str) -> None:
    given = found(calendar("{}"), agreement(f"{{calendar: {reference}}}"))
    try:
        meant = named(given, DEFINED)[1].spec.plain()["calendar"]
    except Unusable as error:
        (trouble,) = error.troubles
        meant = trouble.code
        assert str(trouble.place) == "f.yaml:9:18"
    assert meant == expected


def differences(text: str, before: dict[str, Any] | None, language: str = "en") -> list[str]:
    (one,) = found(text)
    shown = None if before is None else as_compared(one.kind, before)
    return [str(change) for change in changes(shown, wanted(one, before, NOW, language), {str(ID): "office"}, language)]


def agreement_shown(**given: Any) -> dict[str, Any]:
    whole = {"name": "gold", "calendar": str(ID), "targets": [], "pausing_reasons": [], "warning_percent": []}
    return {"id": "x", **AgreementDefined(**{**whole, **given}, revision=1).model_dump(mode="json")}


def test_a_difference_is_told_by_field_and_priority() -> None:
    text = agreement(f"{{calendar: {ID}, targets: [{{priority: 2, response: 1h}}, {{priority: 1, resolution: 2h}}]}}")
    before = agreement_shown(targets=[{"priority": 1, "resolution_seconds": 14_400, "response_seconds": None}])
    assert differences(text, before) == ["targets.P1.resolution  4h → 2h", "targets.P2.response  1h"]
    assert differences(text, None)[:2] == ["name  gold", "calendar  office"]


def test_a_working_day_reads_as_people_say_it() -> None:
    by = "{working_days: 1, at: 16:00}"
    text = agreement(f"{{calendar: {ID}, reopen: restart, targets: [{{priority: 1, response: {by}, update: 1h}}]}}")
    rows = [{"priority": 1, "response_by": {"working_days": 2, "at": None}, "update_by": {"working_days": 1}}]
    assert differences(text, agreement_shown(targets=rows)) == [
        "reopen  continue → restart",
        "targets.P1.response  working day 2 at closing → working day 1 16:00",
        "targets.P1.update  working day 1 at closing → 1h",
    ]
    told = differences(text, agreement_shown(targets=rows), "zh")
    assert told[1] == "targets.P1.response  第 2 个工作日 下班时 → 第 1 个工作日 16:00"


def test_order_of_targets_and_what_is_left_out_is_no_difference() -> None:
    rows = [{"priority": 1, "response_seconds": 60}, {"priority": 2, "response_seconds": 120}]
    targets = "[{priority: 2, response: 2m}, {priority: 1, response: 60s}]"
    text = agreement(f"{{calendar: {ID}, targets: {targets}, warning_percent: [75, 50]}}")
    before = agreement_shown(targets=rows, warning_percent=[50, 75])
    assert differences(text, before) == []
    assert differences(text, {**before, "organisation": "acme"}) == ["organisation  acme → –"]


def test_fields_that_only_the_platform_knows_are_compared_too() -> None:
    text = agreement(f"{{calendar: {ID}, targets: [], newer: {{a: 1}}}}")
    assert differences(text, agreement_shown()) == ["newer.a  1"]
    assert differences(text, {**agreement_shown(), "newer": {"a": 1}}) == []


def test_what_the_platform_would_not_read_is_refused_with_its_line() -> None:
    text = agreement(f"\n  calendar: {ID}\n  targets:\n  - {{priority: high, response: 1m}}")
    with pytest.raises(Unusable) as caught:
        differences(text, None)
    assert [worded(one, "en") for one in caught.value.troubles] == [
        "f.yaml:7:6: /targets/0/priority: Input should be a valid integer"
    ]


OFFICE = "{time_zone: Asia/Shanghai, weekly: [{day: 0, opens: 09:00, closes: 18:00}], holidays: {country: CN}}"


def calendar_shown(text: str) -> dict[str, Any]:
    (one,) = found(text)
    return {
        "id": "x",
        "warnings": [],
        **CalendarDefined(**wanted(one, None, NOW, "en") | {"always_open": False}, revision=1).model_dump(mode="json"),
    }


def test_days_that_come_and_go_are_counted_and_the_first_are_shown() -> None:
    before = calendar_shown(calendar(OFFICE))
    assert differences(calendar(OFFICE), before) == []
    exceptions = "exceptions: [{date: 2026-12-25, kind: closed, name_zh: 圣诞, name_en: Christmas}]}"
    told = differences(calendar(OFFICE[:-1] + ", " + exceptions), before)
    count = len(before["days"])
    assert told == [
        "exceptions  1  +1 (2026-12-25 closed Christmas)",
        f"days  {count} → {count + 1}  +1 (2026-12-25 closed Christmas)",
    ]
    gone = differences(calendar(OFFICE.replace(", holidays: {country: CN}", "")), before, "zh")
    assert f"days  {count} → 0  -{count} (2024-01-01 closed 元旦, " in gone[-1]
    assert f"……另有 {count - 3} 个)" in gone[-1]


def test_midnight_is_no_difference_however_it_is_written() -> None:
    text = calendar("{time_zone: UTC, weekly: [{day: 1, opens: 20:00, closes: 24:00}]}")
    assert differences(text.replace("24:00", "00:00"), calendar_shown(text)) == []


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("\n  time_zone: Mars", "f.yaml:5:3: 'Mars' is no time zone. Use an IANA name such as Asia/Shanghai"),
        (
            "\n  time_zone: UTC\n  weekly:\n  - {day: 0, opens: 9, closes: 18:00}",
            "f.yaml:7:14: /weekly/0/opens: Input should be a valid string",
        ),
        (
            "\n  time_zone: UTC\n  weekly:\n  - {day: 0, opens: 9:00, closes: 18:00}",
            "f.yaml:7:14: '9:00' is no time of day. Write HH:MM",
        ),
        ("{}", "f.yaml:4:7: /time_zone: Field required"),
    ],
)
def test_a_calendar_that_cannot_be_is_refused_before_anything_is_sent(spec: str, sentence: str) -> None:
    with pytest.raises(Unusable) as caught:
        differences(calendar(spec), None)
    (trouble,) = caught.value.troubles
    assert worded(trouble, "en").startswith(sentence)


def test_a_field_of_a_calendar_that_is_unknown_here_is_a_difference_and_so_is_sent() -> None:
    text = calendar("{time_zone: UTC, always_open: true, newer: 1}")
    assert "newer  1" in differences(text, None)


def test_nothing_that_a_terminal_obeys_is_shown() -> None:
    assert visible("a\x1b[2Jb\u202e中\n") == "a\\u001b[2Jb\\u202e中\\u000a"
