"""A duplicate and the item that stands for it from then on."""

from typing import Any

from tests.support.register import Register


async def merge(register: Register, duplicate: str, into: str, *, status: int = 200) -> Any:
    return await register.post(f"/items/{duplicate}/merge", {"into": into}, status=status)


async def test_relations_identifiers_and_the_key_go_over_to_the_survivor(register: Register) -> None:
    serial, asset = {"kind": "serial", "value": "CN-7731"}, {"kind": "asset", "value": "A-12"}
    gone = await register.item("DB01", "database", identifiers=[serial])
    stays = await register.item("db-01", "database", identifiers=[asset])
    await register.item("app", "application")
    await register.item("srv")
    await register.relate("app", "depends_on", "DB01")
    await register.relate("DB01", "runs_on", "srv")
    await register.relate("db-01", "runs_on", "srv")
    register.pass_time(minutes=1)
    found = await merge(register, "db01", "db-01")
    assert (found["id"], found["identifiers"]) == (stays["id"], [asset, serial])
    assert (found["relations_carried"], found["relations_left"]) == (2, [])
    by_alias = await register.get("/items/DB01")
    assert by_alias["id"] == stays["id"]
    assert [(one["source_key"], one["relation"], one["target_key"]) for one in by_alias["relations"]] == [
        ("app", "depends_on", "db-01"),
        ("db-01", "runs_on", "srv"),
    ]
    merged = await register.get(f"/items/{gone['id']}")
    assert (merged["merged_into"], merged["relations"]) == (stays["id"], [])
    assert await register.names(gone["id"]) == ["Registered", "Merged"]
    assert await register.names(stays["id"]) == ["Registered", "Absorbed"]
    assert [item["key"] for item in (await register.get("/items?class=database"))["items"]] == ["db-01"]


async def test_a_merged_item_takes_no_command_and_its_key_stays_taken(register: Register) -> None:
    gone = await register.item("a")
    await register.item("b")
    await register.describe("a", name="another")
    await merge(register, "a", "b")
    for action, body in (("retire", None), ("owner", {}), ("undo", {"version": 2}), ("merge", {"into": "b"})):
        assert await register.refused("POST", f"/items/{gone['id']}/{action}", body) == "merged_is_final", action
    assert (await register.item("A", status=409))["code"] == "key_taken"
    assert await register.refused("POST", "/items/b/undo", {"version": 2}) == "merge_is_not_undone"


async def test_a_chain_of_merges_leads_to_the_last_and_lives_and_ends_with_it(register: Register) -> None:
    for key in ("a", "b", "c"):
        await register.item(key)
    await merge(register, "a", "b")
    await merge(register, "b", "c")
    stays = await register.get("/items/c")
    for key in ("a", "b", "c"):
        assert (await register.get(f"/items/{key}"))["id"] == stays["id"]
    await register.post("/items/c/retire")
    taken = await register.item("a")
    await register.post("/items/c/undo", {"version": 3})
    assert (await register.get("/items/b"))["id"] == stays["id"]
    assert (await register.get("/items/a"))["id"] == taken["id"]


async def test_what_cannot_be_carried_over_is_told(register: Register) -> None:
    for key in ("host-1", "host-2"):
        await register.item(key)
    for key, host in (("vm", "host-1"), ("VM-copy", "host-2")):
        await register.item(key, "virtual_machine")
        await register.relate(key, "runs_on", host)
    await register.relate("vm", "depends_on", "VM-copy")
    found = await merge(register, "VM-copy", "vm")
    assert [one["code"] for one in found["relations_left"]] == ["one_target_only"]
    assert [one["target_key"] for one in (await register.get("/items/vm"))["relations"]] == ["host-1"]


async def test_only_what_is_alike_and_there_is_merged(register: Register) -> None:
    await register.item("srv")
    await register.item("db", "database")
    await register.item("other", organisation="acme")
    await register.item("gone")
    await register.post("/items/gone/retire")
    for duplicate, into, code in (
        ("srv", "SRV", "not_into_itself"),
        ("srv", "db", "merged_alike"),
        ("srv", "other", "merged_alike"),
        ("srv", "gone", "survivor_is_there"),
        ("gone", "srv", "retired_is_final"),
    ):
        assert (await merge(register, duplicate, into, status=409))["code"] == code
    await merge(register, "srv", "nothing", status=404)
