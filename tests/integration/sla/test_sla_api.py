"""The doors of sla: definitions, clocks, and whatever should not get in."""

from typing import Any
from urllib.parse import quote

import pytest
from tests.support.service_levels import BASE, ServiceLevels, at

from opsledger_events.contexts.incident import IncidentHeld, IncidentResolved
from sla.seed import DEFAULT_AGREEMENT, DEFAULT_CALENDAR, seed_store

OFFICE: dict[str, Any] = {
    "name": "办公时间 🏢",
    "time_zone": "Asia/Shanghai",
    "weekly": [
        {"day": day, "opens": opens, "closes": closes}
        for day in range(5)
        for opens, closes in (("09:00", "12:00"), ("13:30", "18:00"))
    ],
}
GOLD: dict[str, Any] = {
    "name": "金牌 / Gold",
    "calendar": DEFAULT_CALENDAR,
    "targets": [{"priority": 1, "response_seconds": 900, "resolution_seconds": 14400}],
    "organisation": "acme",
}
ONE = "00000000-0000-7000-8000-000000000001"
TWO = "00000000-0000-7000-8000-000000000002"


async def test_r89_a_new_installation_has_marked_defaults(levels: ServiceLevels) -> None:
    (calendar,) = (await levels.get("/calendars"))["items"]
    (agreement,) = (await levels.get("/agreements"))["items"]
    assert (calendar["id"], calendar["default"], calendar["always_open"]) == (DEFAULT_CALENDAR, True, True)
    assert (agreement["id"], agreement["default"]) == (DEFAULT_AGREEMENT, True)
    assert agreement["name"] == "默认协议 / Default agreement"
    assert agreement["targets"][4] == {"priority": 5, "response_seconds": 28800, "resolution_seconds": 432000}
    await seed_store(levels.running.store)
    assert await levels.running.pool.fetchval("select count(*) from es.event") == 2


async def test_a_seed_leaves_alone_what_somebody_changed(levels: ServiceLevels) -> None:
    body = {"name": "Ours", "time_zone": "UTC", "always_open": True}
    await levels.put(f"/calendars/{DEFAULT_CALENDAR}", body, status=200, headers={"If-Match": '"1"'})
    await seed_store(levels.running.store)
    found = await levels.get(f"/calendars/{DEFAULT_CALENDAR}")
    assert (found["name"], found["revision"], found["default"]) == ("Ours", 2, True)


async def test_a_definition_is_made_read_and_replaced(levels: ServiceLevels) -> None:
    made = await levels.http.put(f"{BASE}/calendars/{ONE}", json=OFFICE)
    assert (made.status_code, made.headers["etag"], made.headers["location"]) == (201, '"1"', f"{BASE}/calendars/{ONE}")
    assert made.headers["opsledger-position"].startswith("sla:")
    read = await levels.http.get(f"{BASE}/calendars/{ONE}")
    assert read.headers["etag"] == '"1"'
    nothing = {"holidays": None, "exceptions": [], "make_up_weekday": None, "days": [], "confirmed_through": None}
    plain = {**OFFICE, **nothing, "id": ONE, "always_open": False, "default": False, "revision": 1, "warnings": []}
    assert read.json() == made.json() == plain
    await levels.put(f"/calendars/{ONE}", OFFICE, status=428)
    await levels.put(f"/calendars/{ONE}", OFFICE, status=412, headers={"If-Match": '"7"'})
    await levels.put(f"/calendars/{TWO}", OFFICE, status=412, headers={"If-Match": '"1"'})
    changed = await levels.put(f"/calendars/{ONE}", {**OFFICE, "name": "新"}, status=200, headers={"If-Match": '"1"'})
    assert (changed["revision"], changed["name"]) == (2, "新")
    same = await levels.put(f"/calendars/{ONE}", {**OFFICE, "name": "新"}, status=200, headers={"If-Match": '"2"'})
    assert same["revision"] == 2


async def test_a_repeated_key_gets_the_first_answer(levels: ServiceLevels) -> None:
    key = {"Idempotency-Key": "again"}
    first = await levels.put(f"/agreements/{ONE}", GOLD, headers=key)
    assert await levels.put(f"/agreements/{ONE}", GOLD, headers=key) == first
    await levels.put(f"/agreements/{ONE}", {**GOLD, "name": "x"}, status=422, headers=key)


async def test_two_agreements_cannot_take_one_selector(levels: ServiceLevels) -> None:
    await levels.put(f"/agreements/{ONE}", GOLD)
    refused = await levels.put(f"/agreements/{TWO}", {**GOLD, "name": "Silver"}, status=409)
    assert refused["code"] == "selector_taken"
    await levels.put(f"/agreements/{TWO}", {**GOLD, "organisation": None}, status=409)
    await levels.put(f"/agreements/{TWO}", {**GOLD, "service": "core"})


