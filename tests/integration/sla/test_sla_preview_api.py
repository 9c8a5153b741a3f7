"""The doors of previews: a draft over the incidents that are known, and nothing written."""

import random
from collections.abc import Iterable
from typing import Any

import pytest
from tests.integration.sla.test_sla_api import GOLD, OFFICE, ONE, TWO
from tests.support.lives import life
from tests.support.service_levels import BASE, ServiceLevels, at

from opsledger_events.contexts.incident import IncidentHeld, IncidentPrioritised, IncidentResolved, IncidentResumed
from sla.seed import DEFAULT_AGREEMENT

SOLVED = IncidentResolved(responsibility="provider", resolution="更换光模块")
NEW = "/agreements/preview"
DEFAULT = f"/agreements/{DEFAULT_AGREEMENT}/preview"


async def in_force(levels: ServiceLevels, agreement: str = DEFAULT_AGREEMENT, **changes: Any) -> dict[str, Any]:
    """The body that would define an agreement as it stands, but for `changes`."""
    held = await levels.get(f"/agreements/{agreement}")
    kept = ("name", "calendar", "targets", "pausing_reasons", "warning_percent", "organisation", "service")
    return {**{name: held.get(name) for name in kept}, **changes}


async def post(levels: ServiceLevels, path: str, body: Any, *, status: int = 200, **given: Any) -> Any:
    answer = await levels.http.post(BASE + path, json=body, **given)
    assert answer.status_code == status, answer.text
    return answer.json()


def added(counts: Iterable[dict[str, Any]], side: str, metric: str) -> dict[str, int]:
    found = {"met": 0, "breached": 0, "running": 0, "none": 0}
    for count in counts:
        if count["metric"] == metric:
            for verdict, clocks in count[side].items():
                found[verdict] += clocks
    return found


async def three(levels: ServiceLevels) -> None:
    """Resolved in time after 2 hours, late after 6 of which 3 it waited, and not at all; the last half a day old."""
    await levels.open("quick", 0, number="INC1")
    await levels.tell("quick", SOLVED, 2)
    await levels.open("slow", 1, number="INC2", organisation="globex", service="mail")
    await levels.tell("slow", IncidentHeld(reason="lunch"), 2)
    await levels.tell("slow", IncidentResumed(), 5)
    await levels.tell("slow", SOLVED, 7)
    await levels.open("young", 30, number="INC3", priority=3)
    levels.running.clock.instant = at(42)


async def test_the_agreement_in_force_changes_nothing(levels: ServiceLevels) -> None:
    for seed in range(12):
        dice = random.Random(seed)
        incident = await levels.open(f"incident-{seed}", seed, number=f"INC{seed}", priority=1)
        for event, hours in life(dice):
            await levels.tell(incident, event, seed + hours)
    for hours in (40, 100):
        levels.running.clock.instant = at(hours)
        found = await post(levels, DEFAULT, await in_force(levels))
        assert (found["incidents"], found["items"], found["truncated"]) == (12, [], False)
        for count in found["counts"]:
            assert (count["before"], count["changed"]) == (count["after"], 0)


async def test_r89_a_draft_is_counted_by_period_priority_and_metric(levels: ServiceLevels) -> None:
    await three(levels)
    body = await in_force(levels, pausing_reasons=["lunch"])
    found = await post(levels, f"{DEFAULT}?period=day&time_zone=UTC", body)
    assert [(one["period"], one["priority"], one["metric"]) for one in found["counts"]] == [
        ("2026-11-23", 1, "resolution"),
        ("2026-11-23", 1, "response"),
        ("2026-11-24", 3, "resolution"),
        ("2026-11-24", 3, "response"),
    ]
    resolution, response, young, unanswered = found["counts"]
    assert resolution["before"] == {"met": 1, "breached": 1, "running": 0, "none": 0}
    assert resolution["after"] == {"met": 2, "breached": 0, "running": 0, "none": 0}
    assert (resolution["changed"], response["changed"]) == (1, 0)
    assert young["before"] == young["after"] == {"met": 0, "breached": 0, "running": 1, "none": 0}
    assert unanswered["before"]["breached"] == 1
    (change,) = found["items"]
    assert change["reason"] == "pauses"
    assert change["sentence"] == {
        "zh-CN": "暂停的原因不同：计入 3 小时，原为 6 小时。解决原为超时，按草案为达标。",
        "en": "Other waits pause the clock: 3 h of working time instead of 6 h. Its resolution was breached; with the"
        " draft it is met.",
    }
    assert (change["number"], change["metric"], change["opened_at"]) == ("INC2", "resolution", "2026-11-23T02:00:00Z")
    assert change["before"] == {
        "agreement": DEFAULT_AGREEMENT,
        "agreement_revision": 1,
        "verdict": "breached",
        "target_seconds": 14400,
        "elapsed_seconds": 21600,
        "due_at": "2026-11-23T06:00:00Z",
    }
    assert change["after"] == {
        "agreement": DEFAULT_AGREEMENT,
        "agreement_revision": None,
        "verdict": "met",
        "target_seconds": 14400,
        "elapsed_seconds": 10800,
        "due_at": "2026-11-23T09:00:00Z",
    }
    assert "keep the version" in found["notes"][0]["en"]
    assert "不会重算" in found["notes"][0]["zh-CN"]


