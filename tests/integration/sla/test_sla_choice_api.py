"""The door that says which agreement is for an incident, and agreements of every kind through theirs."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest
from tests.integration.sla.test_sla_api import GOLD, OFFICE, ONE, TWO
from tests.support.service_levels import BASE, ServiceLevels

from sla.domain.selection import Situation
from sla.projections.definitions import Definitions
from sla.seed import DEFAULT_AGREEMENT, DEFAULT_CALENDAR

CHOICE = "/agreements/choice"
THREE = "00000000-0000-7000-8000-000000000003"
FOUR = "00000000-0000-7000-8000-000000000004"
BOTH = [{"priority": priority, "response_seconds": 600} for priority in (1, 2)]
VENDOR: dict[str, Any] = {
    "name": "厂商 / Vendor",
    "kind": "uc",
    "team": "vendor-1",
    "calendar": DEFAULT_CALENDAR,
    "targets": [{"priority": 1, "response_seconds": 600, "resolution_by": {"working_days": 2, "at": "16:00"}}],
}


class Counted:
    """A connection that counts what it is asked."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.statements = 0

    def __getattr__(self, name: str) -> Any:
        self.statements += 1
        return getattr(self.connection, name)


async def refused(levels: ServiceLevels, change: dict[str, Any], language: str = "en") -> dict[str, Any]:
    body = {**GOLD, **change}
    problem: dict[str, Any] = await levels.put(
        f"/agreements/{ONE}", body, status=422, headers={"Accept-Language": language}
    )
    return problem


async def test_r89_the_agreement_for_an_incident_is_told_with_why_not_the_others(levels: ServiceLevels) -> None:
    await levels.put(f"/agreements/{ONE}", GOLD)
    await levels.put(f"/agreements/{TWO}", {**GOLD, "name": "Mail", "organisation": None, "service": "mail"})
    await levels.put(f"/agreements/{THREE}", {**GOLD, "name": "Network", "organisation": None, "category": "network"})
    await levels.put(f"/agreements/{FOUR}", VENDOR)
    found = await levels.get(f"{CHOICE}?organisation=acme&service=core&category=network&priority=1")
    assert (found["agreement"]["id"], found["agreement"]["name"]) == (ONE, GOLD["name"])
    assert (found["chosen_by"], found["metrics"], found["left_out"]) == (
        ["organisation"],
        ["response", "resolution"],
        0,
    )
    told = {one["agreement"]: (one["verdict"], one["by"], one["than"]) for one in found["candidates"]}
    assert list(told.items()) == [
        (ONE, ("chosen", ["organisation"], None)),
        (TWO, ("names_another", ["service"], None)),
        (THREE, ("less_specific", ["organisation"], ONE)),
        (DEFAULT_AGREEMENT, ("less_specific", ["organisation"], ONE)),
    ]
    assert found["candidates"][1]["states"] == {"service": "mail"}
    assert found["candidates"][1]["sentence"] == {
        "zh-CN": "不适用：它针对服务 mail，此事件为 core。",
        "en": "Not for it: it names service mail, and this incident has core.",
    }


async def test_a_priority_without_a_target_is_said_to_have_no_clock(levels: ServiceLevels) -> None:
    await levels.put(f"/agreements/{ONE}", GOLD)
    found = await levels.get(f"{CHOICE}?organisation=acme&priority=4")
    assert (found["agreement"]["id"], found["metrics"]) == (ONE, [])
    assert found["candidates"][0]["sentence"]["zh-CN"].endswith("它对优先级 4 没有目标，因此不计时。")


async def test_r83_a_vendor_s_agreement_is_for_its_team_alone(levels: ServiceLevels) -> None:
    await levels.put(f"/agreements/{ONE}", VENDOR)
    found = await levels.get(f"{CHOICE}?kind=uc&priority=1&team=vendor-1")
    assert (found["chosen_by"], found["metrics"]) == (["team"], ["response", "resolution"])
    other = await levels.get(f"{CHOICE}?kind=uc&priority=1&team=vendor-2")
    assert (other["agreement"], other["chosen_by"], len(other["candidates"])) == (None, [], 1)
    assert await levels.get(f"{CHOICE}?kind=ola&priority=1&team=vendor-1") == {
        "agreement": None,
        "chosen_by": [],
        "metrics": [],
        "candidates": [],
        "left_out": 0,
    }


