"""The doors of calendars: holidays and exceptions in, each day with its reason out, files of exceptions."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from tests.support.service_levels import BASE, ServiceLevels, at

from sla.seed import DEFAULT_CALENDAR

ONE = "00000000-0000-7000-8000-000000000001"
TWO = "00000000-0000-7000-8000-000000000002"
THREE = "00000000-0000-7000-8000-000000000003"
NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
CHINA: dict[str, Any] = {
    "name": "办公时间",
    "time_zone": "Asia/Shanghai",
    "weekly": [
        {"day": day, "opens": opens, "closes": closes}
        for day in range(5)
        for opens, closes in (("09:00", "12:00"), ("13:30", "18:00"))
    ],
    "holidays": {"country": "CN"},
}
NEXT_YEAR = "date,kind,name_zh,name_en\n2027-02-11,closed,春节,\n2027-02-14,open,调休上班,Make-up day\n"


@pytest.fixture
async def china(levels: ServiceLevels) -> ServiceLevels:
    levels.running.clock.instant = NOW
    await levels.put(f"/calendars/{ONE}", CHINA)
    return levels


async def post(levels: ServiceLevels, path: str, body: Any, *, status: int = 200, **headers: str) -> Any:
    answer = await levels.http.post(BASE + path, json=body, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


async def days(levels: ServiceLevels, since: str, until: str) -> dict[str, Any]:
    found = await levels.get(f"/calendars/{ONE}/days?from={since}&to={until}")
    return {day["date"]: day for day in found}


async def test_r89_each_day_says_whether_it_works_and_why(china: ServiceLevels) -> None:
    found = await days(china, "2026-10-01", "2026-10-12")
    assert [day for day, said in found.items() if said["working"]] == [
        *("2026-10-08", "2026-10-09", "2026-10-10", "2026-10-12")
    ]
    assert found["2026-10-01"] == {
        "date": "2026-10-01",
        "weekday": 3,
        "working": False,
        "hours": [],
        "reason": "holiday",
        "name_zh": "国庆节",
        "name_en": "National Day",
        "provisional": False,
    }
    assert (found["2026-10-10"]["reason"], found["2026-10-10"]["name_zh"]) == ("make_up_day", "调休上班")
    assert found["2026-10-10"]["hours"][1] == {"opens": "13:30", "closes": "18:00"}
    assert (found["2026-10-11"]["reason"], found["2026-10-11"]["working"]) == ("weekly", False)
    assert (await days(china, "2027-01-04", "2027-01-04"))["2027-01-04"]["provisional"] is True
    assert len(await china.get(f"/calendars/{ONE}/days")) == 31


@pytest.mark.parametrize(
    "query",
    [
        *("from=2026-01-02&to=2026-01-01", "from=2026-01-01&to=2027-01-02", "from=1999-12-31&to=2000-01-01"),
        *("from=2100-12-30", "from=9999-12-31", "from=x", "to=2026-02-30", "from=2026-11-22&to=9999-12-31"),
    ],
)
async def test_days_that_cannot_be_shown_are_refused(china: ServiceLevels, query: str) -> None:
    await china.get(f"/calendars/{ONE}/days?{query}", status=422)
    await china.get(f"/calendars/{TWO}/days", status=404)


async def test_r89_a_calendar_says_how_far_it_is_confirmed_and_warns_before_that(china: ServiceLevels) -> None:
    found = await china.get(f"/calendars/{ONE}")
    assert found["confirmed_through"] == "2026-12-31"
    assert found["holidays"] == {
        "country": "CN",
        "subdivision": None,
        "library": "holidays",
        "version": found["holidays"]["version"],
        "from_year": 2024,
        "to_year": 2028,
        "known_through": "2026-12-31",
    }
    (warning,) = found["warnings"]
    assert warning["code"] == "confirmed_through_ends"
    assert "39" in warning["zh"]
    assert "39 days left" in warning["en"]
    later = {**CHINA, "confirmed_through": "2027-12-31"}
    again = await china.put(f"/calendars/{ONE}", later, status=200, headers={"If-Match": '"1"'})
    assert (again["warnings"], again["confirmed_through"]) == ([], "2027-12-31")
    assert (await china.get(f"/calendars/{DEFAULT_CALENDAR}"))["warnings"] == []


async def test_the_list_of_calendars_spares_their_days(china: ServiceLevels) -> None:
    items = (await china.get("/calendars"))["items"]
    assert all("days" not in item and "exceptions" not in item for item in items)
    assert {item["id"] for item in items} == {ONE, DEFAULT_CALENDAR}


async def test_r89_a_due_date_beyond_what_is_confirmed_is_marked(china: ServiceLevels) -> None:
    targets = [{"priority": 1, "response_seconds": 3600, "resolution_seconds": 40 * 27_000}]
    await china.put(f"/agreements/{TWO}", {"name": "x", "calendar": ONE, "targets": targets, "organisation": "acme"})
    await china.open()
    china.running.clock.instant = at(1)
    found = {clock["metric"]: clock for clock in (await china.get("/clocks"))["items"]}
    assert (found["response"]["due_at"], found["response"]["due_provisional"]) == ("2026-11-23T02:00:00Z", False)
    assert found["resolution"]["due_at"][:4] == "2027"
    assert found["resolution"]["due_provisional"] is True


async def test_r89_a_night_shift_can_be_defined(levels: ServiceLevels) -> None:
    nights = {**CHINA, "holidays": None, "weekly": [{"day": 6, "opens": "22:00", "closes": "06:00"}]}
    made = await levels.put(f"/calendars/{ONE}", nights)
    assert made["weekly"] == nights["weekly"]
    refused = await levels.put(
        f"/calendars/{TWO}",
        {**nights, "weekly": [*nights["weekly"], {"day": 0, "opens": "05:00", "closes": "09:00"}]},
        status=422,
        headers={"Accept-Language": "zh-CN"},
    )
    assert (refused["code"], refused["errors"][0]["pointer"]) == ("hours_overlap", "/weekly/1")
    assert refused["detail"].startswith("工作时段互相重叠")
    day = {"date": "2026-11-30", "kind": "open", "hours": [{"opens": "05:59", "closes": "09:00"}]}
    refused = await levels.put(f"/calendars/{TWO}", {**nights, "exceptions": [day]}, status=422)
    assert (refused["code"], refused["errors"][0]["pointer"]) == ("hours_overlap", "/exceptions")


@pytest.mark.parametrize(
    "change",
    [
        {"holidays": {"country": "XX"}},
        {"holidays": {"country": ""}},
        {"holidays": {"country": "CN", "subdivision": "x" * 41}},
        {"holidays": {"country": "DE", "subdivision": "BJ"}},
        {"holidays": {"country": "CN", "from_year": 2015}},
        {"holidays": {"country": "CN", "from_year": "2024"}},
        {"holidays": {}},
        {"holidays": "CN"},
        {"exceptions": [{"date": "2026-12-24"}]},
        {"exceptions": [{"date": "2026-12-24", "kind": "half"}]},
        {"exceptions": [{"date": "2026-12-24", "kind": "closed"}] * 2},
        {"exceptions": [{"date": "2026-12-24", "kind": "closed", "source": "library"}]},
        {"exceptions": [{"date": "2026-12-24", "kind": "closed", "name_zh": "x" * 101}]},
        {"exceptions": [{"date": 20261224, "kind": "closed"}]},
        {"exceptions": [{"date": "2026-12-24", "kind": "closed"}] * 2001},
        {"make_up_weekday": 7},
        {"make_up_weekday": True},
        {"confirmed_through": "2027"},
        {"confirmed_through": "1027-01-01"},
        {"days": []},
    ],
)
async def test_wrong_days_are_refused_with_a_problem(levels: ServiceLevels, change: dict[str, Any]) -> None:
    problem = await levels.put(f"/calendars/{ONE}", {**CHINA, **change}, status=422)
    assert problem["errors"]


async def test_a_calendar_closed_for_a_year_is_refused_with_an_agreement_on_it_or_without(china: ServiceLevels) -> None:
    weekly = [{"day": 0, "opens": "09:00", "closes": "10:00"}]
    rare = {**CHINA, "holidays": None, "weekly": weekly}
    await china.put(f"/calendars/{TWO}", rare)
    mondays = [date(2026, 11, 23) + timedelta(weeks=n) for n in range(60)]
    text = "date,kind\n" + "".join(f"{day},closed\n" for day in mondays)
    refused = await post(china, f"/calendars/{TWO}/exceptions/csv", {"text": text}, status=422)
    assert refused["code"] == "never_opens"
    targets = [{"priority": 1, "response_seconds": 3600}]
    await china.put(f"/agreements/{THREE}", {"name": "x", "calendar": TWO, "targets": targets, "service": "x"})
    refused = await post(china, f"/calendars/{TWO}/exceptions/csv", {"text": text}, status=409)
    assert refused["code"] == "target_out_of_reach"


async def test_r89_next_years_schedule_comes_from_a_file(china: ServiceLevels) -> None:
    body = {"text": "\ufeff" + NEXT_YEAR, "dry_run": True}
    tried = await post(china, f"/calendars/{ONE}/exceptions/csv", body)
    assert (tried["applied"], tried["lines"], tried["bad"]) == (False, 2, [])
    assert tried["changed"] == ["2027-02-11", "2027-02-14"]
    assert (await china.get(f"/calendars/{ONE}"))["revision"] == 1
    body = {"text": NEXT_YEAR, "confirmed_through": "2027-12-31"}
    done = await post(china, f"/calendars/{ONE}/exceptions/csv", body)
    assert (done["applied"], done["revision"]) == (True, 2)
    found = await days(china, "2027-02-11", "2027-02-14")
    assert (found["2027-02-11"]["reason"], found["2027-02-11"]["name_zh"]) == ("exception", "春节")
    assert found["2027-02-14"]["hours"][0] == {"opens": "09:00", "closes": "12:00"}
    assert found["2027-02-14"]["provisional"] is False
    again = await post(china, f"/calendars/{ONE}/exceptions/csv", {"text": NEXT_YEAR})
    assert (again["changed"], again["revision"]) == ([], 2)
    more = await post(
        china, f"/calendars/{ONE}/exceptions/csv", {"text": "date,kind\n2027-02-11,open\n2027-03-01,closed\n"}
    )
    assert (more["changed"], more["revision"]) == (["2027-02-11", "2027-03-01"], 3)
    exceptions = (await china.get(f"/calendars/{ONE}"))["exceptions"]
    assert [(one["date"], one["kind"]) for one in exceptions] == [
        ("2027-02-11", "open"),
        ("2027-02-14", "open"),
        ("2027-03-01", "closed"),
    ]
    assert (await china.get(f"/calendars/{ONE}"))["confirmed_through"] == "2027-12-31"


async def test_r89_an_ics_file_is_taken_as_well(china: ServiceLevels) -> None:
    event = "BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20270206\r\nDTEND;VALUE=DATE:20270213\r\nSUMMARY:春节假期\r\nEND:VEVENT"
    text = f"BEGIN:VCALENDAR\r\n{event}\r\nEND:VCALENDAR\r\n"
    done = await post(china, f"/calendars/{ONE}/exceptions/ics", {"text": text})
    assert len(done["days"]) == 7
    assert (await days(china, "2027-02-12", "2027-02-12"))["2027-02-12"]["name_zh"] == "春节假期"


async def test_a_file_with_a_bad_line_changes_nothing_and_names_it(china: ServiceLevels) -> None:
    text = NEXT_YEAR + "2027-02-30,closed,,\n2027-02-11,closed,,\n"
    refused = await post(china, f"/calendars/{ONE}/exceptions/csv", {"text": text}, status=422)
    assert refused["code"] == "bad_lines"
    assert [error["detail"].split(":")[0] for error in refused["errors"]] == ["Line 4", "Line 5"]
    tried = await post(china, f"/calendars/{ONE}/exceptions/csv", {"text": text, "dry_run": True})
    assert [(bad["line"], bad["code"]) for bad in tried["bad"]] == [(4, "bad_date"), (5, "day_twice")]
    assert tried["bad"][0]["detail_zh"].startswith("日期无法识别")
    assert (await china.get(f"/calendars/{ONE}"))["revision"] == 1


@pytest.mark.parametrize(
    "body",
    [{}, {"text": 1}, {"text": "x" * 300_001}, {"text": NEXT_YEAR, "dry_run": "no idea"}, {"file": NEXT_YEAR}, []],
)
@pytest.mark.parametrize("kind", ["csv", "ics"])
async def test_a_body_that_holds_no_file_is_refused(china: ServiceLevels, kind: str, body: Any) -> None:
    await post(china, f"/calendars/{ONE}/exceptions/{kind}", body, status=422)


async def test_files_go_to_calendars_only_and_from_those_who_define_them(china: ServiceLevels) -> None:
    path = f"/calendars/{ONE}/exceptions/csv"
    await post(china, f"/calendars/{TWO}/exceptions/csv", {"text": NEXT_YEAR}, status=404)
    await post(china, path, {"text": NEXT_YEAR}, status=403, **china.headers("agent"))
    await post(china, path, {"text": NEXT_YEAR}, status=403, **china.headers("lead", organisations=["acme"]))
    await post(china, path, {"text": NEXT_YEAR}, status=412, **{"If-Match": '"7"'})


async def test_two_imports_at_once_lose_nothing(china: ServiceLevels) -> None:
    path = f"/calendars/{ONE}/exceptions/csv"
    files = [f"date,kind\n2027-03-0{n},closed\n" for n in range(1, 6)]
    await asyncio.gather(*(post(china, path, {"text": text}) for text in files))
    assert len((await china.get(f"/calendars/{ONE}"))["exceptions"]) == 5


async def test_calendars_equal_their_rebuild(china: ServiceLevels) -> None:
    await post(china, f"/calendars/{ONE}/exceptions/csv", {"text": NEXT_YEAR})
    assert await china.rebuild() == await china.digests()
