"""What discovery sources find: matched by the rules, reconciled by precedence, registered where nobody knew of it."""

from typing import Any

from tests.support.register import Register


def serial(value: str) -> list[dict[str, str]]:
    return [{"kind": "serial", "value": value}]


async def found(register: Register, *things: dict[str, Any], source: str = "nmap", query: str = "") -> Any:
    return await register.post(f"/discovery/{source}{query}", list(things))


def thing(own: str, **given: Any) -> dict[str, Any]:
    return {"id": own, "name": own, "item_class": "server", **given}


async def test_an_unknown_thing_is_registered_in_operation_and_nobody_answers_for_it(register: Register) -> None:
    answer = await found(register, thing("host-1", identifiers=serial("CN-1"), attributes={"cpu_count": 8}))
    assert (answer["registered"], answer["source"]) == (1, "nmap")
    item = await register.get("/items/host-1")
    assert (item["lifecycle"], item["attributes"]) == ("operational", {"cpu_count": 8})
    gaps = (await register.get("/ownership-gaps"))["items"]
    assert [gap["item"]["key"] for gap in gaps] == ["host-1"]
    (registered,) = await register.events(item["id"])
    assert registered.data["source"] == "nmap"
    again = await found(register, thing("host-1", identifiers=serial("CN-1"), attributes={"cpu_count": 8}))
    assert (again["unchanged"], again["problems"]) == (1, [])


async def test_discovery_never_overwrites_what_people_say(register: Register) -> None:
    await register.item(
        "srv",
        owner_team="unix",
        criticality="critical",
        name="一号机",
        identifiers=serial("CN-1"),
        lifecycle="in_stock",
    )
    told = thing("h1", identifiers=serial("cn-1"), criticality="low", attributes={"memory_gib": 64}, environment="test")
    assert (await found(register, told))["changed"] == 1
    item = await register.get("/items/srv")
    assert (item["owner_team"], item["criticality"], item["name"]) == ("unix", "critical", "一号机")
    assert (item["environment"], item["lifecycle"]) == ("production", "in_stock")
    assert item["attributes"] == {"memory_gib": 64}
    assert item["identifiers"] == [{"kind": "serial", "value": "cn-1"}, {"kind": "source:nmap", "value": "h1"}]


async def test_the_sources_own_id_comes_before_the_serial(register: Register) -> None:
    await found(register, thing("h1", identifiers=serial("CN-1")), thing("h2", identifiers=serial("CN-2")))
    moved = await found(register, thing("h1", identifiers=serial("CN-9")))
    assert moved["changed"] == 1
    assert {"kind": "serial", "value": "CN-9"} in (await register.get("/items/h1"))["identifiers"]
    other = await found(register, thing("x1", identifiers=serial("CN-2")), source="vcenter")
    assert other["changed"] == 1
    assert {"kind": "source:vcenter", "value": "x1"} in (await register.get("/items/h2"))["identifiers"]


async def test_a_name_without_more_matches_only_within_the_class(register: Register) -> None:
    fqdn = [{"kind": "fqdn", "value": "db-01.acme.example"}]
    await register.item("db-01", "database", identifiers=fqdn)
    same = await found(register, thing("a", item_class="database", identifiers=fqdn))
    assert same["changed"] == 1
    host = await found(register, thing("b", key="host-01", identifiers=fqdn))
    assert host["registered"] == 1


async def test_several_matches_and_a_foreign_key_are_told_as_ambiguous(register: Register) -> None:
    for key in ("one", "two"):
        await register.item(key, identifiers=serial("CN-1"))
    await register.item("web", "application")
    answer = await found(
        register, thing("a", identifiers=serial("CN-1")), thing("b", key="web"), thing("c"), thing("c2", key="c")
    )
    assert [(one["line"], one["outcome"], one["code"]) for one in answer["problems"]] == [
        (1, "ambiguous", "several_match"),
        (2, "ambiguous", "key_of_another"),
        (4, "rejected", "line_twice"),
    ]
    assert (answer["registered"], answer["ambiguous"]) == (1, 2)
    assert "“one”, “two”" in answer["problems"][0]["reason"]


async def test_two_findings_of_one_item_do_not_fight(register: Register) -> None:
    await register.item("srv", identifiers=serial("CN-1"))
    answer = await found(register, thing("a", identifiers=serial("CN-1")), thing("b", identifiers=serial("CN-1")))
    assert [(one["line"], one["code"]) for one in answer["problems"]] == [(2, "line_twice")]


async def test_relations_name_the_sources_own_ids(register: Register) -> None:
    answer = await found(
        register,
        thing("vm-1", item_class="virtual_machine", relations=[{"relation": "runs_on", "target": "h-1"}]),
        thing("h-1", relations=[{"relation": "depends_on", "target": "nowhere"}]),
    )
    assert (answer["registered"], answer["related"]) == (2, 1)
    assert [(one["line"], one["code"]) for one in answer["problems"]] == [(2, "no_such_target")]


async def test_things_that_cannot_be_read_do_not_stop_the_others(register: Register) -> None:
    bad: list[Any] = [7, None, {}, thing("a", colour="red"), thing("b", attributes={"cpu_count": 1.5}), thing("ok")]
    bad += [thing("c", item_class="teapot"), thing("d", attributes={"colour": "red"}), {**thing("e"), "name": "e\n"}]
    answer = await register.post("/discovery/nmap", bad)
    assert (answer["registered"], answer["rejected"]) == (1, 8)
    assert [one["line"] for one in answer["problems"]] == [1, 2, 3, 4, 5, 7, 8, 9]


async def test_what_was_retired_and_is_found_again_is_registered_anew(register: Register) -> None:
    old = await register.item("srv", identifiers=serial("CN-1"))
    await register.post("/items/srv/retire")
    answer = await found(register, thing("srv", identifiers=serial("CN-1")))
    assert answer["registered"] == 1
    assert (await register.get("/items/srv"))["id"] != old["id"]


async def test_a_dry_run_of_a_discovery_changes_nothing(register: Register) -> None:
    answer = await found(register, thing("h"), query="?dry_run=true")
    assert (answer["registered"], answer["dry_run"]) == (1, True)
    assert (await register.get("/items"))["items"] == []


async def test_a_source_has_a_name_of_its_own(register: Register) -> None:
    for source in ("csv", "api"):
        assert await register.refused("POST", f"/discovery/{source}", [], status=422) == "source_name"
    await register.post("/discovery/No.Such", [], status=404)
    machine = register.headers("integration")
    assert (await register.post("/discovery/nmap", [], headers=machine))["received"] == 0