async def test_an_id_means_one_thing(levels: ServiceLevels) -> None:
    await levels.put(f"/calendars/{ONE}", OFFICE)
    refused = await levels.put(f"/agreements/{ONE}", GOLD, status=409, headers={"If-Match": '"1"'})
    assert refused["code"] == "id_taken"


async def test_a_calendar_cannot_be_closed_under_the_agreements_that_need_it(levels: ServiceLevels) -> None:
    await levels.put(f"/calendars/{ONE}", OFFICE)
    await levels.put(
        f"/agreements/{ONE.replace('1', '3')[:-1]}3",
        {**GOLD, "calendar": ONE, "targets": [{"priority": 1, "resolution_seconds": 40_000_000}]},
    )
    rare = {**OFFICE, "weekly": [{"day": 0, "opens": "09:00", "closes": "09:01"}]}
    refused = await levels.put(f"/calendars/{ONE}", rare, status=409, headers={"If-Match": '"1"'})
    assert refused["code"] == "target_out_of_reach"


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "x" * 201},
        {"name": 7},
        {"name": None},
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "../../../etc/passwd"},
        {"time_zone": "Asia/Shanghai "},
        {"weekly": []},
        {"weekly": None},
        {"weekly": [{}]},
        {"weekly": [{"day": "0", "opens": "09:00", "closes": "10:00"}]},
        {"weekly": [{"day": 10**12, "opens": "09:00", "closes": "10:00"}]},
        {"weekly": [{"day": 0, "opens": "9", "closes": "10:00"}]},
        {"weekly": [{"day": 0, "opens": "09:00", "closes": "10:00", "x": 1}]},
        {"weekly": [{"day": 0, "opens": "09:00", "closes": "10:00"}] * 2},
        {"weekly": [{"day": 0, "opens": "09:00", "closes": "10:00"}] * 300},
        {"always_open": True},
        {"always_open": "perhaps"},
        {"extra": 1},
    ],
)
async def test_a_wrong_calendar_is_refused_with_a_problem(levels: ServiceLevels, change: dict[str, Any]) -> None:
    problem = await levels.put(f"/calendars/{ONE}", {**OFFICE, **change}, status=422)
    assert problem["errors"]
    assert problem["title"]


@pytest.mark.parametrize(
    "change",
    [
        {"calendar": ONE},
        {"calendar": "always"},
        {"targets": []},
        {"targets": [{"priority": 1}]},
        {"targets": [{"priority": 1, "response_seconds": 0}]},
        {"targets": [{"priority": 1, "response_seconds": 1.5}]},
        {"targets": [{"priority": 1, "response_seconds": 10**12}]},
        {"targets": [{"priority": 9, "response_seconds": 5}]},
        {"targets": [{"priority": 1, "response_seconds": 5}] * 2},
        {"targets": {"priority": 1}},
        {"warning_percent": [101]},
        {"warning_percent": [True]},
        {"pausing_reasons": ["no slug"]},
        {"pausing_reasons": ["a"] * 51},
        {"organisation": ""},
        {"service": "x" * 300},
        {"default": True},
    ],
)
async def test_a_wrong_agreement_is_refused_with_a_problem(levels: ServiceLevels, change: dict[str, Any]) -> None:
    problem = await levels.put(f"/agreements/{ONE}", {**GOLD, **change}, status=422)
    assert problem["errors"]


@pytest.mark.parametrize(
    "query",
    [
        "state=open",
        "metric=x",
        "limit=0",
        "limit=9999",
        "limit=x",
        "cursor=garbage",
        "cursor=WzFd",
        f"incident={'x' * 300}",
        "incident=%00",
    ],
)
async def test_filters_that_mean_nothing_are_refused(levels: ServiceLevels, query: str) -> None:
    answer = await levels.http.get(f"{BASE}/clocks?{query}")
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")


@pytest.mark.parametrize("path", ["/clocks/1", "/calendars/x", "/agreements/'--", "/clocks/" + "x" * 500])
async def test_ids_that_are_none_are_refused(levels: ServiceLevels, path: str) -> None:
    answer = await levels.http.get(BASE + quote(path))
    assert answer.status_code in (404, 422)


async def test_unknown_ids_are_not_found(levels: ServiceLevels) -> None:
    for path in (f"/clocks/{ONE}", f"/calendars/{ONE}", f"/agreements/{ONE}"):
        assert (await levels.get(path, status=404))["code"] == "not_found"
    assert (await levels.get("/clocks?incident=nobody"))["items"] == []