@pytest.mark.parametrize(
    "query",
    [
        "",
        "priority=0",
        "priority=6",
        "priority=1e9",
        "priority=1&kind=nda",
        "priority=1&kind=ola",
        "priority=1&kind=uc",
        "priority=1&criticality=severe",
        "priority=1&organisation=",
        "priority=1&organisation=a%20b",
        "priority=1&service=%0A",
        f"priority=1&service={'x' * 201}",
        f"priority=1&category={quote('类' * 201)}",
        "priority=1&team=a/b",
        "priority=1&catgory=network",
        "priority=1&priority=2&limit=5",
    ],
)
async def test_a_question_that_means_nothing_is_refused(levels: ServiceLevels, query: str) -> None:
    problem = await levels.get(f"{CHOICE}?{query}", status=422)
    assert problem["errors"]


async def test_no_agreement_of_another_organisation_is_told_of(levels: ServiceLevels) -> None:
    await levels.put(f"/agreements/{ONE}", GOLD)
    await levels.put(f"/agreements/{TWO}", {**GOLD, "name": "Secret", "organisation": "globex"})
    acme = levels.headers(organisations=["acme"])
    found = await levels.get(f"{CHOICE}?organisation=acme&priority=1", headers=acme)
    assert [one["agreement"] for one in found["candidates"]] == [ONE, DEFAULT_AGREEMENT]
    await levels.get(f"{CHOICE}?organisation=globex&priority=1", status=403, headers=acme)
    nobody = await levels.get(f"{CHOICE}?priority=1", headers=levels.headers(organisations=[]))
    assert [one["agreement"] for one in nobody["candidates"]] == [DEFAULT_AGREEMENT]
    await levels.get(f"{CHOICE}?priority=1", status=403, headers=levels.headers("requester"))
    await levels.get(f"{CHOICE}?priority=1", status=401, headers={"Authorization": ""})


async def test_many_others_are_counted_and_not_all_shown(levels: ServiceLevels) -> None:
    for n in range(203):
        body = {**GOLD, "name": f"组织 {n}", "organisation": f"organisation-{n}"}
        await levels.put(f"/agreements/00000000-0000-7000-8000-000000001{n:03}", body)
    found = await levels.get(f"{CHOICE}?organisation=acme&priority=1")
    assert (found["agreement"]["id"], found["left_out"], len(found["candidates"])) == (DEFAULT_AGREEMENT, 3, 201)
    assert found["candidates"][-1]["verdict"] == "chosen"


async def test_agreements_are_listed_by_kind(levels: ServiceLevels) -> None:
    await levels.put(f"/agreements/{ONE}", VENDOR)
    await levels.put(f"/agreements/{TWO}", {**VENDOR, "kind": "ola", "team": None})
    for kind, expected in (("sla", [DEFAULT_AGREEMENT]), ("ola", [TWO]), ("uc", [ONE])):
        assert [one["id"] for one in (await levels.get(f"/agreements?kind={kind}"))["items"]] == expected
    assert len((await levels.get("/agreements"))["items"]) == 3
    page = await levels.get("/agreements?limit=1&kind=uc")
    assert (len(page["items"]), page["next"]) == (1, None)
    await levels.get("/agreements?kind=x", status=422)


async def test_an_agreement_keeps_everything_that_it_says(levels: ServiceLevels) -> None:
    await levels.put(f"/calendars/{TWO}", OFFICE)
    stated = {"category": "网络", "criticality": "critical", "priorities": [2, 1], "service": "core"}
    policies = {"retarget": "keep_remaining", "reopen": "restart"}
    promised = {"contact_seconds": 600, "update_by": {"working_days": 1}, "workaround_seconds": 60}
    targets = [{"priority": priority, **promised} for priority in (1, 2)]
    made = await levels.put(f"/agreements/{ONE}", {**GOLD, **stated, **policies, "calendar": TWO, "targets": targets})
    assert made == await levels.get(f"/agreements/{ONE}")
    assert made["targets"] == targets
    assert {name: made[name] for name in (*stated, *policies)} == {**stated, **policies, "priorities": [1, 2]}
    assert (made["kind"], made["default"]) == ("sla", False)


