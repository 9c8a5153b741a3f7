"""Items through the doors: registering, describing, their life cycle, and what they were.

After every test each read model is compared with its rebuild, see the fixture.
"""

import asyncio
from typing import Any

import pytest
from tests.support.register import START, Register


async def test_an_item_is_registered_and_found_by_id_and_by_key_in_any_case(register: Register) -> None:
    made = await register.item(
        "SW-Core-01",
        "network_device",
        owner_team="network",
        attributes={"vendor": "华为", "ip_address": "10.0.0.1"},
        identifiers=[{"kind": "serial", "value": "CN-7731"}],
    )
    for given in (made["id"], "SW-Core-01", "sw-core-01"):
        found = await register.get(f"/items/{given}")
        assert found["id"] == made["id"]
        assert found["relations"] == []
    assert (made["version"], made["lifecycle"], made["environment"]) == (1, "operational", "production")
    assert await register.names(made["id"]) == ["Registered"]


@pytest.mark.parametrize("key", ["SRV-1", "srv-1", "ｓｒｖ-1"])
async def test_a_key_is_taken_whatever_its_case_and_width(register: Register, key: str) -> None:
    await register.item("srv-1")
    body = {"key": key, "name": "another", "item_class": "server"}
    assert await register.refused("POST", "/items", body) == "key_taken"


@pytest.mark.parametrize(
    "key", ["", " ", "a b", "a/b", "a;b", "a\u0000", "a\u200b b", "x" * 101, "01a2b3c4-1111-4222-8333-444455556666"]
)
async def test_what_is_no_key_is_refused(register: Register, key: str) -> None:
    body = {"key": key, "name": "x", "item_class": "server"}
    assert await register.refused("POST", "/items", body, status=422) in ("invalid", "nul_character")


async def test_a_key_may_be_of_any_writing(register: Register) -> None:
    made = await register.item("核心交换机-01:eth0")
    assert (await register.get("/items/核心交换机-01:ETH0"))["id"] == made["id"]
    await register.post("/items/核心交换机-01:eth0/retire")


async def test_an_unknown_class_is_named(register: Register) -> None:
    body = {"key": "a", "name": "a", "item_class": "teapot"}
    assert await register.refused("POST", "/items", body, status=422) == "no_such_class"


async def test_attributes_that_do_not_conform_are_each_pointed_at(register: Register) -> None:
    body = {"key": "db", "name": "db", "item_class": "database", "attributes": {"port": 0, "colour": "red"}}
    told = await register.post("/items", body, status=422)
    assert told["code"] == "attributes_do_not_conform"
    assert {error["pointer"] for error in told["errors"]} == {"/attributes/port", "/attributes/colour"}


async def test_a_description_is_replaced_only_by_who_saw_the_last_one(register: Register) -> None:
    await register.item("db-1", "database")
    body = {"key": "db-1", "name": "订单库", "item_class": "database"}
    assert await register.refused("PUT", "/items/db-1", body, status=428) == "if_match_required"
    changed = await register.ask("PUT", "/items/db-1", body, headers={"If-Match": '"1"'})
    assert (changed["name"], changed["version"]) == ("订单库", 2)
    stale = {"If-Match": '"1"'}
    assert await register.refused("PUT", "/items/db-1", body, status=412, headers=stale) == "version_conflict"
    same = await register.ask("PUT", "/items/db-1", body, headers={"If-Match": '"2"'})
    assert same["version"] == 2


async def test_a_new_key_frees_the_old_one(register: Register) -> None:
    await register.item("old")
    renamed = await register.describe("old", key="new")
    assert (await register.get("/items/new"))["id"] == renamed["id"]
    assert await register.refused("GET", "/items/old", status=404) == "no_such_item"
    await register.item("old")
    assert (await register.describe("new", status=409, key="OLD"))["code"] == "key_taken"


async def test_an_owner_is_named_and_the_team_before_is_told(register: Register) -> None:
    made = await register.item("srv", owner_team="unix")
    await register.post("/items/srv/owner", {"owner_team": "linux", "administrator": "person-3"})
    found = await register.get("/items/srv")
    assert (found["owner_team"], found["administrator"]) == ("linux", "person-3")
    assert (await register.events(made["id"]))[-1].data["previous_owner_team"] == "unix"


async def test_the_life_cycle_ends_with_retirement(register: Register) -> None:
    made = await register.item("srv", lifecycle="planned")
    for action in ("stock", "commission", "stock", "commission", "commission", "retire", "retire"):
        await register.post(f"/items/srv/{action}")
    assert await register.names(made["id"]) == [
        "Registered",
        *("Stocked", "Commissioned", "Stocked", "Commissioned"),
        "Retired",
    ]
    for action in ("stock", "commission"):
        assert await register.refused("POST", f"/items/srv/{action}") == "retired_is_final"
    assert await register.refused("POST", "/items/srv/owner", {}) == "retired_is_final"