async def test_clocks_are_computed_for_now_and_paged(levels: ServiceLevels) -> None:
    for n in range(3):
        await levels.open(f"incident-{n}", n)
    levels.running.clock.instant = at(2.5)
    seen: list[dict[str, Any]] = []
    path: str | None = "/clocks?limit=2"
    while path:
        page = await levels.get(path)
        seen += page["items"]
        path = f"/clocks?limit=2&cursor={page['next']}" if page["next"] else None
    assert [item["incident"] for item in seen] == ["incident-0"] * 2 + ["incident-1"] * 2 + ["incident-2"] * 2
    first = next(item for item in seen if item["metric"] == "resolution")
    assert first["title"] == "核心交换机端口告警"
    assert (first["elapsed_seconds"], first["remaining_seconds"], first["state"]) == (9000, 5400, "running")
    assert first["due_at"] == "2026-11-23T05:00:00Z"
    late = next(item for item in seen if item["metric"] == "response")
    assert (late["remaining_seconds"], late["breach_announced"]) == (-8100, False)
    assert late["breached_at"] == "2026-11-23T01:15:00Z"


async def test_one_clock_shows_what_made_it_run_and_pause(levels: ServiceLevels) -> None:
    incident = await levels.open()
    held = await levels.tell(incident, IncidentHeld(reason="awaiting_requester"), 1)
    await levels.tell(incident, IncidentResolved(responsibility="customer", resolution="客户侧"), 2)
    listed = (await levels.get(f"/clocks?incident={incident}&metric=resolution&state=stopped"))["items"][0]
    shown = await levels.get(f"/clocks/{listed['id']}")
    assert [(line["state"], line["counted_seconds"]) for line in shown["trace"]][:2] == [
        ("running", 3600),
        ("paused", 0),
    ]
    assert (shown["paused"][0]["reason"], shown["paused"][0]["event"]) == ("awaiting_requester", str(held.id))
    assert shown["met"] is True


async def test_a_caller_of_one_organisation_sees_and_defines_only_its_own(levels: ServiceLevels) -> None:
    await levels.open("ours", organisation="acme")
    await levels.open("theirs", organisation="globex", number="INC0000002")
    await levels.put(f"/agreements/{ONE}", {**GOLD, "organisation": "globex"})
    acme = levels.headers(organisations=["acme"])
    clocks = (await levels.get("/clocks", headers=acme))["items"]
    assert {clock["incident"] for clock in clocks} == {"ours"}
    other = (await levels.get("/clocks?incident=theirs"))["items"][0]["id"]
    assert (await levels.get("/clocks?incident=INC0000002"))["items"][0]["id"] == other
    assert (await levels.get("/clocks?incident=INC0000002", headers=acme))["items"] == []
    await levels.get(f"/clocks/{other}", status=404, headers=acme)
    assert [a["id"] for a in (await levels.get("/agreements", headers=acme))["items"]] == [DEFAULT_AGREEMENT]
    await levels.get(f"/agreements/{ONE}", status=404, headers=acme)
    await levels.put(f"/calendars/{TWO}", OFFICE, status=403, headers=acme)
    await levels.put(f"/agreements/{TWO}", {**GOLD, "organisation": "globex"}, status=403, headers=acme)
    await levels.put(f"/agreements/{TWO}", {**GOLD, "organisation": None, "service": "x"}, status=403, headers=acme)
    await levels.put(f"/agreements/{ONE}", GOLD, status=404, headers={**acme, "If-Match": '"1"'})
    await levels.put(f"/agreements/{TWO}", GOLD, headers=acme)


@pytest.mark.parametrize("role", ["agent", "requester", "analyst"])
async def test_only_leads_define(levels: ServiceLevels, role: str) -> None:
    await levels.put(f"/calendars/{ONE}", OFFICE, status=403, headers=levels.headers(role))
    await levels.put(f"/agreements/{ONE}", GOLD, status=403, headers=levels.headers(role))
    assert (await levels.http.get(f"{BASE}/clocks", headers={"Authorization": ""})).status_code == 401


async def test_a_nul_or_a_lone_surrogate_does_not_get_in(levels: ServiceLevels) -> None:
    for text in ("a\\u0000b", "\\ud800"):
        body = f'{{"name": "{text}", "time_zone": "UTC", "always_open": true}}'
        headers = {"Content-Type": "application/json"}
        answer = await levels.http.put(f"{BASE}/calendars/{ONE}", content=body, headers=headers)
        assert 400 <= answer.status_code < 500
    assert (await levels.http.put(f"{BASE}/agreements/{ONE}", json={**GOLD, "organisation": "a\0"})).status_code < 500