async def test_a_preview_writes_nothing(levels: ServiceLevels) -> None:
    await three(levels)
    before = await levels.digests()
    events = await levels.running.pool.fetchval("select count(*) from es.event")
    await post(levels, DEFAULT, await in_force(levels, targets=[{"priority": 1, "resolution_seconds": 60}]))
    assert await levels.digests() == before
    assert await levels.running.pool.fetchval("select count(*) from es.event") == events


async def test_a_draft_takes_from_others_only_what_it_is_for(levels: ServiceLevels) -> None:
    await three(levels)
    targets = [{"priority": 1, "resolution_seconds": 3600}]
    found = await post(levels, NEW, {**GOLD, "organisation": "acme", "targets": targets})
    assert found["incidents"] == 2  # `young` as well: it is for all of acme, though it has no target for priority 3
    reasons = {(one["number"], one["metric"]): one["reason"] for one in found["items"]}
    assert reasons == {
        ("INC1", "response"): "priority_without_target",
        ("INC1", "resolution"): "target",
        ("INC3", "response"): "priority_without_target",
        ("INC3", "resolution"): "priority_without_target",
    }
    assert all(one["after"]["agreement"] is None for one in found["items"])


async def test_a_narrower_draft_leaves_incidents_to_others(levels: ServiceLevels) -> None:
    await levels.put(f"/agreements/{ONE}", {**GOLD, "organisation": None, "service": "mail"})
    await three(levels)
    body = await in_force(levels, ONE, organisation="initech")
    found = await post(levels, f"/agreements/{ONE}/preview", body)
    assert found["incidents"] == 1
    assert {one["reason"] for one in found["items"]} == {"no_longer_covered"}
    assert {one["number"] for one in found["items"]} == {"INC2"}
    assert added(found["counts"], "after", "resolution") == {"met": 0, "breached": 0, "running": 0, "none": 1}


async def test_what_nothing_was_promised_for_is_newly_covered(levels: ServiceLevels) -> None:
    body = await in_force(levels, targets=[{"priority": 5, "resolution_seconds": 60}])
    await levels.put(f"/agreements/{DEFAULT_AGREEMENT}", body, status=200, headers={"If-Match": '"1"'})
    await three(levels)
    draft = await in_force(levels, targets=[{"priority": 1, "resolution_seconds": 3 * 3600}])
    found = await post(levels, DEFAULT, draft)
    assert added(found["counts"], "before", "resolution") == {"met": 0, "breached": 0, "running": 0, "none": 3}
    assert added(found["counts"], "after", "resolution") == {"met": 1, "breached": 1, "running": 0, "none": 1}
    assert [one["reason"] for one in found["items"]] == ["priority_without_target"] * 2
    assert {one["before"]["agreement"] for one in found["items"]} == {None}


async def test_a_calendar_may_be_drawn_up_with_the_draft(levels: ServiceLevels) -> None:
    await levels.put(f"/calendars/{ONE}", OFFICE)
    await levels.open("noon", 0, number="INC9")
    await levels.tell("noon", SOLVED, 5)
    levels.running.clock.instant = at(5)
    named = await post(levels, DEFAULT, await in_force(levels, calendar=ONE))
    drawn = await post(levels, DEFAULT, await in_force(levels, calendar=OFFICE))
    assert named == drawn
    (change,) = drawn["items"]
    assert (change["reason"], change["after"]["elapsed_seconds"]) == ("working_hours", 3.5 * 3600)


