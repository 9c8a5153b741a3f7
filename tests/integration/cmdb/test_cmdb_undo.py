"""Taking back one edit by a new event: what it changed, what stays, and what is refused."""

from typing import Any

from tests.support.register import Register


async def undo(register: Register, key: str, version: int, *, status: int = 200, **given: Any) -> Any:
    return await register.post(f"/items/{key}/undo", {"version": version}, status=status, **given)


async def test_an_undone_description_leaves_later_edits_of_other_things(register: Register) -> None:
    made = await register.item("db", "database", attributes={"engine": "Oracle"})
    await register.describe("db", criticality="critical", attributes={"engine": "PostgreSQL", "port": 5432})
    await register.post("/items/db/owner", {"owner_team": "dba"})
    found = await undo(register, "db", 2)
    assert (found["criticality"], found["attributes"], found["owner_team"]) == ("medium", {"engine": "Oracle"}, "dba")
    assert await register.names(made["id"]) == ["Registered", "Described", "OwnerNamed", "EditUndone"]
    assert (await register.events(made["id"]))[-1].data["undone_version"] == 2


async def test_undoing_the_undo_brings_the_edit_back(register: Register) -> None:
    await register.item("db", "database")
    await register.describe("db", name="订单库")
    assert (await undo(register, "db", 2))["name"] == "db"
    assert (await undo(register, "db", 3))["name"] == "订单库"
    assert (await undo(register, "db", 4))["name"] == "db"


async def test_the_same_undo_again_is_nothing_new(register: Register) -> None:
    await register.item("db", "database")
    await register.describe("db", name="订单库")
    await undo(register, "db", 2)
    assert (await undo(register, "db", 2))["version"] == 3


async def test_what_was_changed_again_since_is_somebodys_later_word(register: Register) -> None:
    await register.item("db", "database")
    await register.describe("db", name="one")
    await register.describe("db", name="two")
    told = await undo(register, "db", 2, status=409)
    assert told["code"] == "changed_again_since"
    await undo(register, "db", 3)
    assert (await undo(register, "db", 2))["name"] == "db"


async def test_a_registration_and_a_version_that_is_not_are_not_undone(register: Register) -> None:
    await register.item("db", "database")
    assert (await undo(register, "db", 1, status=409))["code"] == "registration_is_not_undone"
    await undo(register, "db", 2, status=404)
    await undo(register, "db", 0, status=422)


async def test_an_undone_retirement_brings_back_the_relations_that_ended_with_it(register: Register) -> None:
    made = await register.item("db", "database", identifiers=[{"kind": "serial", "value": "CN-1"}])
    for key in ("app", "old-app", "retired-app"):
        await register.item(key, "application")
        await register.relate(key, "depends_on", "db")
    gone = await register.get("/items/old-app/relations")
    await register.post(f"/relations/{gone['items'][0]['id']}/end")
    register.pass_time(minutes=1)
    await register.post("/items/db/retire")
    await register.post("/items/retired-app/retire")
    register.pass_time(minutes=1)
    found = await undo(register, "db", 2)
    assert (found["lifecycle"], found["relations_carried"]) == ("operational", 1)
    assert [one["code"] for one in found["relations_left"]] == ["ends_are_there"]
    relations = (await register.get("/items/db"))["relations"]
    assert [one["source_key"] for one in relations] == ["app"]
    assert await register.pool.fetchval("select item from item_identifier where value = 'cn-1'") == made["id"]
    again = await undo(register, "db", 3)
    assert (again["lifecycle"], (await register.get("/items/app"))["relations"]) == ("retired", [])
    assert (await undo(register, "db", 4))["relations_carried"] == 1


async def test_a_retirement_is_not_undone_while_another_has_the_key(register: Register) -> None:
    first = await register.item("srv")
    await register.post("/items/srv/retire")
    await register.item("SRV")
    told = await undo(register, first["id"], 2, status=409, headers={"Accept-Language": "zh"})
    assert (told["code"], told["detail"][-1]) == ("key_taken", "。")
    await register.post("/items/srv/retire")
    assert (await undo(register, first["id"], 2))["lifecycle"] == "operational"
    assert (await register.get("/items/srv"))["id"] == first["id"]


async def test_a_new_key_is_not_taken_back_while_another_has_the_old_one(register: Register) -> None:
    await register.item("old")
    await register.describe("old", key="new")
    await register.item("old")
    assert (await undo(register, "new", 2, status=409))["code"] == "key_taken"


async def test_an_item_is_not_undone_into_an_organisation_that_one_may_not_act_for(register: Register) -> None:
    await register.item("srv", organisation="umbrella")
    await register.describe("srv", organisation="acme")
    ours = register.headers(organisations=["acme"])
    assert (await undo(register, "srv", 2, status=403, headers=ours))["code"] == "organisation_forbidden"
    made = await undo(register, "srv", 2)
    assert (await register.events(made["id"]))[-1].organisation == "umbrella"


async def test_other_edits_of_a_retired_item_stay(register: Register) -> None:
    made = await register.item("srv")
    await register.describe("srv", name="another")
    await register.post("/items/srv/retire")
    assert (await undo(register, made["id"], 2, status=409))["code"] == "retired_is_final"


async def test_who_names_the_version_that_was_seen_meets_a_later_one(register: Register) -> None:
    await register.item("srv")
    await register.describe("srv", name="another")
    headers = {"If-Match": '"1"'}
    assert (await undo(register, "srv", 2, status=412, headers=headers))["code"] == "version_conflict"