async def test_two_agreements_of_one_kind_cannot_state_the_same(levels: ServiceLevels) -> None:
    ours = {**GOLD, "priorities": [1, 2], "targets": BOTH}
    await levels.put(f"/agreements/{ONE}", ours)
    taken = await levels.put(f"/agreements/{TWO}", {**ours, "priorities": [2, 1]}, status=409)
    assert taken["code"] == "selector_taken"
    await levels.put(f"/agreements/{TWO}", {**ours, "priorities": [1], "targets": BOTH[:1]})
    await levels.put(f"/agreements/{THREE}", {**VENDOR, "organisation": "acme"})
    await levels.put(f"/agreements/{FOUR}", {**VENDOR, "organisation": "acme", "kind": "ola"})
    last = f"/agreements/{FOUR[:-1]}5"
    await levels.put(last, {**VENDOR, "organisation": "acme"}, status=409)
    await levels.put(last, {**VENDOR, "organisation": "acme", "team": "vendor-2"})


async def test_of_two_that_come_at_once_one_takes_the_selectors(levels: ServiceLevels) -> None:
    bodies = {
        id_: {**GOLD, "category": "network", "priorities": [1, 2], "targets": BOTH} for id_ in (ONE, TWO, THREE, FOUR)
    }
    puts = (levels.http.put(f"{BASE}/agreements/{id_}", json=body) for id_, body in bodies.items())
    assert sorted(answer.status_code for answer in await asyncio.gather(*puts)) == [201, 409, 409, 409]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"kind": "uc"}, "team_required"),
        ({"team": "network"}, "team_without_ola"),
        ({"kind": "ola", "targets": [{"priority": 1, "update_seconds": 60}]}, "metric_not_of_teams"),
        ({"criticality": "severe"}, "unknown_criticality"),
        ({"priorities": [1, 1]}, "bad_priorities"),
        ({"priorities": [3]}, "target_never_used"),
        ({"priorities": [1, 2]}, "priority_without_target"),
        (
            {"targets": [{"priority": 1, "update_seconds": 60, "update_by": {"working_days": 1}}]},
            "target_twice",
        ),
        ({"targets": [{"priority": 1, "update_by": {"working_days": 0}}]}, "bad_working_days"),
        ({"targets": [{"priority": 1, "update_by": {"working_days": 1, "at": "noon"}}]}, "bad_time"),
        (
            {"calendar": TWO, "targets": [{"priority": 1, "update_by": {"working_days": 1, "at": "19:00"}}]},
            "outside_hours",
        ),
    ],
)
async def test_what_could_never_work_is_refused_in_both_languages(
    levels: ServiceLevels, change: dict[str, Any], code: str
) -> None:
    await levels.put(f"/calendars/{TWO}", OFFICE)
    english = await refused(levels, change)
    assert english["code"] == code
    assert english["errors"][0]["pointer"]
    chinese = await refused(levels, change, "zh-CN")
    assert chinese["code"] == code
    assert chinese["detail"].endswith("。")


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "nda"},
        {"kind": None},
        {"kind": ["sla"]},
        {"team": "a b", "kind": "ola"},
        {"category": " x"},
        {"category": {}},
        {"criticality": 1},
        {"criticality": "x" * 10_000},
        {"priorities": "1"},
        {"priorities": [True]},
        {"priorities": [1.0]},
        {"priorities": [[1]]},
        {"priorities": list(range(1000))},
        {"priorities": [10**12]},
        {"retarget": "sometimes"},
        {"reopen": 1},
        {"targets": [{"priority": 1, "response_by": 1}]},
        {"targets": [{"priority": 1, "response_by": {}}]},
        {"targets": [{"priority": 1, "response_by": {"working_days": "1"}}]},
        {"targets": [{"priority": 1, "response_by": {"working_days": 10**9}}]},
        {"targets": [{"priority": 1, "response_by": {"working_days": 1, "at": 960}}]},
        {"targets": [{"priority": 1, "response_by": {"working_days": 1, "at": "1" * 10_000}}]},
        {"targets": [{"priority": 1, "response_by": {"working_days": 1, "on": "Monday"}}]},
        {"targets": [{"priority": 1, "response_minutes": 5}]},
        {"targets": [{"priority": 1, "update_seconds": 5}] * 21},
        {"targets": [{"priority": 1}] * 5000},
    ],
)
async def test_a_wrong_body_is_refused_with_a_problem(levels: ServiceLevels, change: dict[str, Any]) -> None:
    assert (await refused(levels, change))["errors"]


