"""Classes over HTTP: those that are there from the first day, definitions of one's own, and items left behind."""

from typing import Any

import pytest
from tests.support.register import Register

from cmdb.seed import BUILT_IN, seed_store


async def test_a_new_installation_has_its_classes_and_is_seeded_once(register: Register) -> None:
    await seed_store(register.running.store)
    found = {one["key"]: one for one in (await register.get("/classes?limit=200"))["items"]}
    assert found.keys() == {one.key for one in BUILT_IN}
    assert all(one["revision"] == 1 for one in found.values())
    assert found["business_service"]["is_service"]
    assert found["database"]["needs_administrator"]
    assert found["database"]["needs_database_administrator"]
    assert not found["server"]["needs_database_administrator"]


async def test_a_class_is_defined_and_replaced_by_who_saw_it(register: Register) -> None:
    rack = {"name_zh": "机柜", "name_en": "Rack"}
    made = await register.ask("PUT", "/classes/rack", rack, status=201)
    assert (made["revision"], made["version"]) == (1, 1)
    assert await register.refused("PUT", "/classes/rack", rack, status=428) == "if_match_required"
    units = {"key": "units", "name_zh": "U 数", "name_en": "Units", "kind": "integer", "minimum": 1, "maximum": 60}
    body = {**rack, "attributes": [units]}
    replaced = await register.ask("PUT", "/classes/rack", body, headers={"If-Match": '"1"'})
    assert replaced["revision"] == 2
    same = await register.ask("PUT", "/classes/rack", body, headers={"If-Match": '"2"'})
    assert same["revision"] == 2
    assert await register.refused("PUT", "/classes/rack", rack, status=412, headers={"If-Match": '"1"'})
    assert (await register.get("/classes/rack"))["attributes"][0]["maximum"] == 60
    await register.item("R1", "rack", attributes={"units": 42})
    await register.item("R2", "rack", attributes={"units": 61}, status=422)


@pytest.mark.parametrize(
    ("attribute", "pointer"),
    [
        ({"kind": "choice"}, "/attributes/0/choices"),
        ({"kind": "integer", "minimum": 5, "maximum": 4}, "/attributes/0/minimum"),
        ({"kind": "text", "pattern": "(a"}, "/attributes/0/pattern"),
        ({"kind": "text", "pattern": r"(a)\1"}, "/attributes/0/pattern"),
        ({"kind": "text", "pattern": "((a{1000}){1000}){1000}"}, "/attributes/0/pattern"),
        ({"kind": "text", "pattern": "a" * 201}, "/attributes/0/pattern"),
        ({"kind": "text", "key": "Bad Key"}, "/attributes/0/key"),
    ],
)
async def test_a_wrong_definition_is_refused_with_what_to_change(
    register: Register, attribute: dict[str, Any], pointer: str
) -> None:
    full = {"key": "a", "name_zh": "甲", "name_en": "A", **attribute}
    body = {"name_zh": "机柜", "name_en": "Rack", "attributes": [full]}
    told = await register.ask("PUT", "/classes/rack", body, status=422)
    assert told["code"] == "class_definition"
    assert [error["pointer"] for error in told["errors"]] == [pointer]
    assert told["errors"][0]["detail"].endswith(".")


async def test_items_that_no_longer_conform_stay_and_are_listed(register: Register) -> None:
    for number in range(3):
        await register.item(f"srv-{number}", attributes={"vendor": "华为"} if number == 1 else {})
    now = await register.get("/classes/server")
    vendor = next(one for one in now["attributes"] if one["key"] == "vendor")
    vendor["required"] = True
    body = {key: value for key, value in now.items() if key not in ("key", "revision", "version")}
    await register.ask("PUT", "/classes/server", body, headers={"If-Match": '"1"'})
    found = await register.get("/classes/server/not-conforming")
    assert sorted(one["key"] for one in found["items"]) == ["srv-0", "srv-2"]
    assert found["items"][0]["problems"][0]["pointer"] == "/attributes/vendor"
    first = await register.get("/classes/server/not-conforming?limit=1")
    second = await register.get("/classes/server/not-conforming", params={"limit": 1, "cursor": first["next"]})
    assert {first["items"][0]["key"], second["items"][0]["key"]} == {"srv-0", "srv-2"}
    await register.post("/items/srv-0/retire")
    assert (await register.describe("srv-2", status=422, name="x"))["code"] == "attributes_do_not_conform"
    await register.describe("srv-2", attributes={"vendor": "浪潮"})
    assert (await register.get("/classes/server/not-conforming"))["items"] == []


async def test_who_may_define_classes(register: Register) -> None:
    body = {"name_zh": "机柜", "name_en": "Rack"}
    for role in ("agent", "integration", "analyst"):
        await register.ask("PUT", "/classes/rack", body, status=403, headers=register.headers(role))
    limited = register.headers(organisations=["acme"])
    assert await register.refused("PUT", "/classes/rack", body, status=403, headers=limited) == "forbidden"
    await register.ask("PUT", "/classes/rack", body, status=201, headers=register.headers("operator"))
    await register.ask("PUT", "/classes/Bad-Key", body, status=404)


async def test_the_types_of_relations_say_which_classes_go_together(register: Register) -> None:
    found = {one["relation"]: one for one in await register.get("/relation-types")}
    assert found.keys() == {"depends_on", "runs_on", "part_of", "connected_to", "backs_up"}
    assert (found["part_of"]["impact"], found["depends_on"]["impact"]) == ("target_depends", "source_depends")
    assert "virtual_machine" in found["runs_on"]["one_target_for"]