async def test_filters_choose_incidents(levels: ServiceLevels) -> None:
    await three(levels)
    await levels.tell("quick", IncidentPrioritised(impact=2, urgency=2, priority=2, previous_priority=1), 20)
    body = await in_force(levels)

    async def incidents(query: str) -> int:
        return int((await post(levels, f"{DEFAULT}?time_zone=UTC&{query}", body))["incidents"])

    wanted = {"": 3, "from=2026-11-24": 1, "to=2026-11-23": 2, "from=2026-11-23&to=2026-11-24": 3, "to=2026-11-22": 0}
    wanted |= {"organisation=globex": 1, "organisation=nobody": 0, "service=core": 2, "priority=1": 1, "priority=2": 1}
    assert {query: await incidents(query) for query in wanted} == wanted
    assert await incidents("to=2026-11-24&time_zone=Asia/Shanghai") == 3


async def test_only_what_the_agreement_of_that_id_judged(levels: ServiceLevels) -> None:
    await three(levels)
    await levels.put(f"/agreements/{ONE}", GOLD)
    await levels.open("later", 40, number="INC4")
    levels.running.clock.instant = at(42)
    body = await in_force(levels, ONE)
    for query, incidents in (("", 3), ("?judged=true", 1)):
        assert (await post(levels, f"/agreements/{ONE}/preview{query}", body))["incidents"] == incidents
    assert (await post(levels, f"{NEW}?judged=true", {**body, "organisation": "initech"}))["incidents"] == 0


async def test_changes_are_paged_and_counted_once(levels: ServiceLevels) -> None:
    for n in range(5):
        await levels.open(f"incident-{n}", n // 2, number=f"INC{n}")
    levels.running.clock.instant = at(3)
    body = await in_force(levels, targets=[{"priority": 1, "response_seconds": 86400, "resolution_seconds": 60}])
    whole = await post(levels, DEFAULT, body)
    assert len(whole["items"]) == 10
    assert whole["next"] is None
    for limit in (1, 2, 3, 7):
        seen: list[Any] = []
        path = f"{DEFAULT}?limit={limit}"
        first = page = await post(levels, path, body)
        seen += page["items"]
        while page["next"]:
            page = await post(levels, f"{path}&cursor={page['next']}", body)
            assert (page["counts"], page["incidents"], page["truncated"]) == (None, None, None)
            seen += page["items"]
        assert seen == whole["items"]
        assert first["counts"] == whole["counts"]
    assert [one["number"] for one in whole["items"][:4]] == ["INC4", "INC4", "INC3", "INC3"]


async def test_what_is_left_out_is_said(levels: ServiceLevels) -> None:
    for n in range(4):
        await levels.open(f"incident-{n}", n, number=f"INC{n}")
    levels.running.clock.instant = at(3.5)
    body = await in_force(levels, targets=[{"priority": 1, "response_seconds": 86400, "resolution_seconds": 60}])
    for most, truncated in ((4, False), (3, True)):
        path = f"{DEFAULT}?most={most}&limit=1"
        page = await post(levels, path, body)
        assert (page["truncated"], page["incidents"]) == (truncated, most)
        assert (len(page["notes"]), page["looked_at_most"]) == (1 + truncated, most)
        numbers = [one["number"] for one in page["items"]]
        while page["next"]:
            page = await post(levels, f"{path}&cursor={page['next']}", body)
            numbers += [one["number"] for one in page["items"]]
        assert set(numbers) == {f"INC{n}" for n in range(4 - most, 4)}


async def test_no_history_is_an_empty_answer(levels: ServiceLevels) -> None:
    found = await post(levels, DEFAULT, await in_force(levels))
    assert (found["incidents"], found["counts"], found["items"], found["next"]) == (0, [], [], None)


async def test_a_caller_of_some_organisations_sees_those_alone(levels: ServiceLevels) -> None:
    await three(levels)
    headers = levels.headers(organisations=["globex"])
    draft = {**GOLD, "organisation": "globex", "targets": [{"priority": 1, "resolution_seconds": 86400}]}
    found = await post(levels, NEW, draft, headers=headers)
    assert (found["incidents"], {one["number"] for one in found["items"]}) == (1, {"INC2"})
    assert (await post(levels, f"{NEW}?organisation=acme", draft, headers=headers))["incidents"] == 0
    for path, body, status in (
        (DEFAULT, await in_force(levels), 403),
        (DEFAULT, draft, 403),
        (NEW, {**draft, "organisation": "acme"}, 403),
    ):
        await post(levels, path, body, status=status, headers=headers)
    await levels.put(f"/agreements/{ONE}", GOLD)
    await post(levels, f"/agreements/{ONE}/preview", draft, status=404, headers=headers)


@pytest.mark.parametrize("role", ["agent", "requester", "operator"])
async def test_leads_and_analysts_preview(levels: ServiceLevels, role: str) -> None:
    await post(levels, NEW, GOLD, headers=levels.headers("analyst"))
    await post(levels, NEW, GOLD, status=403, headers=levels.headers(role))
    assert (await levels.http.post(BASE + NEW, json=GOLD, headers={"Authorization": ""})).status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"calendar": ONE},
        {"calendar": "always"},
        {"calendar": 7},
        {"calendar": None},
        {"targets": []},
        {"targets": [{"priority": 1}]},
        {"targets": [{"priority": 1, "response_seconds": 0}]},
        {"targets": [{"priority": 1, "response_seconds": 10**12}]},
        {"targets": [{"priority": 9, "response_seconds": 5}]},
        {"targets": [{"priority": 1, "response_seconds": 5}] * 2},
        {"warning_percent": [101]},
        {"pausing_reasons": ["no slug"]},
        {"pausing_reasons": ["a"] * 51},
        {"organisation": ""},
        {"organisation": None},
        {"service": "x" * 300},
        {"extra": 1},
    ],
)
async def test_a_wrong_draft_is_refused_as_a_definition_is(levels: ServiceLevels, change: dict[str, Any]) -> None:
    for language in ("en", "zh-CN"):
        refused = []
        for send, path in ((levels.http.put, ""), (levels.http.post, "/preview")):
            headers = {"Accept-Language": language}
            answer = await send(f"{BASE}/agreements/{TWO}{path}", json={**GOLD, **change}, headers=headers)
            assert answer.status_code in (409, 422)
            problem = answer.json()
            refused.append({name: problem[name] for name in problem if name not in ("instance", "trace_id")})
        assert refused[0] == refused[1]