async def test_a_calendar_s_hours_cannot_be_taken_from_a_day_target(levels: ServiceLevels) -> None:
    await levels.put(f"/calendars/{TWO}", OFFICE)
    targets = [{"priority": 1, "resolution_by": {"working_days": 1, "at": "17:00"}}]
    await levels.put(f"/agreements/{ONE}", {**GOLD, "calendar": TWO, "targets": targets})
    mornings = {**OFFICE, "weekly": [{"day": 0, "opens": "09:00", "closes": "12:00"}]}
    taken = await levels.put(f"/calendars/{TWO}", mornings, status=409, headers={"If-Match": '"1"'})
    assert taken["code"] == "target_out_of_reach"


async def test_a_transaction_asks_once_whether_what_is_known_still_stands(levels: ServiceLevels) -> None:
    await levels.put(f"/agreements/{ONE}", {**GOLD, "priorities": [1]})
    await levels.put(f"/agreements/{TWO}", VENDOR)
    acme = Situation("sla", "acme", None, None, None, 1)
    async with levels.running.pool.acquire() as connection:
        assert await Definitions(connection).choose(acme) is not None  # the first to see them reads them
        counted = Counted(connection)
        definitions = Definitions(counted)
        terms = await definitions.choose(acme)
        default = await definitions.choose(Situation("sla", "globex", "core", None, None, 1))
        vendors = await definitions.choose(Situation("uc", "globex", "core", None, None, 1, "vendor-1"))
        assert await definitions.choose(Situation("ola", None, None, None, None, 1, "vendor-1")) is None
        assert {measure.kind for measure in await definitions.measures()} == {"sla", "uc"}
        assert terms is not None
        assert await definitions.agreement(ONE, 1) is terms.agreement
        assert await definitions.calendar(DEFAULT_CALENDAR, 1) is terms.calendar
        assert counted.statements == 1
    assert default is not None
    assert vendors is not None
    assert (terms.agreement_id, terms.chosen_by) == (ONE, ("organisation", "priorities"))
    assert (default.agreement_id, default.chosen_by) == (DEFAULT_AGREEMENT, ())
    assert (vendors.agreement_id, vendors.chosen_by, vendors.calendar_revision) == (TWO, ("team",), 1)


async def test_what_was_defined_since_is_known_in_the_next_transaction(levels: ServiceLevels) -> None:
    acme = Situation("sla", "acme", None, None, None, 1)
    async with levels.running.pool.acquire() as connection:

        async def chosen() -> tuple[str, int, int]:
            terms = await Definitions(connection).choose(acme)
            assert terms is not None
            return terms.agreement_id, terms.agreement.revision, terms.calendar_revision

        assert await chosen() == (DEFAULT_AGREEMENT, 1, 1)
        await levels.put(f"/agreements/{ONE}", GOLD)
        assert await chosen() == (ONE, 1, 1)
        async with connection.transaction(isolation="repeatable_read"):
            assert await chosen() == (ONE, 1, 1)
            await levels.put(f"/agreements/{ONE}", {**GOLD, "name": "x"}, status=200, headers={"If-Match": '"1"'})
            assert await chosen() == (ONE, 1, 1)
        assert await chosen() == (ONE, 2, 1)
        body = {"name": "Ours", "time_zone": "UTC", "always_open": True}
        await levels.put(f"/calendars/{DEFAULT_CALENDAR}", body, status=200, headers={"If-Match": '"1"'})
        assert await chosen() == (ONE, 2, 2)
        old = await Definitions(connection).agreement(ONE, 1)
        assert old.name == GOLD["name"]


async def test_the_door_of_the_choice_is_not_taken_for_an_agreement(levels: ServiceLevels) -> None:
    assert (await levels.http.put(f"{BASE}{CHOICE}", json=GOLD)).status_code in (404, 405, 422)
    assert (await levels.get(f"/agreements/{ONE}", status=404))["code"] == "not_found"