async def test_the_key_of_a_retired_item_may_be_taken_and_until_then_names_it(register: Register) -> None:
    first = await register.item("srv")
    await register.post("/items/srv/retire", {"reason": "replaced"})
    assert (await register.get("/items/srv"))["id"] == first["id"]
    second = await register.item("SRV")
    assert (await register.get("/items/srv"))["id"] == second["id"]
    assert (await register.get(f"/items/{first['id']}"))["lifecycle"] == "retired"


async def test_an_item_is_shown_as_it_was_and_as_it_was_known(register: Register) -> None:
    made = await register.item("srv", criticality="low")
    later = register.pass_time(hours=1)
    await register.describe("srv", criticality="critical", key="srv-a")
    await register.item("host", "server")
    register.pass_time(hours=1)
    for parameter in ("as_of", "known_at"):
        for instant, criticality in ((START, "low"), (later, "critical")):
            found = await register.get(f"/items/{made['id']}", params={parameter: instant.isoformat()})
            assert found["criticality"] == criticality
    await register.get(f"/items/{made['id']}?as_of=2026-11-22T08:29:59Z", status=404)
    await register.get(f"/items/{made['id']}?as_of=yesterday", status=422)
    rows = await register.pool.fetch(
        "select version, criticality from item_version where item = $1 and valid_from <= $2 and $2 < valid_to",
        made["id"],
        later,
    )
    assert [tuple(row) for row in rows] == [(2, "critical")]


async def test_items_are_listed_by_key_with_filters_and_pages(register: Register) -> None:
    await register.item("b-2", owner_team="unix", criticality="high")
    await register.item("A-1", "database", environment="test")
    await register.item("c-3", lifecycle="planned", name="订单 Server")

    async def keys(**parameters: Any) -> list[str]:
        return [item["key"] for item in (await register.get("/items", params=parameters))["items"]]

    assert await keys() == ["A-1", "b-2", "c-3"]
    assert await keys(**{"class": "database"}) == ["A-1"]
    assert await keys(owner_team="unix", criticality="high", environment="production") == ["b-2"]
    assert await keys(lifecycle="planned") == ["c-3"]
    assert await keys(prefix="a-") == ["A-1"]
    assert await keys(q="订单 server") == ["c-3"]
    assert await keys(q="%") == []
    first = await register.get("/items?limit=2")
    second = await register.get("/items", params={"limit": 2, "cursor": first["next"]})
    assert [item["key"] for item in second["items"]] == ["c-3"]
    assert second["next"] is None


async def test_the_events_of_an_item_are_those_on_the_bus(register: Register) -> None:
    await register.item("srv")
    await register.post("/items/srv/retire")
    found = await register.get("/items/SRV/events")
    assert [item["type"].rsplit(".", 2)[1] for item in found["items"]] == [
        "ConfigurationItemRegistered",
        "ConfigurationItemRetired",
    ]


async def test_callers_of_one_organisation_see_and_change_their_items_only(register: Register) -> None:
    ours = register.headers(organisations=["acme"])
    made = await register.post("/items", {"key": "ours", "name": "x", "item_class": "server"}, status=201, headers=ours)
    assert made["organisation"] == "acme"
    await register.item("theirs", organisation="umbrella")
    await register.item("nobodys")
    assert [item["key"] for item in (await register.get("/items", headers=ours))["items"]] == ["ours"]
    for key in ("theirs", "nobodys"):
        assert await register.refused("GET", f"/items/{key}", status=404, headers=ours) == "no_such_item"
        assert await register.refused("POST", f"/items/{key}/retire", status=404, headers=ours) == "no_such_item"
    foreign = {"key": "x", "name": "x", "item_class": "server", "organisation": "umbrella"}
    assert await register.refused("POST", "/items", foreign, status=403, headers=ours) == "organisation_forbidden"
    body = {"key": "ours", "name": "x", "item_class": "server", "organisation": "umbrella"}
    moved = {**ours, "If-Match": '"1"'}
    assert await register.refused("PUT", "/items/ours", body, status=403, headers=moved) == "organisation_forbidden"


async def test_who_only_reads_writes_nothing(register: Register) -> None:
    body = {"key": "x", "name": "x", "item_class": "server"}
    for role, status in (("agent", 403), ("analyst", 403), ("requester", 403), ("operator", 201)):
        await register.post("/items", body, status=status, headers=register.headers(role))
    await register.get("/items", headers=register.headers("requester"), status=403)
    await register.get("/items", headers=register.headers("auditor"))


async def test_of_many_who_register_one_key_at_once_one_does(register: Register) -> None:
    body = {"key": "srv", "name": "srv", "item_class": "server"}
    answers = await asyncio.gather(*(register.http.post("/api/cmdb/v1/items", json=body) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 5]


async def test_a_repeated_registration_is_answered_again(register: Register) -> None:
    body = {"key": "srv", "name": "srv", "item_class": "server"}
    headers = {"Idempotency-Key": "once"}
    first = await register.post("/items", body, status=201, headers=headers)
    assert await register.post("/items", body, status=201, headers=headers) == first