async def test_an_id_that_names_a_calendar_is_refused_as_a_definition_is(levels: ServiceLevels) -> None:
    await levels.put(f"/calendars/{ONE}", OFFICE)
    assert (await post(levels, f"/agreements/{ONE}/preview", GOLD, status=409))["code"] == "id_taken"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"time_zone": "Mars/Olympus"}, "/calendar/time_zone"),
        ({"weekly": []}, "/calendar/weekly"),
        ({"weekly": [{"day": 9, "opens": "09:00", "closes": "10:00"}]}, "/calendar/weekly/0/day"),
        ({"weekly": [{"day": 0, "opens": "9", "closes": "10:00"}]}, "/calendar/weekly/0/opens"),
        ({"weekly": [{"day": "0", "opens": "09:00", "closes": "10:00"}]}, "/calendar/weekly/0/day"),
        ({"name": None}, "/calendar/name"),
        ({"extra": 1}, "/calendar/extra"),
    ],
)
async def test_a_wrong_calendar_is_found_in_the_draft(
    levels: ServiceLevels, change: dict[str, Any], pointer: str
) -> None:
    problem = await post(levels, NEW, {**GOLD, "calendar": {**OFFICE, **change}}, status=422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


async def test_hours_that_never_reach_the_target_are_refused(levels: ServiceLevels) -> None:
    rare = {**OFFICE, "weekly": [{"day": 0, "opens": "09:00", "closes": "09:01"}]}
    targets = [{"priority": 1, "resolution_seconds": 40_000_000}]
    problem = await post(levels, NEW, {**GOLD, "calendar": rare, "targets": targets}, status=422)
    assert problem["errors"][0]["pointer"] == "/targets/0/resolution_seconds"


@pytest.mark.parametrize(
    "query",
    [
        "period=year",
        "time_zone=Mars/Olympus",
        "time_zone=../../etc/passwd",
        "from=yesterday",
        "from=1969-12-31",
        "to=9999-12-31",
        "from=2026-11-24&to=2026-11-23",
        "priority=0",
        "priority=x",
        "most=0",
        "most=100001",
        "limit=0",
        "limit=201",
        "judged=perhaps",
        "organisation=%00",
        f"service={'x' * 201}",
        "cursor=garbage",
        "cursor=WzFd",
        "cursor=WyIyMDI2LTExLTIzVDAxOjAwOjAwKzAwOjAwIiwiaSIsNywwXQ",
        "cursor=WyIyMDI2LTExLTIzVDAxOjAwOjAwKzAwOjAwIiwiaSIsMCwtMV0",
    ],
)
async def test_a_filter_that_means_nothing_is_refused(levels: ServiceLevels, query: str) -> None:
    answer = await levels.http.post(f"{BASE}{NEW}?{query}", json=GOLD)
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
